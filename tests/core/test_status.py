"""What `sourcewise status` concludes from values alone: differences, old names, times, the schedule."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sourcewise.dag import hours, measured, screen
from sourcewise.dag.asks import Asks
from sourcewise.dag.calls import Calls, Reading
from sourcewise.dag.hours import Took
from sourcewise.dag.status import Cause, Planned, Status
from sourcewise.dag.why import ABSENT, Causes, Change, code_changes, differences, explained, pair
from sourcewise.ledger import Ledger, Record, attempt_key, attempt_seed
from sourcewise.params.distill import Teacher
from sourcewise.stages.generate import identity_of, weights_of_teacher
from sourcewise.tables import Message, Query, Response, Verdict, write
from sourcewise.text import query_id

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    """What an earlier test read lay in another folder under the same name."""
    measured.column.cache_clear()
    measured.acceptance.cache_clear()


def _verdict(query: str, attempt: int, score: float | None) -> Verdict:
    status = "no_answer" if score is None else "scored"
    return Verdict(query, attempt, status, score, "", "math", "1")


def test_a_difference_is_named_by_its_leaf_and_both_values() -> None:
    before = {"terse": {"min_score": 0.9, "filters": ["ngram"]}, "steps": {"min_score": 0.9}}
    after = {"terse": {"min_score": 0.8, "filters": ["ngram"]}, "steps": {"min_score": 0.9}}
    assert list(differences(before, after, "datasets")) == [
        Change("param", "datasets.terse.min_score", "changed", "0.9", "0.8")
    ]


def test_a_new_entry_is_one_change_and_not_one_per_leaf() -> None:
    found = list(differences({"a": {"x": 1, "y": 2}}, {"b": {"x": 1, "y": 2}}, "teachers"))
    assert found == [
        Change("param", "teachers.b", "added"),
        Change("param", "teachers.a", "removed"),
    ]
    assert list(differences(ABSENT, {"x": 1}, "teachers.b")) == [found[0]]


def test_null_is_a_value_and_not_an_absence() -> None:
    (found,) = differences({"system": None}, {"system": "Think."}, "teachers.terse")
    assert (found.happened, found.before, found.after) == ("changed", "null", '"Think."')


def test_code_is_named_by_the_files_whose_meaning_changed() -> None:
    before = {"a.py": "1", "b.py": "2", "gone.py": "3"}
    after = {"a.py": "1", "b.py": "9", "new.py": "4"}
    assert [(c.what, c.happened) for c in code_changes(before, after)] == [
        ("b.py", "changed"),
        ("gone.py", "no longer used"),
        ("new.py", "newly used"),
    ]


def test_old_values_without_names_find_their_parameters() -> None:
    dataset, filters = json.dumps({"min_score": 0.9, "seed": 1}), json.dumps({"ngram": {"n": 20}})
    now = {
        "dataset": json.dumps({"min_score": 0.8, "seed": 1}),
        "filters": filters,
        "code": "0123456789abcdef",
    }
    recorded = sorted([dataset, filters, "fedcba9876543210"])
    assert pair(recorded, now) == {"dataset": dataset, "code": "fedcba9876543210"}


def test_new_jobs_are_explained_by_the_key_that_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("distill: {max_attempts: 3}\nteachers: {a: {x: 1}, b: {x: 2}}\n")
    Path("dvc.yaml").write_text("stages: {distill: {foreach: '${teachers}', do: {cmd: x}}}\n")
    Path("dvc.lock").write_text(
        "stages: {distill@a: {params: {params.yaml: {distill: {max_attempts: 2}}}}}\n"
    )
    causes = Causes()
    causes.add("distill@a", [Change("job", "generate", "never made")])
    causes.add("distill@b", [Change("job", "generate", "never made")])
    causes.add("distill@a", [Change("inputs", "perplexity", "+4 −0 files")])
    told = explained(causes, {"distill@a": [], "distill@b": [], "report": []})
    assert told.stages == {
        Change("param", "distill.max_attempts", "changed", "2", "3"): ["distill@a"],
        Change("param", "teachers.b", "added"): ["distill@b"],
    }


def test_selectable_attempts_are_the_first_and_every_better_one(tmp_path: Path) -> None:
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write(first, Verdict, [_verdict("a", 1, 0.5), _verdict("b", 1, None), _verdict("c", 1, 0.0)])
    write(second, Verdict, [_verdict("a", 2, 0.5), _verdict("b", 2, 0.0), _verdict("c", 2, None)])
    assert measured.selectable([str(first), str(second)]) == 3 + 1


def test_acceptance_is_that_of_the_round_before_that_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rounds = tmp_path / "data/distill/terse"
    write(
        rounds / "round-1/s.verdicts.parquet",
        Verdict,
        [_verdict("a", 1, 0.9), _verdict("b", 1, 0.8)],
    )
    write(rounds / "round-2/s.verdicts.parquet", Verdict, [_verdict("b", 2, None)])
    assert measured.acceptance("terse", 1, 0.9) == 0.5
    assert measured.acceptance("terse", 2, 0.9) == 0.0
    assert measured.acceptance("another", 1, 0.8) == 1.0
    assert measured.acceptance("another", 9, 0.9) == pytest.approx(1 / 3)


def test_nothing_judged_is_no_acceptance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert measured.acceptance("terse", 1, 0.9) is None


def test_a_log_tells_how_long_a_finished_job_took(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("generate a: asked 1,200, from the ledger 3, of 1,203 wanted\n")
    assert hours.took(str(log)) is None
    with log.open("a") as file:
        file.write("generate: done in 61.5 s\n")
    assert hours.took(str(log)) == Took(61.5, 1200)


def test_time_grows_with_the_calls_on_top_of_the_engine_start() -> None:
    measures = [Took(20.0, 100), Took(30.0, 200), Took(0.4, 0)]
    assert hours.seconds(measures, 400) == pytest.approx(50.0)
    assert hours.seconds(measures, 0) == pytest.approx(0.4)
    assert hours.seconds([Took(20.0, 100)], 200) == pytest.approx(40.0)


def test_what_was_never_measured_has_no_time() -> None:
    assert hours.seconds([Took(0.4, 0)], 10) is None


def test_the_schedule_waits_for_what_a_job_needs() -> None:
    spent = {"a": 3.0, "b": 3.0, "c": 1.0, "d": 2.0}
    needs = {"c": ["a"], "d": ["c", "elsewhere"]}
    assert hours.makespan(spent, needs, 1) == 9.0
    assert hours.makespan(spent, needs, 2) == 6.0
    assert hours.makespan({}, {}, 2) == 0.0


def _shown(status: Status) -> str:
    console = Console(width=screen.WIDTH, highlight=False, no_color=True)
    with console.capture() as capture:
        console.print(screen.render(status))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_the_screen_says_why_and_what_it_costs_within_its_width() -> None:
    change = Change("param", "datasets.terse.min_score", "changed", "0.9", "0.8")
    status = Status(
        folder="/runs/tiny",
        all_jobs=31,
        causes=[Cause(change, ["dataset@terse"])],
        plan=[Planned("dataset@terse", {"select": 1, "filter": 1}, 3.0)],
        calls=[Calls("terse", "teacher", calls=0.0, found=40)],
        cores=2,
        seconds=3.0,
        dvc={"dataset@terse": ["datasets.terse"]},
    )
    shown = _shown(status)
    assert "2 of 31 jobs would run" in shown
    assert "datasets.terse.min_score  0.9 → 0.8  dataset@terse" in shown
    assert "0 model calls: every answer is in the ledger" in shown
    assert "snakemake --cores 2   or   dvc repro" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_number_says_how_sure_it_is() -> None:
    exact, expected = Calls("a", "teacher", calls=1234.0), Calls("b", "teacher", calls=99.6)
    expected.expect("by the share accepted so far")
    bound = Calls("c", "student", calls=16.0)
    bound.expect("fewer, if its model comes out the same", at_most=True)
    unknown = Calls("d", "teacher")
    unknown.unknown()
    plan = [Planned("distill@a", {"generate": 1}, None)]
    for calls, number in ((exact, "1,234"), (expected, "≈ 100"), (bound, "≤ 16"), (unknown, "?")):
        calls.lengthen(10.0, 128)
        shown = _shown(Status("/x", 1, plan=plan, calls=[calls]))
        assert f"{calls.role} {calls.model}   {number}   calls" in shown


def test_time_that_was_never_measured_is_not_invented() -> None:
    plan = [Planned("train@base", {"train": 1}, None)]
    assert "time on 1 core: not known" in _shown(Status("/x", 1, plan=plan))
    shown = _shown(Status("/x", 1, plan=plan, seconds=90.0, unmeasured=["train"]))
    assert "without train, never run here" in shown


def test_both_tools_have_a_line_when_nothing_is_stale() -> None:
    shown = _shown(Status("/x", all_jobs=31, dvc={}))
    assert "Nothing is stale: 31 jobs are done" in shown
    assert "Snakemake has nothing to do" in shown
    assert "DVC is up to date" in shown


def test_a_difference_between_the_tools_is_shown_with_its_remedy() -> None:
    text = "workflow/sourcewise/filters"
    shown = _shown(
        Status("/x", dvc={"dataset@a": [text]}, only_dvc=["dataset@a"], cores=2),
    )
    assert f"DVC alone lists dataset@a: {text} changed, but no result depends on how" in shown
    assert "DVC is up to date" not in shown
    plan = [Planned("dataset@a", {"filter": 1}, None)]
    shown = _shown(Status("/x", plan=plan, dvc={}, only_snakemake=["dataset@a"]))
    assert "dvc commit --force dataset@a" in shown


def test_a_folder_that_is_no_working_copy_is_said_to_be_none(tmp_path: Path) -> None:
    result = subprocess.run(
        [ROOT / ".venvs/workflow/bin/sourcewise", "status"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )
    assert result.returncode == 1
    assert "is no working copy: it has no Snakefile" in result.stderr


@dataclass(eq=False)
class _Job:
    """A job as Snakemake shows it: named files and parameters, wildcards, a rule."""

    rule: Any
    wildcards: Any
    input: Any
    output: Any
    params: Any


def _shard_of_rounds(stop_score: float) -> tuple[dict[str, _Job], Reading]:
    """One teacher, one shard of four queries, two rounds, nothing stale yet."""
    teacher = json.dumps(
        {
            "revision": "main",
            "wrap": {"rule": "none"},
            "engine": "server",
            "model": "m",
            "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 100},
        }
    )
    jobs: dict[str, _Job] = {}
    for attempt in ("1", "2"):
        where = Wildcards(teacher="t", shard="s", attempt=attempt)
        folder = f"data/distill/t/round-{attempt}"
        jobs[f"generate {attempt}"] = _Job(
            rule=SimpleNamespace(name="generate"),
            wildcards=where,
            input=SimpleNamespace(queries="data/queries/corpus/s.parquet", model=[]),
            output=SimpleNamespace(responses=f"{folder}/s.responses.parquet"),
            params=SimpleNamespace(
                teacher=teacher,
                seed="7",
                stop_score="null" if attempt == "1" else str(stop_score),
                futility="null",
                ledger="data/distill/t/ledger",
            ),
        )
        jobs[f"verify {attempt}"] = _Job(
            rule=SimpleNamespace(name="verify"),
            wildcards=where,
            input=SimpleNamespace(queries="data/queries/corpus/s.parquet"),
            output=SimpleNamespace(verdicts=f"{folder}/s.verdicts.parquet"),
            params=SimpleNamespace(verifiers=json.dumps(VERIFIERS)),
        )
    found = {(j.rule.name, frozenset(j.wildcards.items())): j for j in jobs.values()}
    producers = {file: j for j in jobs.values() for file in vars(j.output).values()}
    return jobs, Reading(set(), found, producers)


VERIFIERS = {
    "math": {"seconds": 5, "memory_mb": 2048, "max_answer_chars": 2000, "judge": None},
    "code": {"max_tests": 10, "seconds": 5, "memory_mb": 512, "compile_seconds": 30},
    "instruction": {"mode": "strict"},
    "science": None,
    "dialogue": None,
}


class Wildcards(SimpleNamespace):
    """The wildcards of a job, as attributes and as items."""

    def items(self) -> list[tuple[str, str]]:
        """Names and values."""
        return list(vars(self).items())


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four queries, and the verdicts of a first round: 1.0, 0.9, 0.5 and none."""
    monkeypatch.chdir(tmp_path)
    texts = [[Message("user", f"What is {n} + {n}?")] for n in range(4)]
    queries = [Query(query_id(m), "sums", "math", m, "", "CC0-1.0") for m in texts]
    write(Path("data/queries/corpus/s.parquet"), Query, queries)
    ids = [query.query_id for query in queries]
    verdicts = [_verdict(q, 1, s) for q, s in zip(ids, (1.0, 0.9, 0.5, None), strict=True)]
    write(Path("data/distill/t/round-1/s.verdicts.parquet"), Verdict, verdicts)
    return ids


