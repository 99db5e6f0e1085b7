"""Sourcewise: one corpus, every teacher, one student per dataset, a report that compares the sources."""


include: "workflow/rules/common.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/benchmark_queries.smk"
include: "workflow/rules/queries.smk"
include: "workflow/rules/distill.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/benchmark.smk"
include: "workflow/rules/report.smk"


PIPELINE.enter(domains)


onsuccess:
    PIPELINE.leave(complete=True)


onerror:
    PIPELINE.leave(complete=False)


rule all:
    default_target: True
    input:
        [file for files in PIPELINE.files.values() for file in files],


for stage, files in PIPELINE.files.items():

    rule:
        name:
            target(stage)
        input:
            files,
