"""Makes a corpus of any size with planted copies of benchmark items, and the key of what was planted where.

    .venvs/model/bin/python tests/bench/make_corpus.py FOLDER [--rows 1890725] [--data ../shared/data]

Writes `FOLDER/raw/PART.jsonl` (prompt, answer; 16,000 a part), `FOLDER/clean/PART.parquet` (Query: the same
without what `clean` has to find), `FOLDER/benchmark.parquet` (Query: GSM8K test, AIME 2024 and 2025) and
`FOLDER/planted.parquet` (query_id, kind, item_id; of a near-duplicate the query that it repeats). A row
has about 100 words: sentences of real questions (GSM8K train, MBPP, IFEval) mixed with sentences from
templates. The same seed gives the same rows, whatever their number: part k depends on k alone.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sourcewise.tables import Message, Query, write
from sourcewise.text import query_id

PART = 16_000
PAPER_ROWS = 1_890_725
# Paper table 1, in rows of the corpus.
CATEGORIES = {"dialogue": 41.8, "math": 29.5, "code": 17.1, "science": 8.4, "instruction": 3.1}
# In how many of 10,000 rows: copies of items, and what `clean` drops, with its reason.
PLANTED = {"exact": 5, "spelled": 5, "part": 5, "changed_numbers": 5}
# Earlier rows of the part with another word, which shares seven of eight runs of 5 words or more.
NEAR = {"near_duplicate": 50}
NEAR_WORDS = 80
DEFECTS = {"duplicate": 100, "url": 30, "table": 20, "odd_characters": 20, "incomplete": 20}
DEFECT_ENDS = {
    "url": " More at https://example.org/problems?id=7.",
    "table": "\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "odd_characters": " Ã©Ã¨Ã¼â€™" * 40,
    "incomplete": " Ada counts them, and",
}
SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
WORD = re.compile(r"\w+")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# fmt: off
NAMES = ["Ada", "Bo", "Chen", "Dana", "Emil", "Farid", "Greta", "Hugo", "Ines", "Jun", "Kofi", "Lea", "Mila"]
NOUNS = [
    "bridge", "garden", "engine", "library", "market", "river", "window", "teacher", "violin", "harbour",
    "forest", "ladder", "magnet", "planet", "kettle", "pencil", "tunnel", "valley", "circle", "matrix",
    "string", "server", "packet", "enzyme", "crystal", "orbit", "glacier", "lantern",
]
VERBS = ["builds", "carries", "counts", "draws", "finds", "keeps", "measures", "moves", "paints", "weighs"]
HOW = ["slowly", "early", "twice", "at night", "by hand", "without help", "every week", "in silence"]
# fmt: on


def items(data: Path) -> list[Query]:
    """The benchmark's items."""
    found = [(row["question"], "gsm8k_test") for row in _rows(data / "gsm8k/test.jsonl")] + [
        (row.get("problem") or row["question"], name)
        for name in ("aime24", "aime25")
        for row in _rows(data / name / "nemo_skills.jsonl")
    ]
    return [_query(text, source, "math") for text, source in found]


def training_questions(data: Path) -> list[str]:
    """GSM8K's, which are of the same kind as the benchmark's."""
    return [row["question"] for row in _rows(data / "gsm8k/train.jsonl")]


def sentences(data: Path) -> list[str]:
    """Sentences of real questions that are in no benchmark."""
    texts = training_questions(data)
    texts += [row["text"] for row in _rows(data / "mbpp/mbpp.jsonl")]
    texts += [row["prompt"] for row in _rows(data / "ifeval/input_data.jsonl")]
    parts = {part.strip() for text in texts for part in SENTENCE.findall(text)}
    return sorted(part for part in parts if part and "www" not in part and "\\" not in part)


def part(
    number: int, *, rows: int, seed: int, folder: Path, data: Path
) -> list[tuple[str, str, str]]:
    """Writes one part and returns what was planted in it: query_id, kind, item_id ("" for a defect)."""
    draw = random.Random(f"{seed}/{number}")
    real, sought = sentences(data), items(data)
    odds = PLANTED | NEAR | DEFECTS
    kinds = draw.choices(["", *odds], [10_000 - sum(odds.values()), *odds.values()], k=rows)
    categories = draw.choices(list(CATEGORIES), list(CATEGORIES.values()), k=rows)
    made: list[Query] = []
    long: list[Query] = []
    planted = []
    path = folder / "raw" / f"{number:04}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lines:
        for place, (kind, category) in enumerate(zip(kinds, categories, strict=True)):
            text, item_id = _text(draw, real, 7, f"{number * PART + place}"), ""
            if not long and kind in (*NEAR, "duplicate"):
                kind = ""  # There is nothing to repeat yet.
            if kind in PLANTED:
                item = draw.choice(sought)
                text = KINDS[kind](draw, item.messages[0].content, partial(_text, draw, real))
                item_id = item.query_id
            elif kind in NEAR:
                other = draw.choice(long)
                text, item_id = _near(draw, other.messages[0].content), other.query_id
            elif kind == "duplicate":
                text = draw.choice(made).messages[0].content.replace(" ", "  ")
            elif kind:
                text += DEFECT_ENDS[kind]
            query = _query(text, "made", category)
            lines.write(json.dumps({"prompt": text, "answer": "42"}) + "\n")
            if kind:
                planted.append((query.query_id, kind, item_id))
            if kind not in DEFECTS:
                made.append(query)
            if not kind and len(WORD.findall(text)) >= NEAR_WORDS:
                long.append(query)
    write(folder / "clean" / f"{number:04}.parquet", Query, made)
    return planted


