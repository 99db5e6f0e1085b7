"""Stage distill@TEACHER: rounds of asking and judging, and the perplexity of what may be selected.

Round k asks for the queries whose attempt k - 1 was not accepted. The rounds are unrolled, so a dry run
shows every job; a round with nothing left to ask starts no engine.
"""


rule generate:
    input:
        queries="data/queries/corpus/{shard}.parquet",
        verdicts=previous_verdicts,
        model=teacher_model,
        files=teacher_files,
    output:
        responses="data/distill/{teacher}/round-{attempt}/{shard}.responses.parquet",
    log:
        "logs/generate/{teacher}/round-{attempt}/{shard}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        teacher=P("distill@{teacher}", "teachers.{teacher}"),
        seed=P("distill@{teacher}", "seed"),
        stop_score=stop_score,
        futility=futility,
        content=content(teacher_files),
        code=CODE("distill@{teacher}", "stages.generate", "engines"),
        ledger="data/distill/{teacher}/ledger",
    shell:
        "{resources.python} -m sourcewise generate --name {wildcards.teacher} --teacher {params.teacher:q}"
        " --seed {params.seed} --attempt {wildcards.attempt} --stop-score {params.stop_score}"
        " --futility {params.futility:q}"
        " --queries {input.queries} --verdicts {input.verdicts} --ledger {params.ledger}"
        " --out {output.responses} > {log} 2>&1"


rule verify:
    input:
        queries="data/queries/corpus/{shard}.parquet",
        responses="data/distill/{teacher}/round-{attempt}/{shard}.responses.parquet",
    output:
        verdicts="data/distill/{teacher}/round-{attempt}/{shard}.verdicts.parquet",
    log:
        "logs/verify/{teacher}/round-{attempt}/{shard}.log",
    conda:
        "../../envs/verify.yaml"
    resources:
        python=VERIFY,
    params:
        verifiers=P("distill@{teacher}", "verifiers"),
        code=CODE("distill@{teacher}", "stages.verify", "verifiers"),
    shell:
        "{resources.python} -m sourcewise verify --queries {input.queries} --responses {input.responses}"
        " --verifiers {params.verifiers:q} --out {output.verdicts} > {log} 2>&1"


rule perplexity:
    input:
        queries="data/queries/corpus/{shard}.parquet",
        responses=rounds("responses"),
        verdicts=rounds("verdicts"),
        scorers=[file for scorer in PARAMS.scorers for file in own_model(scorer.model)],
    output:
        perplexity="data/distill/{teacher}/perplexity/{shard}.parquet",
    log:
        "logs/perplexity/{teacher}/{shard}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        perplexity=P("distill@{teacher}", "perplexity"),
        code=CODE("distill@{teacher}", "stages.perplexity", "scoring"),
        ledger="data/distill/{teacher}/ledger",
    shell:
        "{resources.python} -m sourcewise perplexity --queries {input.queries} --responses {input.responses}"
        " --verdicts {input.verdicts} --perplexity {params.perplexity:q}"
        " --ledger {params.ledger} --out {output.perplexity} > {log} 2>&1"


rule distill_manifest:
    input:
        files=teacher_files_made,
    output:
        manifest="data/distill/{teacher}/manifest.json",
    log:
        "logs/distill_manifest/{teacher}.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=WORKFLOW,
    params:
        header=teacher_header,
        patterns=teacher_patterns,
        code=CODE("distill@{teacher}", "stages.manifest"),
        folder=folder,
    shell:
        "{resources.python} -m sourcewise manifest --name {wildcards.teacher} --header {params.header:q}"
        " --patterns {params.patterns:q} --folder {params.folder} --out {output.manifest} > {log} 2>&1"
