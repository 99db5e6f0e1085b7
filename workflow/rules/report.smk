"""Stage report: the comparison of the sources."""


rule report:
    input:
        everything=everything,
        audit=audit_files,
        forecast=forecast_files,
    # What it writes to data/report/metrics, plots and figures stands behind the summary: a hundred
    # small files whose records would each list all inputs.
    output:
        page="data/report/index.html",
        summary="data/report/summary.json",
    log:
        "logs/report.log",
    conda:
        "../../envs/workflow.yaml"
    resources:
        python=REPORT,
    params:
        seed=P("report", "seed"),
        report=P("report", "report"),
        distill=P("report", "distill"),
        teachers=P("report", "teachers"),
        datasets=P("report", "datasets"),
        students=P("report", "students"),
        benchmarks=P("report", "benchmarks"),
        others=SECTIONS(
            "report",
            *(
                "models",
                "sources",
                "clean",
                "decontaminate",
                "verifiers",
                "perplexity",
            ),
            *("filters", "train", "sampling"),
        ),
        content=content(audit_files),
        forecast=content(forecast_files),
        code=CODE("report", "stages.report"),
    shell:
        "{resources.python} -m sourcewise report --seed {params.seed} --report {params.report:q}"
        " --distill {params.distill:q} --teachers {params.teachers:q}"
        " --datasets {params.datasets:q} --students {params.students:q}"
        " --benchmarks {params.benchmarks:q} --others {params.others:q} --data data"
        " --out {output.page} --summary {output.summary} --metrics data/report/metrics"
        " --plots data/report/plots --figures data/report/figures > {log} 2>&1"
