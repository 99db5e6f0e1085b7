"""Stage queries: one corpus for all teachers, cleaned and free of benchmark items."""


rule collect:
    input:
        files=source_files,
        planted=planted,
    output:
        queries="data/queries/collected/{source}.parquet",
        rejects="data/queries/collected/{source}.rejects.parquet",
    log:
        "logs/collect/{source}.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        origin=P("queries", "sources.{source}"),
        seed=P("queries", "seed"),
        code=CODE("queries", "stages.collect"),
    shell:
        "{resources.python} -m sourcewise collect --name {wildcards.source} --origin {params.origin:q}"
        " --seed {params.seed} --planted {input.planted} --out {output.queries}"
        " --rejects {output.rejects} > {log} 2>&1"


rule clean:
    input:
        collected=expand(
            "data/queries/collected/{source}.parquet", source=PARAMS.sources
        ),
    output:
        shards=expand("data/queries/clean/{shard}.parquet", shard=SHARDS),
        rejects="data/queries/clean/rejects.parquet",
    log:
        "logs/clean.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        clean=P("queries", "clean"),
        code=CODE("queries", "stages.clean"),
        folder=folder,
    shell:
        "{resources.python} -m sourcewise clean --collected {input.collected} --clean {params.clean:q}"
        " --out {params.folder} --rejects {output.rejects} > {log} 2>&1"


rule decontaminate:
    input:
        queries="data/queries/clean/{shard}.parquet",
        benchmarks=benchmark_tables(PARAMS.benchmarks),
    output:
        queries="data/queries/corpus/{shard}.parquet",
        rejects="data/queries/corpus/{shard}.rejects.parquet",
        evidence="data/queries/corpus/{shard}.contamination.parquet",
    log:
        "logs/decontaminate/{shard}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        decontaminate=P("queries", "decontaminate"),
        code=CODE("queries", "stages.decontaminate"),
    shell:
        "{resources.python} -m sourcewise decontaminate --queries {input.queries}"
        " --benchmarks {input.benchmarks} --decontaminate {params.decontaminate:q}"
        " --out {output.queries} --rejects {output.rejects} --evidence {output.evidence}"
        " > {log} 2>&1"


rule corpus_manifest:
    output:
        manifest="data/queries/manifest.json",
    log:
        "logs/corpus_manifest.log",
    conda:
        "../../envs/workflow.yaml"
    params:
        manifest=json.dumps(
            {
                "shards": SHARDS,
                "sources": list(PARAMS.sources),
                "benchmarks": list(PARAMS.benchmarks),
            }
        ),
    shell:
        "printf '%s\\n' {params.manifest:q} > {output.manifest} 2> {log}"
