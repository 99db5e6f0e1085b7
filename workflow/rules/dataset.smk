"""Stage dataset@NAME: a recipe over the attempts of one or more teachers."""


rule select:
    input:
        queries="data/queries/manifest.json",
        teachers=dataset_manifests,
    output:
        selected="data/datasets/{dataset}/selected.parquet",
        rejects="data/datasets/{dataset}/select-rejects.parquet",
    log:
        "logs/select/{dataset}.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        dataset=P("dataset@{dataset}", "datasets.{dataset}"),
        seed=P("dataset@{dataset}", "seed"),
        code=CODE("dataset@{dataset}", "stages.select"),
    shell:
        "{resources.python} -m sourcewise select --dataset {params.dataset:q} --seed {params.seed}"
        " --queries {input.queries} --teachers {input.teachers} --out {output.selected}"
        " --rejects {output.rejects} > {log} 2>&1"


rule filter:
    input:
        queries="data/queries/manifest.json",
        teachers=dataset_manifests,
        selected="data/datasets/{dataset}/selected.parquet",
        benchmarks=dataset_benchmarks,
        lengths_of=dataset_lengths,
    output:
        examples="data/datasets/{dataset}/examples.parquet",
        rejects="data/datasets/{dataset}/rejects.parquet",
        card="data/datasets/{dataset}/card.json",
    log:
        "logs/filter/{dataset}.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        dataset=P("dataset@{dataset}", "datasets.{dataset}"),
        filters=dataset_filters,
        code=CODE("dataset@{dataset}", "stages.filter", "filters"),
    shell:
        "{resources.python} -m sourcewise filter --name {wildcards.dataset} --dataset {params.dataset:q}"
        " --filters {params.filters:q} --selected {input.selected} --queries {input.queries}"
        " --teachers {input.teachers} --benchmarks {input.benchmarks}"
        " --lengths-of {input.lengths_of}"
        " --out {output.examples} --rejects {output.rejects}"
        " --card {output.card} > {log} 2>&1"
