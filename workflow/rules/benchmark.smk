"""Stage benchmark@STUDENT: n samples per question, graded by the verifiers that judged the teachers."""


rule sample:
    input:
        model="models/students/{student}/fingerprint.json",
        queries=benchmark_tables(GRADED),
    output:
        samples=expand(
            "data/benchmarks/{{student}}/{benchmark}.samples.parquet", benchmark=GRADED
        ),
    log:
        "logs/sample/{student}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        sampling=P("benchmark@{student}", "sampling"),
        benchmarks=P("benchmark@{student}", "benchmarks"),
        seed=P("benchmark@{student}", "seed"),
        code=CODE("benchmark@{student}", "stages.sample", "engines"),
        model=model_folder,
        ledger="data/benchmarks/{student}/ledger",
        folder=folder,
    shell:
        "{resources.python} -m sourcewise sample --name {wildcards.student} --model {params.model}"
        " --sampling {params.sampling:q} --benchmarks {params.benchmarks:q} --seed {params.seed}"
        " --queries {input.queries} --ledger {params.ledger} --out {params.folder} > {log} 2>&1"


rule grade:
    input:
        queries="data/benchmark_queries/{benchmark}/queries.parquet",
        samples="data/benchmarks/{student}/{benchmark}.samples.parquet",
    output:
        grades="data/benchmarks/{student}/{benchmark}.grades.parquet",
    log:
        "logs/grade/{student}/{benchmark}.log",
    conda:
        "../../envs/verify.yaml"
    resources:
        python=VERIFY,
    params:
        verifiers=P("benchmark@{student}", "verifiers"),
        code=CODE("benchmark@{student}", "stages.verify", "verifiers"),
    shell:
        "{resources.python} -m sourcewise verify --queries {input.queries} --responses {input.samples}"
        " --verifiers {params.verifiers:q} --every-test true --out {output.grades} > {log} 2>&1"
