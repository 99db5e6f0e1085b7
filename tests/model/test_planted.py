"""Copies of benchmark items in a made corpus: what each layer finds, and what it takes along."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from sourcewise.params.overlap import Overlap
from sourcewise.params.queries import Decontaminate
from sourcewise.stages import decontaminate
from sourcewise.tables import Contamination, Query, read, write

BENCH = Path(__file__).resolve().parents[1] / "bench"
DATA = Path("../shared/data")
RUNS = Overlap(n=13, share=0.6)
LAYERS = Decontaminate(exact=True, ngram=RUNS, changed_numbers=RUNS, embedding=None)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA}")
def test_planted_copies_are_found_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    made = importlib.import_module("make_corpus")
    monkeypatch.setattr(made, "PLANTED", dict.fromkeys(made.PLANTED, 250))
    planted = made.part(0, rows=4000, seed=11, folder=tmp_path, data=DATA)
    write(tmp_path / "items.parquet", Query, made.items(DATA))
    decontaminate.run(
        queries=tmp_path / "clean/0000.parquet",
        dropped=(),
        benchmarks=(tmp_path / "items.parquet",),
        decontaminate=LAYERS,
        out=tmp_path / "out.parquet",
        rejects=tmp_path / "rejects.parquet",
        evidence=tmp_path / "evidence.parquet",
    )
    found = {one.query_id: one for one in read(tmp_path / "evidence.parquet", Contamination)}
    for kind, least in {"exact": 1, "spelled": 0.99, "part": 0.99, "changed_numbers": 0.95}.items():
        of_kind = [(query, item) for query, planted_as, item in planted if planted_as == kind]
        assert len(of_kind) > 50
        recall = sum(query in found for query, _ in of_kind) / len(of_kind)
        assert recall >= least, kind
    assert found.keys() <= {query for query, kind, _ in planted if kind in made.PLANTED}
