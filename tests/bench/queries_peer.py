"""What datatrove does in a CPU-second beside our clean, near_duplicates and decontaminate.

    python -m venv ENV && ENV/bin/pip install datatrove==0.10.1 spacy tokenizers fasteners orjson \
        xxhash==3.5.0 pyarrow
    ENV/bin/python tests/bench/queries_peer.py FOLDER      # as `make_corpus.py` wrote it; prints JSON

The blocks are handed documents in memory, one process; neither its start, nor reading, nor writing what
stays counts. Blocks of deduplication write their signatures, as they are made to.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.dedup.exact_dedup import (
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
)
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, RegexFilter
from datatrove.utils.text import ngrams, simplify_text

DOCUMENTS, WORDS = 2000, 13
URL = r"(?i)\b(?:https?|ftp)://\S+|\bwww\.[a-z0-9-]+\.[a-z]{2,}\S*"
TABLE = r"(?m)^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t\r]*$"


def documents(texts: list[str]) -> list[Document]:
    """Fresh documents, since blocks write into them."""
    return [Document(text=text, id=str(number)) for number, text in enumerate(texts)]


def texts(path: Path, n: int | None = None) -> list[str]:
    """The first user turn of the first n queries."""
    return [row["messages"][0]["content"] for row in pq.read_table(path).slice(0, n).to_pylist()]


def rate(work: Callable[[list[Document]], int], given: list[str]) -> dict[str, float]:
    """Documents per CPU-second, and how many of them the work finds."""
    own = documents(given)
    start = time.process_time()
    found = work(own)
    return {"per_cpu_second": len(own) / (time.process_time() - start), "found": found}


def clean(own: list[Document]) -> int:
    """URL and table by pattern, signs and ends by Gopher's and FineWeb's rules, and exact duplicates."""
    return _filtered(own, GopherQualityFilter(min_doc_words=1), FineWebQualityFilter())


def patterns(own: list[Document]) -> int:
    """URL and table by pattern, and exact duplicates: a part of what `clean` does."""
    return _filtered(own)


def _filtered(own: list[Document], *rules: PipelineStep) -> int:
    given = iter(own)
    for block in (RegexFilter(URL), RegexFilter(TABLE), *rules):
        given = block.run(given)
    rest = list(given)
    with tempfile.TemporaryDirectory() as folder:
        config = ExactDedupConfig(content_getter=_content)
        ExactDedupSignature(f"{folder}/a", config).run(iter(rest))
        ExactFindDedups(f"{folder}/a", f"{folder}/b", config).run()
        stays = list(ExactDedupFilter(f"{folder}/b", config).run(iter(rest)))
    return len(own) - len(stays)


def _content(document: Document) -> str:
    return " ".join(document.text.split())


def near_duplicates(own: list[Document]) -> int:
    """The four steps of MinHash with the usual 14 buckets of 8 hashes over runs of 5 words."""
    config = MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        a, b, c = (f"{folder}/{name}" for name in "abc")
        MinhashDedupSignature(a, config).run(iter(own))
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(a, b, config=config).run(rank=bucket, world_size=config.num_buckets)
        MinhashDedupCluster(b, c, config).run()
        stays = list(MinhashDedupFilter(c).run(iter(own)))
    return len(own) - len(stays)


def decontaminate(folder: Path, given: list[str]) -> dict[str, float]:
    """The 13-gram filter with an index of the benchmark's items."""
    config = NGramsDecontConfig(n_grams=WORDS, find_query_ngrams=True)
    with tempfile.TemporaryDirectory() as index:
        block = NGramsDecontFilter(index, config)
        hashes = {
            block.hash_func(" ".join(run))
            for text in texts(folder / "benchmark.parquet")
            for run in ngrams(
                block.tokenizer.word_tokenize(simplify_text(text, config.norm_config)), WORDS
            )
        }
        array = np.array(sorted(hashes), dtype=config.hash_config.np_descr)
        array.tofile(Path(index) / "items.index.hashes")
        # The first document makes it load index and tokenizer.
        block.filter(documents(given[:1])[0])
        return rate(lambda own: sum(block.filter(one) is not True for one in own), given)


def main(folder: Path) -> None:
    """Prints what each block does in a CPU-second."""
    raw = [json.loads(line)["prompt"] for line in (folder / "raw/0000.jsonl").open()]
    distinct = texts(folder / "clean/0000.parquet")
    found = {"decontaminate": decontaminate(folder, distinct[:DOCUMENTS])}
    for name, work, given in (
        ("clean", clean, raw),
        ("patterns", patterns, raw),
        ("near_duplicates", near_duplicates, distinct),
    ):
        # A first few documents make the blocks load their tokenizers.
        work(documents(given[:20]))
        found[name] = rate(work, given)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
