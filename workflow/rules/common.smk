"""Parameters, paths and helpers of all rules; the only rule file with functions."""

import json
import os
import shlex
import sys
from pathlib import Path

from sourcewise.params.root import ParamsError, load
from sourcewise.dag.contents import Contents
from sourcewise.dag.pipeline import Pipeline
from sourcewise.dag.shards import before, shards
from sourcewise.dag.staleness import Declarations, UndeclaredError

try:
    PARAMS = load(Path("params.yaml"))
except ParamsError as error:
    raise WorkflowError(str(error)) from None

DECLARED = Declarations(
    Path("dvc.yaml"), json.loads(PARAMS.model_dump_json(by_alias=True))
)
CONTENTS = Contents()
PIPELINE = Pipeline(workflow, DECLARED, CONTENTS)
SHARDS = shards({name: PARAMS.sources[name] for name in PARAMS.clean.order})
CORPUS = "data/queries/manifest.json"
CORPUS_FILES = [
    "collected/{source}.parquet",
    "collected/{source}.rejects.parquet",
    "clean/{shard}.rejects.parquet",
    "corpus/{shard}.parquet",
    "corpus/{shard}.rejects.parquet",
    "corpus/{shard}.contamination.parquet",
]
TEACHER_FILES = [
    "round-{attempt}/{shard}.responses.parquet",
    "round-{attempt}/{shard}.verdicts.parquet",
    "perplexity/{shard}.parquet",
]
GRADED = [name for name, benchmark in PARAMS.benchmarks.items() if benchmark.graded]

# The commands of the three environments, handed over as resources: a machine matter that changes no
# result. With conda every rule finds its own `python`.
IN_CONDA = "conda" in {
    str(method) for method in workflow.deployment_settings.deployment_method
}
# They lie beside the environment that runs this, wherever the working copy is (DVC's experiments make some).
VENVS = Path(os.environ.get("SOURCEWISE_VENVS", Path(sys.prefix).parent))


def python(env):
    """The command that runs Python in one of the environments."""
    command = "python" if IN_CONDA else VENVS.joinpath(env, "bin", "python")
    return f"PYTHONPATH=workflow {shlex.quote(str(command))}"


WORKFLOW, VERIFY, MODEL = (python(env) for env in ("workflow", "verify", "model"))
if not IN_CONDA:
    # Judging dialogue by a reward model takes a process of the model environment; with conda the user names it.
    REWARD_PYTHON = shlex.quote(str(VENVS.joinpath("model", "bin", "python")))
    VERIFY = f"SOURCEWISE_MODEL_PYTHON={REWARD_PYTHON} {VERIFY}"

# Only the environment of models has the package that streams a hub's data sets.
HUB_OR_FILES = {True: MODEL, False: WORKFLOW}
IMPORTS = [teacher.imported for teacher in PARAMS.teachers.values() if teacher.imported]
REPORT = HUB_OR_FILES[any(one.hub and one.published for one in IMPORTS)]


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


def P(stage, key, *without):
    """A declared parameter of a stage as JSON; `{teacher}` and the like are filled in per job."""

    def value(wildcards):
        names = dict(wildcards.items())
        return DECLARED.value(stage.format(**names), key.format(**names), without)

    return value if "{" in stage + key else DECLARED.value(stage, key, without)


def SECTIONS(stage, *keys):
    """Several parameters of a stage as one JSON object."""
    values = {key: json.loads(DECLARED.value(stage, key)) for key in keys}
    return json.dumps(values, sort_keys=True)


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


def futility(wildcards):
    """The rule that ends the loop early; like the score, nothing to the first round."""
    if wildcards.attempt == "1":
        return "null"
    return DECLARED.value(f"distill@{wildcards.teacher}", "distill.futility")


def own_model(path):
    """The file that stands for a model of this pipeline; nothing for a hub's or a foreign folder."""
    folder, _, name = str(path).rpartition("/")
    return (
        [f"{path}/fingerprint.json"]
        if folder == "models/pretrained" and name in PARAMS.models
        else []
    )


def teacher_model(wildcards):
    return own_model(PARAMS.teachers[wildcards.teacher].model)


def teacher_files(wildcards):
    imported = PARAMS.teachers[wildcards.teacher].imported
    return raw(imported.files or [] if imported else [])


def source_python(wildcards):
    return HUB_OR_FILES[PARAMS.sources[wildcards.source].hub is not None]


def benchmark_python(wildcards):
    return HUB_OR_FILES[PARAMS.benchmarks[wildcards.benchmark].queries.hub is not None]


def source_files(wildcards):
    return raw(PARAMS.sources[wildcards.source].files or [])


def collected(wildcards):
    """The queries of the sources that share a shard."""
    sources = SHARDS[wildcards.shard].sources
    return [f"data/queries/collected/{source}.parquet" for source in sources]


def kept_before(wildcards):
    """What the sources before those of a shard kept: of equal queries the first stays."""
    earlier = before(SHARDS[wildcards.shard], SHARDS)
    return [f"data/queries/clean/{shard}.kept.parquet" for shard in earlier]


