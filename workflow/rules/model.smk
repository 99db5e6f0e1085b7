"""Stage model@NAME: tiny models trained from scratch, for configurations that download nothing."""


rule pretrain:
    output:
        model="models/pretrained/{model}/fingerprint.json",
    log:
        "logs/pretrain/{model}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        model=P("model@{model}", "models.{model}"),
        code=CODE("model@{model}", "stages.pretrain"),
        folder=folder,
    shell:
        "{resources.python} -m sourcewise pretrain --name {wildcards.model} --model {params.model:q}"
        " --out {params.folder} > {log} 2>&1"
