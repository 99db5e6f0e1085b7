"""Which address shows what; knows nothing of sockets, so that a test or an export can ask it, too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl, urlsplit

from sourcewise.params.queries import Category
from sourcewise.view import marking, pages, refusing, sampling, searches, searching, tracing
from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue, catalogue
from sourcewise.view.pages import Links

# A table may be replaced between its listing and its reading; then it is listed again.
TRIES = 5
REMEDY = "If a run is writing it, load this page again; if not, the file is damaged: delete it and run again."


@dataclass(frozen=True)
class Answer:
    """What a browser gets: an HTML page, or another address to ask."""

    status: int
    page: str = ""
    location: str = ""


class Site:
    """The pages of one working copy. Paths come from the listing of the copy, never from an address."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.tables = Tables(self.root / "data")

    @property
    def copy(self) -> str:
        """How pages name the working copy."""
        return self.root.name

    def answer(self, target: str) -> Answer:
        """The page at an address; a page that says what is wrong where there is none."""
        import duckdb

        for attempt in range(TRIES):
            try:
                address = urlsplit(target)
                given = dict(parse_qsl(address.query, keep_blank_values=True))
                return self._page(address.path, given)
            except ValueError as error:
                return self._problem(400, "This cannot be shown", str(error))
            except (OSError, duckdb.Error) as error:
                if attempt == TRIES - 1:
                    said = str(error).partition("\n")[0]
                    return self._problem(503, "A table cannot be read", f"{said}. {REMEDY}")
        raise AssertionError("a loop that always returns")

    def _page(self, path: str, given: dict[str, str]) -> Answer:
        held = catalogue(self.root)
        if path == "/":
            return Answer(200, self._results(held, given))
        if path == "/rejected":
            return Answer(200, self._rejected(held, given))
        if named := re.fullmatch(r"/query/([0-9a-f]{32})", path):
            return self._trace(held, named[1], given)
        if path == "/benchmarks":
            return Answer(200, self._benchmarks(held, given))
        if path == "/next":
            return self._next(held, given)
        return self._problem(
            404, "There is no such page", "Pages are /, /rejected, /benchmarks and /query/ID."
        )

    def _results(self, held: Catalogue, given: dict[str, str]) -> str:
        wanted = searches.parsed(given, held)
        found = searching.search(self.tables, held, wanted)
        marked = marking.marked(self.tables, held, found)
        links = Links(wanted.conditions())
        return pages.results(held, wanted, marked, links, self.copy, categories=get_args(Category))

    def _rejected(self, held: Catalogue, given: dict[str, str]) -> str:
        wanted = refusing.parsed(given)
        found = refusing.refused(self.tables, held, wanted)
        counts = refusing.counts(self.tables, held)
        return pages.rejected(held, wanted, found, counts, Links({}), self.copy)

    def _benchmarks(self, held: Catalogue, given: dict[str, str]) -> str:
        known = {one.name: one for one in held.benchmarks}
        name, first = given.get("name", ""), given.get("first", "0")
        if name and name not in known:
            raise ValueError(
                f"there is no benchmark {name!r} here: {', '.join(known) or 'none yet'}"
            )
        if set(given) - {"name", "first"} or not first.isdecimal() or len(first) > 9:
            raise ValueError("a page of a benchmark is /benchmarks?name=NAME&first=NUMBER")
        chosen = known.get(name)
        found = sampling.questions(self.tables, chosen, int(first)) if chosen else []
        return pages.benchmarks(held, chosen, found, int(first), Links({}), self.copy)

    def _trace(self, held: Catalogue, query_id: str, given: dict[str, str]) -> Answer:
        unfolded = given.pop("open", "") == "reasoning"
        shown = "all" if given.pop("samples", "") == "all" else ""
        wanted = searches.parsed(given, held)
        most = None if shown else pages.FIRST_SAMPLES
        found = tracing.trace(self.tables, held, query_id, most=most)
        if found is None:
            return self._problem(404, "There is no such query", f"No table here has {query_id}.")
        links = Links(wanted.conditions())
        onward = links.onward(f"{found.shard}:{query_id}") if found.shard else ""
        page = pages.traced(
            held, found, links, self.copy, onward=onward, unfolded=unfolded, shown=shown
        )
        return Answer(200, page)

    def _next(self, held: Catalogue, given: dict[str, str]) -> Answer:
        """The query behind the one that was looked at: searched for when somebody wants to go there."""
        wanted = searches.parsed(given, held)
        links = Links(wanted.conditions())
        found = searching.search(self.tables, held, wanted, most=1)
        if not found:
            return self._problem(404, "That was the last query", "No further query is like that.")
        return Answer(302, location=links.query(found[0].query_id))

    def _problem(self, status: int, title: str, said: str) -> Answer:
        return Answer(status, pages.problem(title, said, self.copy))
