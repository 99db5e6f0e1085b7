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
        python=source_python,
    params:
        # How its queries are spread over shards is the business of clean.
        origin=P("queries", "sources.{source}", "shards"),
        seed=P("queries", "seed"),
        content=content(source_files),
        code=CODE("queries", "stages.collect"),
    shell:
        "{resources.python} -m sourcewise collect --name {wildcards.source} --origin {params.origin:q}"
        " --seed {params.seed} --planted {input.planted} --out {output.queries}"
        " --rejects {output.rejects} > {log} 2>&1"


rule clean:
    input:
        collected=collected,
        before=kept_before,
    output:
        queries="data/queries/clean/{shard}.parquet",
        kept="data/queries/clean/{shard}.kept.parquet",
        rejects="data/queries/clean/{shard}.rejects.parquet",
    log:
        "logs/clean/{shard}.log",
    conda:
        "../../envs/verify.yaml"
    resources:
        python=VERIFY,
    params:
        # The order of the sources decides on the inputs; the other two have jobs of their own.
        clean=P("queries", "clean", "order", "near_duplicates", "judge"),
        number=shard_number,
        shards=shard_count,
        judged=judged,
        code=CODE("queries", "stages.clean"),
    shell:
        "{resources.python} -m sourcewise clean --collected {input.collected} --before {input.before}"
        " --number {params.number} --shards {params.shards} --clean {params.clean:q}"
        " --judged {params.judged}"
        " --out {output.queries} --kept {output.kept} --rejects {output.rejects} > {log} 2>&1"


if "judged" in ASKED_FOR:

    rule judge_queries:
        input:
            queries="data/queries/clean/{shard}.parquet",
        output:
            rejects="data/queries/judged/{shard}.parquet",
        log:
            "logs/judge_queries/{shard}.log",
        conda:
            "../../envs/verify.yaml"
        resources:
            python=VERIFY,
        params:
            judged=P("queries", "clean.judge"),
            code=CODE("queries", "stages.judge_queries"),
        shell:
            "{resources.python} -m sourcewise judge_queries --queries {input.queries}"
            " --judged {params.judged:q} --rejects {output.rejects} > {log} 2>&1"


if "near" in ASKED_FOR:

    rule near_duplicates:
        input:
            queries=CLEAN_TABLES,
        output:
            rejects=NEAR_TABLES,
        log:
            "logs/near_duplicates.log",
        conda:
            "../../envs/model.yaml"
        resources:
            python=MODEL,
        params:
            near=P("queries", "clean.near_duplicates"),
            code=CODE("queries", "stages.near_duplicates"),
        shell:
            "{resources.python} -m sourcewise near_duplicates --queries {input.queries}"
            " --near {params.near:q} --rejects {output.rejects} > {log} 2>&1"


rule decontaminate:
    input:
        queries="data/queries/clean/{shard}.parquet",
        dropped=dropped,
        benchmarks=benchmark_tables(sorted(PARAMS.benchmarks)),
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
        " --dropped {input.dropped}"
        " --benchmarks {input.benchmarks} --decontaminate {params.decontaminate:q}"
        " --out {output.queries} --rejects {output.rejects} --evidence {output.evidence}"
        " > {log} 2>&1"


rule corpus_manifest:
    input:
        files=corpus_files,
    output:
        manifest="data/queries/manifest.json",
    log:
        "logs/corpus_manifest.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        header=json.dumps({"shards": list(SHARDS), "sources": sorted(PARAMS.sources)}),
        patterns=corpus_patterns,
        code=CODE("queries", "stages.manifest"),
        folder=folder,
    shell:
        "{resources.python} -m sourcewise manifest --name corpus --header {params.header:q}"
        " --patterns {params.patterns:q} --folder {params.folder} --out {output.manifest} > {log} 2>&1"
