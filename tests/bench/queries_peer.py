"""What datatrove's n-gram decontamination does in a CPU-second; runs where datatrove is installed.

    python -m venv ENV && ENV/bin/pip install datatrove==0.10.1 spacy fasteners orjson xxhash==3.5.0 pyarrow
    ENV/bin/python tests/bench/queries_peer.py FOLDER      # as `make_corpus.py` wrote it; prints JSON

The filter block is handed documents in memory, one process; neither its start nor reading counts.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.text import ngrams, simplify_text

DOCUMENTS, WORDS = 2000, 13


def texts(path: Path, n: int | None = None) -> list[str]:
    """The first user turn of the first n queries."""
    return [row["messages"][0]["content"] for row in pq.read_table(path).slice(0, n).to_pylist()]


def main(folder: Path) -> None:
    """Prints documents per CPU-second and how many were found."""
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
        documents = [
            Document(text=text, id=str(number))
            for number, text in enumerate(texts(folder / "clean" / "0000.parquet", DOCUMENTS))
        ]
        # The first document makes it load index and tokenizer.
        block.filter(documents[0])
        start = time.process_time()
        found = sum(block.filter(document) is not True for document in documents)
        seconds = time.process_time() - start
    print(json.dumps({"per_cpu_second": len(documents) / seconds, "found": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