def test_a_round_asks_what_the_verdicts_left_open_and_the_ledger_lacks(corpus: list[str]) -> None:
    jobs, reading = _shard_of_rounds(stop_score=0.95)
    reading.stale = {jobs["generate 2"], jobs["verify 2"]}
    asks = Asks(reading, {})
    (calls, *_) = asks.all()
    assert (calls.calls, calls.exact, calls.found) == (3, True, 0)
    # An answer that the ledger gets is not asked for again.
    teacher = Teacher.model_validate_json(jobs["generate 2"].params.teacher)
    who = identity_of(teacher, weights_of_teacher(teacher))
    drawn = attempt_seed(7, corpus[2], 2)
    record = Record(
        key=attempt_key(who, corpus[2], 2, drawn),
        query_id=corpus[2],
        attempt=2,
        text="1",
        finish_reason="stop",
        n_tokens=1,
        n_prompt_tokens=1,
        seed=drawn,
        engine="server",
        revision="main",
        created="2026-01-01T00:00:00+00:00",
    )
    with Ledger(Path("data/distill/t/ledger")).writer("s") as segment:
        segment.append([record])
    (calls, *_) = Asks(reading, {}).all()
    assert (calls.calls, calls.exact, calls.found) == (2, True, 1)
    assert (calls.tokens, calls.measured) == (200, False)


