"""Two released sets from their files to verdicts, through the stages: what both solve is a parallel set."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from sourcewise.corpus.released import released
from sourcewise.params.distill import (
    CodeVerifier,
    InstructionVerifier,
    MathVerifier,
    Teacher,
    Verifiers,
)
from sourcewise.params.queries import Clean, Questions
from sourcewise.stages import clean, collect, generate, verify
from sourcewise.tables import Query, Reject, Response, Verdict, read

TESTS = {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 2"]}
NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
ADD_ONE = "```python\ndef f(x): return x + 1\n```"
# Per file: question, what the human turn says about it, and the answer that is right. The rows of a file
# do not share one schema; those without an answer have nothing that they could be judged against.
FILES: dict[str, list[tuple[str, dict[str, Any], str | None]]] = {
    "math": [
        ("What is 2 + 2?", {"category": "math", "ground_truth": "4", "test_case": None}, "4"),
        ("What is 3 + 4?", {"ground_truth": 7}, "7"),
        ("What is 5 + 6?", {"ground_truth": "11"}, "11"),
        ("What is 8 + 9?", {"ground_truth": "17"}, "17"),
        ("What is unknown?", {"ground_truth": None}, None),
        ("What is missing?", {"source": "a"}, None),
    ],
    "code": [
        ("Write f that adds one.", {"test_case": json.dumps(TESTS)}, ADD_ONE),
        ("Write g that adds two.", {"test_case": None, "ground_truth": None}, None),
    ],
    "if": [
        ("Greet me without commas.", {"instruction_constrain": NO_COMMA}, "Hello there"),
        ("Greet me anyhow.", {"instruction_constrain": ["punctuation:no_comma"]}, None),
    ],
}
SOURCES = {
    "math": ("math", "ground_truth", "answer"),
    "code": ("code", "test_case", "tests"),
    "if": ("instruction", "instruction_constrain", "ifeval"),
}
CLEAN = Clean(
    min_chars=1,
    max_chars=1000,
    max_odd_character_ratio=0.5,
    drop_incomplete=False,
    drop_urls=False,
    drop_tables=False,
    drop_bad_references=True,
)
VERIFIERS = Verifiers(
    math=MathVerifier(seconds=5, memory_mb=1024, max_answer_chars=500, judge=None),
    code=CodeVerifier(max_tests=10, seconds=2, memory_mb=512, compile_seconds=30),
    instruction=InstructionVerifier(mode="strict"),
    science=None,
    dialogue=None,
)
WRONG, MISSING = "What is 3 + 4?", "What is 5 + 6?"


def _release(folder: Path, seed: int, **said: str | None) -> Path:
    """Writes a set's files, each in an order of its own; `said` answers questions in another way."""
    folder.mkdir()
    for kind, rows in FILES.items():
        lines = []
        for question, about, answer in rows:
            given = said.get(question, answer or "No idea")
            text = (
                None if given is None else f"<think>{folder.name}</think><answer>{given}</answer>"
            )
            turns = [
                {"from": "human", "value": question, "info": about},
                {"from": "assistant", "value": text, "info": {"verify_score": 1.0, "ppl": 2.1}},
            ]
            lines.append(json.dumps({"system": None, "conversations": turns}) + "\n")
        random.Random(f"{seed}/{kind}").shuffle(lines)
        (folder / f"{kind}.jsonl").write_text("".join(lines))
    return folder


def _corpus(folder: Path, release: Path) -> tuple[Path, list[Reject]]:
    """The shard of queries that a set's own files are, and what was refused on the way."""
    collected, rejects = [], []
    for kind, (category, column, form) in SOURCES.items():
        columns = {
            "messages": "conversations",
            "reference": f"conversations.0.info.{column}",
            "reference_format": form,
        }
        origin = {"category": category, "licence": "research", "columns": columns}
        origin["files"] = [str(release / f"{kind}.jsonl")]
        out, refused = folder / f"{kind}.parquet", folder / f"{kind}.rejects.parquet"
        collect.run(
            name=kind,
            origin=Questions.model_validate_json(json.dumps(origin)),
            seed=7,
            planted=(),
            out=out,
            rejects=refused,
        )
        collected.append(out)
        rejects += read(refused, Reject)
    shard = folder / "0000.parquet"
    clean.run(
        collected=tuple(collected),
        before=(),
        number=0,
        shards=1,
        clean=CLEAN,
        judged=False,
        out=shard,
        kept=folder / "kept.parquet",
        rejects=folder / "rejects.parquet",
    )
    return shard, rejects


