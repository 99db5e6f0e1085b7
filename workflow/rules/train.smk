"""Stage train@STUDENT: the same SFT for every dataset."""


rule train:
    input:
        examples=student_examples,
        base=student_base,
        template=template_files,
    output:
        model="models/students/{student}/fingerprint.json",
        loss="data/students/{student}/loss.csv",
        speed="data/students/{student}/speed.csv",
        training="data/students/{student}/training.json",
    log:
        "logs/train/{student}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        python=MODEL,
    params:
        train=P("train@{student}", "train"),
        student=P("train@{student}", "students.{student}"),
        template=content(template_files),
        code=CODE("train@{student}", "stages.train"),
        folder=folder,
    shell:
        "{resources.python} -m sourcewise train --name {wildcards.student} --train {params.train:q}"
        " --student {params.student:q} --examples {input.examples} --out {params.folder}"
        " --loss {output.loss} --speed {output.speed} --metrics {output.training} > {log} 2>&1"
