"""params.yaml: every mistake is an error that names the key and the remedy."""

import copy
from pathlib import Path
from typing import Any

import pytest

from sourcewise.params.root import ParamsError, load, parse, read_yaml

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "workflow/presets").glob("*.yaml"))


@pytest.fixture
def content() -> dict[str, Any]:
    return copy.deepcopy(read_yaml(ROOT / "params.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid(preset: Path) -> None:
    assert load(preset).teachers


def test_the_committed_parameters_are_the_tiny_preset() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "workflow/presets/tiny.yaml").read_bytes()


def test_parameters_cannot_be_changed_after_reading(content: dict[str, Any]) -> None:
    params = parse(content, name="params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.seed = 8  # type: ignore[misc]


def _teacher(content: dict[str, Any]) -> dict[str, Any]:
    return next(iter(content["teachers"].values()))


def _rename(mapping: dict[str, Any], old: str, new: str) -> None:
    mapping[new] = mapping.pop(old)


def _match(content: dict[str, Any], **lengths_of: str | None) -> None:
    content["filters"]["matched"] = {
        "filter": "lengths",
        "edges": [10, 99],
        "shares": "matched",
        "seed": 1,
    }
    for name, other in lengths_of.items():
        content["datasets"][name] |= {"filters": ["matched"], "lengths_of": other}


MISTAKES = [
    (
        "unknown key",
        lambda c: c["distill"].update(max_atempts=3),
        r"unknown key distill\.max_atempts; did you mean 'max_attempts'\?",
    ),
    (
        "unknown section",
        lambda c: c.update(techers={}),
        r"unknown key techers; did you mean 'teachers'\?",
    ),
    (
        "unknown key of a filter",
        lambda c: c["filters"]["ngram"].update(max_cont=3),
        r"unknown key filters\.ngram\.max_cont; did you mean 'max_count'\?",
    ),
    (
        "threshold of a filter",
        lambda c: c["filters"]["benchmark_text"].update(share=1.5),
        r"filters\.benchmark_text\.share: Input should be less than or equal to 1 \(given: 1\.5\)",
    ),
    (
        "threshold of decontamination",
        lambda c: c["decontaminate"]["embedding"].update(threshold=-0.1),
        r"decontaminate\.embedding\.threshold: Input should be greater than or equal to 0",
    ),
    ("missing key", lambda c: c["distill"].pop("stop_score"), r"missing key distill\.stop_score"),
    (
        "wrong type",
        lambda c: c["distill"].update(max_attempts="three"),
        r"distill\.max_attempts: .*integer.*'three'",
    ),
    (
        "a number as text",
        lambda c: c["train"].update(learning_rate="8e-5"),
        r"train\.learning_rate: .*number.*8e-5.*write 8\.0e-5",
    ),
    (
        "out of range",
        lambda c: c["distill"].update(stop_score=1.5),
        r"distill\.stop_score: .*less than or equal to 1.*1\.5",
    ),
    (
        "teacher without engine or import",
        lambda c: _teacher(c).pop("engine"),
        r"teachers\.\w+: a teacher needs exactly one of the keys 'engine' and 'import'",
    ),
    (
        "unknown engine",
        lambda c: _teacher(c).update(engine="vlm"),
        r"teachers\.\w+\.engine: .*'vllm', 'transformers' or 'server'.*'vlm'",
    ),
    (
        "unknown category",
        lambda c: next(iter(c["sources"].values())).update(category="maths"),
        r"sources\.\w+\.category: .*'math'.*'maths'",
    ),
    (
        "a verifier that does not exist",
        lambda c: c["verifiers"].update(chemistry={}),
        r"unknown key verifiers\.chemistry",
    ),
    (
        "a misspelt verifier",
        lambda c: _rename(c["verifiers"], "math", "maths"),
        r"unknown key verifiers\.maths; did you mean 'math'\?",
    ),
    (
        "a reward model without one of the outputs that count",
        lambda c: c["verifiers"].update(
            dialogue={
                "reward_model": "models/reward",
                "revision": "local",
                "outputs": ["coherence", "correctness"],
                "lowest": 0.0,
                "highest": 4.0,
                "max_tokens": 4096,
            }
        ),
        r"^\S+: verifiers\.dialogue\.reward\S*: 'outputs' lacks helpfulness: name every output[^\n]*$",
    ),
    (
        "a misspelt key of a judge",
        lambda c: c["verifiers"].update(
            dialogue={
                "model": "m",
                "max_answer_chars": 1,
                "seconds": 1,
                "seed": 1,
                "tusk": None,
            }
        ),
        r"unknown key verifiers\.dialogue\.judge\.tusk; did you mean 'task'\?",
    ),
    (
        "a filter that does not exist",
        lambda c: next(iter(c["datasets"].values())).update(filters=["ngrams"]),
        r"datasets\.\w+\.filters: 'ngrams' is not one of .*did you mean 'ngram'\?",
    ),
    (
        "a dataset of an unknown teacher",
        lambda c: next(iter(c["datasets"].values())).update(teachers=["ters"]),
        r"datasets\.\w+\.teachers: 'ters' is not one of .*did you mean 'terse'\?",
    ),
    (
        "a student of an unknown dataset",
        lambda c: c["students"].update(new={"dataset": "tersee", "seed": 1}),
        r"students\.new\.dataset: 'tersee' is not one of .*did you mean 'terse'\?",
    ),
    (
        "a dataset that asks for more than the loop gives",
        lambda c: next(iter(c["datasets"].values())).update(min_score=0.95),
        r"min_score is 0\.95, but the loop stops at distill\.stop_score 0\.9: raise",
    ),
    ("no sources", lambda c: c.update(sources={}), r"sources: .*at least 1 item"),
    (
        "a source without shards",
        lambda c: next(iter(c["sources"].values())).update(shards=0),
        r"sources\.arithmetic\.shards: give the number of its own shards, 1 or more.*\(given: 0\)",
    ),
    (
        "a source that joins the shards of an unknown one",
        lambda c: c["sources"]["code"].update(shards="arithmetics"),
        r"sources\.code\.shards: 'arithmetics' is not one of .*did you mean 'arithmetic'\?",
    ),
    (
        "a source that joins one without shards of its own",
        lambda c: c["sources"]["code"].update(shards="multi_turn"),
        r"sources\.code\.shards: 'multi_turn' is not one of \['arithmetic'\]",
    ),
    (
        "a source of no files",
        lambda c: c["sources"].update(
            new={
                "category": "math",
                "licence": "MIT",
                "shards": 1,
                "files": [],
                "columns": {"prompt": "q"},
            }
        ),
        r"sources\.new: 'files' is empty: name at least one file",
    ),
    (
        "a source that is not in the order",
        lambda c: c["clean"].update(order=["arithmetic", "multi_turn", "code"]),
        r"clean\.order lacks 'instruction': add it",
    ),
    (
        "a source that stands apart from those whose shards it joins",
        lambda c: c["clean"].update(order=["multi_turn", "arithmetic", "code", "instruction"]),
        r"clean\.order: 'multi_turn' joins the shards of 'arithmetic', so it stands right behind it",
    ),
    (
        "lengths of a dataset that waits for this one",
        lambda c: _match(c, terse="steps", steps="terse"),
        r"datasets\.terse\.lengths_of: terse waits for steps waits for terse",
    ),
    (
        "lengths of a dataset that no filter takes over",
        lambda c: c["datasets"]["terse"].update(lengths_of="steps"),
        r"datasets\.terse\.lengths_of .* no filter does; set it null",
    ),
    (
        "a filter that takes over the lengths of none",
        lambda c: _match(c, terse=None),
        r"datasets\.terse\.lengths_of .* the filter 'matched' needs it",
    ),
    (
        "epochs and steps",
        lambda c: c["train"].update(epochs=2, max_steps=10),
        r"train: give exactly one of the keys 'epochs' and 'max_steps'",
    ),
    (
        "a name that cannot be a file or a key",
        lambda c: _rename(c["students"], "terse", "a.b"),
        r"students\.a\.b",
    ),
]


@pytest.mark.parametrize(
    ("mistake", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_is_named_with_its_key(
    content: dict[str, Any], mistake: Any, message: str
) -> None:
    mistake(content)
    with pytest.raises(ParamsError, match=message):
        parse(content, name="params.yaml")


def test_all_mistakes_are_named_at_once(content: dict[str, Any]) -> None:
    content["distill"]["max_atempts"] = 3
    content["clean"]["min_chars"] = "eight"
    with pytest.raises(ParamsError) as caught:
        parse(content, name="params.yaml")
    assert "distill.max_atempts" in str(caught.value)
    assert "clean.min_chars" in str(caught.value)


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"does not exist: copy one of workflow/presets"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["seed: [1", "- a\n- b\n", ""])
def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml (is not YAML|does not hold a mapping)"):
        load(path)