def test_what_is_given_up_is_not_counted(corpus: list[str]) -> None:
    jobs, reading = _shard_of_rounds(stop_score=0.95)
    reading.stale = {jobs["generate 2"], jobs["verify 2"]}
    # One of four was accepted: at a level of 60 % less than 40 %.
    jobs["generate 2"].params.futility = '{"min_acceptance": 0.4, "confidence": 0.6}'
    (calls, *_) = Asks(reading, {}).all()
    assert (calls.calls, calls.exact) == (0, True)
    jobs["generate 2"].params.futility = '{"min_acceptance": 0.2, "confidence": 0.6}'
    (calls, *_) = Asks(reading, {}).all()
    assert (calls.calls, calls.exact) == (3, True)
    jobs["generate 2"].params.futility = "null"
    table = Path("data/distill/t/round-1/s.verdicts.parquet")
    long = Verdict(corpus[3], 1, "prompt_too_long", None, "", "math", "1")
    write(table, Verdict, [*(_verdict(q, 1, 0.0) for q in corpus[:3]), long])
    measured.column.cache_clear()
    (calls, *_) = Asks(reading, {}).all()
    assert (calls.calls, calls.exact) == (3, True)


def test_a_round_behind_an_unasked_one_counts_by_the_measured_share(corpus: list[str]) -> None:
    jobs, reading = _shard_of_rounds(stop_score=0.95)
    reading.stale = set(jobs.values())
    (calls, *_) = Asks(reading, {}).all()
    # All four anew; one of four reached 0.95 before.
    assert (calls.calls, calls.exact, calls.at_most) == (4 + 3, False, False)


def test_a_lost_verdict_table_is_told_by_whom_the_next_round_asked(corpus: list[str]) -> None:
    jobs, reading = _shard_of_rounds(stop_score=0.9)
    Path("data/distill/t/round-1/s.verdicts.parquet").unlink()
    row = Response(corpus[2], 2, "t", "1", "stop", 1, 1, 0, "server", "main")
    write(Path("data/distill/t/round-2/s.responses.parquet"), Response, [row])
    reading.stale = {jobs["verify 1"], jobs["generate 2"], jobs["verify 2"]}
    (calls, *_) = Asks(reading, {}).all()
    assert (calls.calls, calls.exact) == (1, True)


def test_a_shard_that_is_not_made_yet_holds_what_its_sources_can_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    jobs, reading = _shard_of_rounds(stop_score=0.9)
    reading.stale = set(jobs.values())
    (calls, *_) = Asks(reading, {"s": 10}).all()
    assert (calls.calls, calls.at_most, calls.exact) == (20, True, False)
    (unknown, *_) = Asks(reading, {"s": None}).all()
    assert (unknown.calls, unknown.tokens) == (None, None)
