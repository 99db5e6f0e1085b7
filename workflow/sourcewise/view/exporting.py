"""A sample of queries as plain files for sharing: a folder of pages that works from the disk."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from sourcewise.view import marking, pages, searches, searching, tracing
from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue, catalogue
from sourcewise.view.pages import Files
from sourcewise.view.searches import Search
from sourcewise.view.searching import Found


def export(root: Path, folder: Path, *, sample: int, seed: int, conditions: dict[str, str]) -> int:
    """Writes index.html and a page for each query of a random sample; returns how many there are.

    The same copy, conditions and seed give the same sample. Raises ValueError where nothing is like the
    conditions, or the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: name a new folder, or empty it")
    root = root.resolve()
    held, tables = catalogue(root), Tables(root / "data")
    wanted = searches.parsed(conditions, held)
    sampled = searching.sample(tables, held, wanted, n=sample, seed=seed)
    if not sampled:
        raise ValueError(f"no query of {root} is like {conditions or 'that: there are none yet'}")
    folder.mkdir(parents=True, exist_ok=True)
    links, copy = Files(), root.name
    for one, following in zip(sampled, [*sampled[1:], None], strict=True):
        onward = links.query(following.query_id) if following else ""
        _write(folder / f"{one.query_id}.html", _page(tables, held, one, onward, copy))
    marked = marking.marked(tables, held, sampled)
    those = f" of those with {urlencode(wanted.conditions())}" if wanted.conditions() else ""
    summary = f"{len(sampled):,} queries, a random sample{those} (seed {seed})."
    index = pages.results(held, Search(), marked, links, copy, summary=summary)
    _write(folder / "index.html", index)
    return len(sampled)


def _page(tables: Tables, held: Catalogue, one: Found, onward: str, copy: str) -> str:
    found = tracing.trace(tables, held, one.query_id)
    if found is None:
        raise ValueError(f"{one.query_id} is gone: wait for the run to end, and export again")
    return pages.traced(held, found, Files(), copy, onward=onward)


def _write(path: Path, page: str) -> None:
    path.write_text(page, encoding="utf-8")
