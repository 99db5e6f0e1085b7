"""Stage benchmark_queries@NAME: the questions that students are asked and the corpus must not hold."""


rule benchmark_queries:
    input:
        files=benchmark_files,
    output:
        queries="data/benchmark_queries/{benchmark}/queries.parquet",
        rejects="data/benchmark_queries/{benchmark}/rejects.parquet",
        errata="data/benchmark_queries/{benchmark}/errata.parquet",
    log:
        "logs/benchmark_queries/{benchmark}.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=benchmark_python,
    params:
        origin=P("benchmark_queries@{benchmark}", "benchmarks.{benchmark}.queries"),
        seed=P("benchmark_queries@{benchmark}", "seed"),
        content=content(benchmark_files),
        code=CODE("benchmark_queries@{benchmark}", "stages.collect"),
    shell:
        "{resources.python} -m sourcewise collect --name {wildcards.benchmark} --origin {params.origin:q}"
        " --seed {params.seed} --planted --out {output.queries} --rejects {output.rejects}"
        " --errata {output.errata} > {log} 2>&1"