CLEAN_TABLES = [f"data/queries/clean/{shard}.parquet" for shard in SHARDS]
NEAR_TABLES = [f"data/queries/near/{shard}.parquet" for shard in SHARDS]
# Looks at clean queries that nobody takes unless they are asked for, with a folder of Reject tables each.
LOOKS = {"judged": PARAMS.clean.judge, "near": PARAMS.clean.near_duplicates}
ASKED_FOR = [folder for folder, asked in LOOKS.items() if asked is not None]


def dropped(wildcards):
    """What these found in a shard."""
    return [f"data/queries/{folder}/{wildcards.shard}.parquet" for folder in ASKED_FOR]


def shard_number(wildcards):
    return SHARDS[wildcards.shard].number


def shard_count(wildcards):
    return SHARDS[wildcards.shard].n


def judged(wildcards):
    """Whether a judge may read references of mathematics that algebra cannot."""
    return json.dumps(DECLARED.value("queries", "verifiers.math.judge") != "null")


def benchmark_files(wildcards):
    return raw(PARAMS.benchmarks[wildcards.benchmark].queries.files or [])


def audit_files(wildcards):
    return raw([PARAMS.report.audit] if PARAMS.report.audit else [])


def forecast_files(wildcards):
    return raw([PARAMS.report.forecast] if PARAMS.report.forecast else [])


def raw(files):
    """Files that nobody makes: what they hold counts (`content`), when they were written does not."""
    return ancient(list(files))


def declare_raw_files():
    """Refuses files that DVC would not see. At once: in an input function Snakemake would go on without."""
    named = [("queries", source.files) for source in PARAMS.sources.values()]
    named += [
        (f"benchmark_queries@{name}", benchmark.queries.files)
        for name, benchmark in PARAMS.benchmarks.items()
    ]
    named += [
        (f"distill@{name}", teacher.imported and teacher.imported.files)
        for name, teacher in PARAMS.teachers.items()
    ]
    made = (PARAMS.report.audit, PARAMS.report.forecast)
    named.append(("report", [file for file in made if file]))
    for stage, files in named:
        try:
            DECLARED.inside(stage, files or [])
        except UndeclaredError as error:
            raise WorkflowError(str(error)) from None


declare_raw_files()


def content(files):
    """What raw files hold, as a digest; not derived from `input`, which Snakemake would not track."""

    def value(wildcards):
        found = files(wildcards)
        return CONTENTS.digest(map(str, found)) if found else ""

    return value


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


def dataset_teachers(wildcards):
    recipe = PARAMS.datasets[wildcards.dataset]
    return [*recipe.teachers, *recipe.solved_by]


def dataset_filters(wildcards):
    """The limits of the filters that a recipe names, and no others."""
    stage = f"dataset@{wildcards.dataset}"
    return json.dumps(
        {
            name: json.loads(DECLARED.value(stage, f"filters.{name}"))
            for name in PARAMS.datasets[wildcards.dataset].filters
        }
    )


def dataset_benchmarks(wildcards):
    """What the benchmarks ask, where a filter of the recipe looks for it in responses."""
    filters = PARAMS.datasets[wildcards.dataset].filters
    wanted = any(PARAMS.filters[name].filter == "benchmark_text" for name in filters)
    return benchmark_tables(sorted(PARAMS.benchmarks)) if wanted else []


def dataset_lengths(wildcards):
    """The dataset whose lengths are matched, if any are."""
    other = PARAMS.datasets[wildcards.dataset].lengths_of
    return [] if other is None else f"data/datasets/{other}/examples.parquet"


def dataset_manifests(wildcards):
    return [
        f"data/distill/{t}/manifest.json"
        for t in dict.fromkeys(dataset_teachers(wildcards))
    ]


def student_examples(wildcards):
    dataset = PARAMS.students[wildcards.student].dataset
    return [] if dataset is None else f"data/datasets/{dataset}/examples.parquet"


def everything(wildcards):
    """What the report compares: the files of all stages but the models.

    The corpus and the teachers, thousands of files, stand behind their manifests.
    """
    behind = ("report", "queries", "model@", "distill@")
    few = [
        file
        for stage, files in PIPELINE.files.items()
        if not stage.startswith(behind)
        for file in files
    ]
    return [*few, CORPUS, *(f"data/distill/{t}/manifest.json" for t in PARAMS.teachers)]


def corpus_files(wildcards):
    """What the corpus's manifest speaks of."""
    return expanded("data/queries", CORPUS_FILES, {})


def teacher_files_made(wildcards):
    """What a teacher's manifest speaks of."""
    known = {"teacher": wildcards.teacher}
    return expanded(f"data/distill/{wildcards.teacher}", TEACHER_FILES, known)


def corpus_patterns(wildcards):
    return json.dumps(CORPUS_FILES)


def teacher_patterns(wildcards):
    return json.dumps(TEACHER_FILES)


def expanded(folder, patterns, known):
    return [
        f"{folder}/{file}"
        for pattern in patterns
        for file in expand(pattern, allow_missing=False, **domains(known))
    ]


def teacher_header(wildcards):
    return json.dumps(
        {
            "teacher": wildcards.teacher,
            "attempts": len(attempts(wildcards.teacher)),
            "shards": list(SHARDS),
        }
    )
