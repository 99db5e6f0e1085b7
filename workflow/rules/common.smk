"""Parameters, paths and helpers of all rules; the only rule file with functions."""

import json
from pathlib import Path

from sourcewise.params.root import ParamsError, load
from sourcewise.dag.pipeline import Pipeline, target
from sourcewise.dag.staleness import Declarations

try:
    PARAMS = load(Path("params.yaml"))
except ParamsError as error:
    raise WorkflowError(str(error)) from None

DECLARED = Declarations(
    Path("dvc.yaml"), json.loads(PARAMS.model_dump_json(by_alias=True))
)
PIPELINE = Pipeline(workflow, DECLARED)
SHARDS = [f"{number:04d}" for number in range(PARAMS.clean.shards)]
GRADED = [name for name, benchmark in PARAMS.benchmarks.items() if benchmark.graded]

# The commands of the three environments, handed over as resources: a machine matter that changes no
# result. With conda every rule finds its own `python`.
IN_CONDA = "conda" in {
    str(method) for method in workflow.deployment_settings.deployment_method
}
PYTHON = "PYTHONPATH=workflow " + ("python" if IN_CONDA else ".venvs/{}/bin/python")
WORKFLOW, VERIFY, MODEL = (
    PYTHON.format(env) for env in ("workflow", "verify", "model")
)


def domains(known):
    """The values of every wildcard, given those bound before."""
    return {
        "model": PARAMS.models,
        "source": PARAMS.sources,
        "benchmark": GRADED if "student" in known else PARAMS.benchmarks,
        "shard": SHARDS,
        "teacher": PARAMS.teachers,
        "attempt": attempts(known["teacher"]) if "teacher" in known else [],
        "dataset": PARAMS.datasets,
        "student": PARAMS.students,
    }


def attempts(teacher):
    """The rounds of a teacher, from 1: as many as the loop may take, or as an import holds."""
    imported = PARAMS.teachers[teacher].imported
    return range(
        1, 1 + (imported.attempts if imported else PARAMS.distill.max_attempts)
    )


def P(stage, key):
    """A declared parameter of a stage as JSON; `{teacher}` and the like are filled in per job."""

    def value(wildcards):
        names = dict(wildcards.items())
        return DECLARED.value(stage.format(**names), key.format(**names))

    return value if "{" in stage + key else DECLARED.value(stage, key)


def SECTIONS(stage, *keys):
    """Several parameters of a stage as one JSON object."""
    return json.dumps({key: json.loads(DECLARED.value(stage, key)) for key in keys})


def CODE(stage, *modules):
    """A hash of what modules mean, imports included; comments and layout do not count."""

    def value(wildcards):
        return DECLARED.code(stage.format(**dict(wildcards.items())), *modules)

    return value if "{" in stage else DECLARED.code(stage, *modules)


def folder(wildcards, output):
    """Where a job writes, for stages that fill a folder."""
    return str(Path(output[0]).parent)


def model_folder(wildcards, input):
    return str(Path(input.model).parent)


def stop_score(wildcards):
    """The score that ends the loop; the first round asks everything and does not depend on it."""
    if wildcards.attempt == "1":
        return "null"
    return DECLARED.value(f"distill@{wildcards.teacher}", "distill.stop_score")


def own_model(path):
    """The file that stands for a model of this pipeline; nothing for a hub's or a foreign folder."""
    folder, _, name = str(path).rpartition("/")
    return (
        [f"{path}/config.json"]
        if folder == "models/pretrained" and name in PARAMS.models
        else []
    )


def teacher_model(wildcards):
    return own_model(PARAMS.teachers[wildcards.teacher].model)


def teacher_files(wildcards):
    imported = PARAMS.teachers[wildcards.teacher].imported
    return imported.files if imported else []


def source_files(wildcards):
    return PARAMS.sources[wildcards.source].files or []


def benchmark_files(wildcards):
    return PARAMS.benchmarks[wildcards.benchmark].queries.files or []


def planted(wildcards):
    """The benchmark tables whose items a synthetic source hides for decontamination to find."""
    synthetic = PARAMS.sources[wildcards.source].synthetic
    return benchmark_tables(synthetic.plant if synthetic else [])


def benchmark_tables(benchmarks):
    return [
        f"data/benchmark_queries/{benchmark}/queries.parquet"
        for benchmark in benchmarks
    ]


def previous_verdicts(wildcards):
    """Round k asks for what round k - 1 left open."""
    if wildcards.attempt == "1":
        return []
    return f"data/distill/{wildcards.teacher}/round-{int(wildcards.attempt) - 1}/{wildcards.shard}.verdicts.parquet"


def rounds(kind):
    """One shard's files of all rounds of a teacher, in order."""

    def files(wildcards):
        folder = f"data/distill/{wildcards.teacher}"
        return [
            f"{folder}/round-{attempt}/{wildcards.shard}.{kind}.parquet"
            for attempt in attempts(wildcards.teacher)
        ]

    return files


def distilled(teachers):
    """All files of teachers that a dataset may read."""
    return [
        file
        for teacher in dict.fromkeys(teachers)
        for file in PIPELINE.files[f"distill@{teacher}"]
    ]


def dataset_teachers(wildcards):
    recipe = PARAMS.datasets[wildcards.dataset]
    return [*recipe.teachers, *recipe.solved_by]


def dataset_sources(wildcards):
    return distilled(dataset_teachers(wildcards))


def dataset_manifests(wildcards):
    return [
        f"data/distill/{t}/manifest.json"
        for t in dict.fromkeys(dataset_teachers(wildcards))
    ]


def student_examples(wildcards):
    dataset = PARAMS.students[wildcards.student].dataset
    return [] if dataset is None else f"data/datasets/{dataset}/examples.parquet"


def everything(wildcards):
    """What the report compares: the files of all stages but the models."""
    return [
        file
        for stage, files in PIPELINE.files.items()
        if stage != "report" and not stage.startswith("model@")
        for file in files
    ]


def corpus(wildcards):
    return PIPELINE.files["queries"]


def distill_manifest(wildcards):
    return json.dumps(
        {
            "teacher": wildcards.teacher,
            "attempts": len(attempts(wildcards.teacher)),
            "shards": SHARDS,
        }
    )