def _text(draw: random.Random, real: list[str], n: int, mark: str = "") -> str:
    parts = [draw.choice(real) if draw.random() < 0.5 else _sentence(draw) for _ in range(n)]
    return " ".join([*parts, f"Case {mark}." if mark else ""]).strip()


def _sentence(draw: random.Random) -> str:
    name, noun, other, verb = (draw.choice(words) for words in (NAMES, NOUNS, NOUNS, VERBS))
    return (
        f"{name} {verb} {draw.randint(2, 999)} {noun}s near the {draw.choice(NOUNS)} of {draw.choice(NAMES)} "
        f"{draw.choice(HOW)} and never forgets the {other}."
    )


def _near(draw: random.Random, text: str) -> str:
    """The text with one word replaced, in another case half of the time."""
    words = text.split()
    place = draw.randrange(len(words))
    words[place] = draw.choice([noun for noun in NOUNS if noun != words[place].lower()])
    return draw.choice([str.upper, str])(" ".join(words))


def _exact(draw: random.Random, item: str, text: Callable[[int], str]) -> str:
    return draw.choice([item, f"{text(1)} {item}", f"{item} {text(1)}"])


def _spelled(draw: random.Random, item: str, text: Callable[[int], str]) -> str:
    """The item in another case, layout and spelling of mathematics."""
    item = (
        item.replace("\\frac", "\\dfrac")
        .replace("$\\", "\\")
        .replace("\\left", "")
        .replace("\\right", "")
    )
    item = re.sub(r"(?<=\d),(?=\d{3}\b)", draw.choice(["", "{,}"]), item)
    words = draw.choice([item.upper(), item.lower(), item]).split()
    return draw.choice(["  ", "\n", " \t"]).join(words)


def _part(draw: random.Random, item: str, text: Callable[[int], str]) -> str:
    """Seven tenths of the item's words with other sentences around them.

    A formula counts by its words: between blanks it is one piece, and seven tenths of the pieces can be
    half of what is asked.
    """
    words = list(WORD.finditer(item))
    n = max(min(len(words), 22), round(0.7 * len(words)))
    start = draw.randint(0, len(words) - n)
    part = item[words[start].start() : words[start + n - 1].end()]
    return f"{text(1)} {part} {text(1)}"


def _changed(draw: random.Random, item: str, text: Callable[[int], str]) -> str:
    """The item with other numbers; one without any stays as it is."""
    return NUMBER.sub(
        lambda _: str(draw.choice([draw.randint(2, 99), draw.randint(100, 99_999)])), item
    )


KINDS = {"exact": _exact, "spelled": _spelled, "part": _part, "changed_numbers": _changed}


def _query(text: str, source: str, category: str) -> Query:
    messages = [Message("user", text)]
    return Query(query_id(messages), source, category, messages, "", "CC0-1.0")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open() as lines:
        yield from map(json.loads, lines)


def copies(n: int, *, seed: int, data: Path) -> list[str]:
    """Copies of items, as many of each planted kind."""
    draw = random.Random(f"{seed}/copies")
    text, sought = partial(_text, draw, sentences(data)), items(data)
    kinds = [KINDS[kind] for kind in PLANTED for _ in range(n // len(PLANTED))]
    return [change(draw, draw.choice(sought).messages[0].content, text) for change in kinds]


def make(folder: Path, *, rows: int, data: Path, seed: int = 7) -> None:
    """Writes the corpus, the benchmark and the key."""
    sizes = [min(PART, rows - start) for start in range(0, rows, PART)]
    work = partial(part, seed=seed, folder=folder, data=data)
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(work, number, rows=size) for number, size in enumerate(sizes)]
        planted = [row for job in jobs for row in job.result()]
    write(folder / "benchmark.parquet", Query, items(data))
    names = ("query_id", "kind", "item_id")
    columns = dict(zip(names, map(list, zip(*planted, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "planted.parquet")


def main() -> None:
    """The command of the module's docstring."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("folder", type=Path)
    command.add_argument("--rows", type=int, default=PAPER_ROWS)
    command.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = command.parse_args()
    make(options.folder, rows=options.rows, data=options.data)


if __name__ == "__main__":
    main()