def _teacher(release: Path) -> Teacher:
    given = {
        "files": [str(release / f"{kind}.jsonl") for kind in FILES],
        "messages": "conversations",
        "published": "conversations.-1.info.verify_score",
        "attempts": 1,
    }
    teacher = {"revision": "released", "wrap": {"rule": "none"}, "import": given}
    return Teacher.model_validate_json(json.dumps(teacher))


def _verdicts(folder: Path, teacher: Teacher, name: str, shard: Path) -> list[Verdict]:
    table, out = folder / f"{name}.responses.parquet", folder / f"{name}.verdicts.parquet"
    generate.run(
        name=name,
        teacher=teacher,
        seed=7,
        attempt=1,
        stop_score=None,
        futility=None,
        queries=shard,
        verdicts=(),
        ledger=folder / f"{name}.ledger",
        out=table,
    )
    # A response missing in the release is an attempt as well.
    assert [one.query_id for one in read(table, Response)] == [
        q.query_id for q in read(shard, Query)
    ]
    verify.run(queries=shard, responses=table, verifiers=VERIFIERS, out=out)
    return list(read(out, Verdict))


def test_what_two_released_sets_both_solve_is_a_parallel_set(tmp_path: Path) -> None:
    releases = {
        "am": _release(tmp_path / "am", 1, **{WRONG: "8"}),
        "qwen3": _release(tmp_path / "qwen3", 2, **{MISSING: None}),
    }
    shard, rejects = _corpus(tmp_path, releases["am"])
    asked = {query.query_id: query.messages[0].content for query in read(shard, Query)}
    answerable = {question for rows in FILES.values() for question, _, answer in rows if answer}
    assert set(asked.values()) == answerable
    unanswerable = sum(answer is None for rows in FILES.values() for *_, answer in rows)
    assert [one.reason for one in rejects] == ["malformed_row"] * unanswerable

    solved, beside = {}, {}
    for name, release in releases.items():
        teacher = _teacher(release)
        verdicts = _verdicts(tmp_path, teacher, name, shard)
        solved[name] = {asked[one.query_id] for one in verdicts if one.score == 1.0}
        assert teacher.imported is not None
        published = {
            (one.query_id, one.attempt): one.published for one in released(teacher.imported)
        }
        beside[name] = {
            asked[one.query_id]: (published[one.query_id, one.attempt], one.score)
            for one in verdicts
        }
    assert solved == {"am": answerable - {WRONG}, "qwen3": answerable - {MISSING}}
    # The publisher accepted all of them; its score stays beside ours.
    assert {theirs for rows in beside.values() for theirs, _ in rows.values()} == {1.0}
    assert beside["am"][WRONG] == (1.0, 0.0)
    assert beside["qwen3"][MISSING] == (1.0, None)


@pytest.mark.parametrize("category", ["math", "code", "instruction"])
def test_a_missing_response_is_accepted_by_no_verifier(tmp_path: Path, category: str) -> None:
    kind = next(kind for kind, (name, *_) in SOURCES.items() if name == category)
    said = {question: None for question, _, answer in FILES[kind] if answer}
    shard, _ = _corpus(tmp_path, _release(tmp_path / "am", 1))
    silent = _teacher(_release(tmp_path / "silent", 2, **said))
    categories = {query.query_id: query.category for query in read(shard, Query)}
    mine = [
        one
        for one in _verdicts(tmp_path, silent, "silent", shard)
        if categories[one.query_id] == category
    ]
    assert len(mine) == len(said)
    assert not any(one.score for one in mine)
