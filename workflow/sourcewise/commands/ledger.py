"""`sourcewise ledger ls|show|export|stats|check|merge`: what the ledgers hold, and whether they are whole.

Reads while a run writes. Only `merge` writes, into a ledger of its own choice.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import mean, median

from sourcewise import scored
from sourcewise.ledger import SUFFIX, Ledger, Record
from sourcewise.segment import Gap
from sourcewise.tables import write

MERGED_AT_ONCE = 256


def main(arguments: Sequence[str]) -> int:
    """Runs one of the commands; 1 where `check` or `merge` found something wrong, 2 for bad input."""
    command = argparse.ArgumentParser(prog="sourcewise ledger", description=__doc__)
    actions = command.add_subparsers(dest="action", required=True)
    for name, (_, about) in ACTIONS.items():
        action = actions.add_parser(name, help=about, description=about)
        if name == "merge":
            action.add_argument("ledgers", nargs="+", type=Path, metavar="FROM")
            action.add_argument("--into", type=Path, required=True)
            continue
        if name in ("show", "export"):
            action.add_argument("ledger", type=Path)
        else:
            action.add_argument("ledgers", nargs="*", type=Path, help="default: all of this copy")
        if name == "show":
            action.add_argument("what", help="a key or a query_id, or how one begins")
        if name == "export":
            action.add_argument("--out", type=Path, required=True, help=".jsonl or .parquet")
    given = command.parse_args(arguments)
    try:
        ledgers = _ledgers([given.ledger] if "ledger" in given else given.ledgers)
        return ACTIONS[given.action][0](ledgers, given)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"sourcewise ledger: {error}", file=sys.stderr)
        return 2


def _ledgers(given: list[Path]) -> list[Path]:
    found = given or sorted(path for path in Path("data").glob("*/*/ledger") if path.is_dir())
    for path in found:
        if not path.is_dir():
            raise ValueError(f"{path} is no ledger: name a directory of *{SUFFIX} files")
        if not any(path.glob(f"*{SUFFIX}")):
            raise ValueError(f"{path} holds no *{SUFFIX} file: name the directory of a ledger")
    if not found:
        raise ValueError("data/*/*/ledger does not exist here: run first, or name a ledger")
    return found


def _records(ledger: Path) -> Iterator[Record]:
    return (one for _, one in Ledger(ledger).scan() if isinstance(one, Record))


def _counted(ledger: Path) -> Iterator[Record]:
    """Each attempt once, as a run would find it: of several under one key the one that counts."""
    found = Ledger(ledger).get(list(dict.fromkeys(record.key for record in _records(ledger))))
    return (found[key] for key in found)


def _list(ledgers: list[Path], _: argparse.Namespace) -> int:
    rows: list[tuple[str, ...]] = [("segment", "attempts", "queries", "on disk", "text", "made")]
    for ledger in ledgers:
        by_segment: dict[Path, list[tuple[str, int, str]]] = {
            path: [] for path in sorted(ledger.glob(f"*{SUFFIX}"))
        }
        for path, one in Ledger(ledger).scan():
            if isinstance(one, Record):
                by_segment[path].append((one.query_id, len(one.text.encode()), one.created))
        rows += [_segment(path, found) for path, found in by_segment.items()]
    print(_aligned(rows))
    return 0


def _segment(path: Path, found: list[tuple[str, int, str]]) -> tuple[str, ...]:
    made = sorted(created for _, _, created in found)
    between = f"{made[0][:16]} to {made[-1][:16]}" if made else "nothing"
    queries, text = len({query for query, _, _ in found}), sum(size for _, size, _ in found)
    counts = (f"{len(found):,}", f"{queries:,}", _size(path.stat().st_size), _size(text))
    return (str(path), *counts, between)


def _show(ledgers: list[Path], given: argparse.Namespace) -> int:
    n = 0
    for record in _records(ledgers[0]):
        if record.key.startswith(given.what) or record.query_id.startswith(given.what):
            n += 1
            fields = dataclasses.asdict(record)
            text = fields.pop("text")
            print("\n".join(f"{name}: {value}" for name, value in fields.items()))
            print(f"text:\n{text}\n")
    if not n:
        raise ValueError(f"{ledgers[0]} has no key and no query_id that begins with {given.what!r}")
    return 0


def _export(ledgers: list[Path], given: argparse.Namespace) -> int:
    out: Path = given.out
    if out.suffix == ".parquet":
        n = write(out, Record, _counted(ledgers[0]))
    elif out.suffix == ".jsonl":
        n = _write_lines(out, _counted(ledgers[0]))
    else:
        raise ValueError(f"--out {out}: the name must end in .jsonl or .parquet")
    print(f"{out}: {n:,} attempts")
    return 0


def _write_lines(out: Path, records: Iterable[Record]) -> int:
    n, partial = 0, out.with_name(f".{out.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for record in records:
                print(json.dumps(dataclasses.asdict(record), ensure_ascii=False), file=file)
                n += 1
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return n


def _stats(ledgers: list[Path], _: argparse.Namespace) -> int:
    for ledger in ledgers:
        tokens: list[int] = []
        prompts = 0
        counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("attempt", "finish_reason", "engine", "revision")
        }
        for record in _counted(ledger):
            tokens.append(record.n_tokens)
            prompts += record.n_prompt_tokens
            for name, counter in counts.items():
                counter[str(getattr(record, name))] += 1
        size = sum(path.stat().st_size for path in ledger.glob(f"*{SUFFIX}"))
        print(f"{ledger}: {len(tokens):,} attempts, {_size(size)}")
        if tokens:
            print(
                f"  tokens         {sum(tokens):,} completion (mean {mean(tokens):,.1f}, median "
                f"{median(tokens):,.0f}, most {max(tokens):,}), {prompts:,} prompt"
            )
        for name, counter in counts.items():
            shares = ", ".join(f"{value}: {n:,}" for value, n in sorted(counter.items()))
            print(f"  {name:14} {shares}")
    return 0


def _check(ledgers: list[Path], _: argparse.Namespace) -> int:
    return max([_is_wrong(ledger) for ledger in ledgers])


def _is_wrong(ledger: Path) -> bool:
    """Says what is damaged, cut short or answered twice in a ledger, each in one line."""
    n, wrong = 0, 0
    answers: dict[str, tuple[int, Path]] = {}
    for path, one in Ledger(ledger).scan():
        if isinstance(one, Gap):
            what = "a batch cut short by a crash, or being written now" if one.torn else "damaged"
            print(f"{path}: bytes {one.offset} to {one.offset + one.length}: {what}")
            wrong += not one.torn
            continue
        n += 1
        # A digest, because texts would fill the memory.
        answer = hash(one.answer())
        known, first = answers.setdefault(one.key, (answer, path))
        if known != answer:
            print(
                f"{path}: {one.key} holds another answer than in {first}; the one made first counts"
            )
            wrong += 1
    state = f"{wrong} problem{'s' * (wrong > 1)}" if wrong else "whole"
    print(f"{ledger}: {len(answers):,} attempts, {n - len(answers):,} stand there again: {state}")
    return wrong > 0


def _merge(ledgers: list[Path], given: argparse.Namespace) -> int:
    """Brings what another ledger has and ours lacks, scores too; of a conflict, both answers."""
    into: Path = given.into
    held = {(one.key, hash(one.answer())) for one in _records(into)}
    with Ledger(into).writer("merged") as writer:
        for ledger in ledgers:
            new: list[Record] = []
            n = 0
            for record in _records(ledger):
                known = record.key, hash(record.answer())
                if known in held:
                    continue
                held.add(known)
                new.append(record)
                n += 1
                if len(new) == MERGED_AT_ONCE:
                    writer.append(new)
                    new = []
            writer.append(new)
            print(f"{ledger}: {n:,} attempts are new in {into}")
            if n_scores := scored.merge(ledger, into, "merged"):
                print(f"{ledger}: {n_scores:,} perplexities are new in {into}")
    return int(_is_wrong(into))


ACTIONS = {
    "ls": (_list, "segments: attempts, queries, size, when they were made"),
    "show": (_show, "the attempts of a key or a query, text and all"),
    "export": (_export, "all attempts as .jsonl or .parquet, each once"),
    "stats": (_stats, "attempts, tokens, how they ended, by whom"),
    "check": (_check, "reads everything; exits with 1 where something is damaged or in conflict"),
    "merge": (_merge, "adds to --into what the ledgers of other machines have and it lacks"),
}


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 0 < place < len(row) - 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _size(n: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:,.0f} {unit}" if unit == "B" else f"{n:,.1f} {unit}"
        n /= 1024
    return f"{n:,.1f} GiB"
