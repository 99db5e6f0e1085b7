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


onstart:
    PIPELINE.start()


onsuccess:
    PIPELINE.leave(complete=True)


onerror:
    PIPELINE.leave(complete=False)


rule all:
    default_target: True
    input:
        PIPELINE.goals("report"),


# A target for each stage of DVC, by its name; the rule `report` is one already.
for stage, files in PIPELINE.files.items():
    if not workflow.is_rule(stage):

        rule:
            name:
                stage
            input:
                files,


# And one for each experiment of the report: what its arms need, and nothing else.
for experiment, of in PARAMS.report.experiments.items():

    rule:
        name:
            f"experiment@{experiment}"
        input:
            [PIPELINE.files[f"benchmark@{arm}"] for arm in of.arms],
