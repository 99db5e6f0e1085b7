"""The trace browser: what its pages show, what hostile text cannot do, and whom its server answers."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import http.client
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from finished_run import Tree, query, reject, response, verdict, write_corpus
from sourcewise.__main__ import main
from sourcewise.tables import (
    Example,
    Kept,
    Perplexity,
    Query,
    Reject,
    Response,
    Selected,
    Verdict,
    write,
)
from sourcewise.view.asking import Tables
from sourcewise.view.serving import Server
from sourcewise.view.site import TRIES, Site

HOSTILE = (
    "</pre><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<a href=\"javascript:document.title='owned'\">x</a>{{ 7 * 7 }}<!--<svg onload=alert(1)>"
)
SUM, HARD, ODD = query("What is 2 plus 2?"), query("Prove it.", "code", "proofs"), query(HOSTILE)
EASY = query("What is nothing plus nothing?")
REMOVED = query("What is 99 plus 1?")
MANY = [query(f"Number {n} of many?", source="many") for n in range(120)]


def _rows(rounds: Path, shard: str, answers: list[Response], verdicts: list[Verdict]) -> None:
    write(rounds / f"{shard}.responses.parquet", Response, answers)
    write(rounds / f"{shard}.verdicts.parquet", Verdict, verdicts)


def _finished(root: Path) -> Path:
    """A copy where `good` solves the sum at its second attempt, and `poor` only what both solve."""
    tree = Tree(root)
    corpus = sorted([SUM, HARD, ODD, EASY, *MANY], key=lambda one: one.query_id)
    write_corpus(tree, corpus, removed=[REMOVED])
    copies = [Reject(SUM.query_id, "copies", "clean", "duplicate", "sums")]
    write(tree.data / "queries/clean/0000.rejects.parquet", Reject, copies)
    (root / "params.yaml").write_text(yaml.safe_dump(tree.sections()))
    good, poor = (tree.data / "distill" / name for name in ("good", "poor"))
    said = "<think>two and two</think><answer>5</answer>"
    _rows(
        good / "round-1",
        "0000",
        [
            response(SUM, 1, "good", said),
            response(ODD, 1, "good", HOSTILE),
            response(EASY, 1, "good"),
        ],
        [verdict(SUM, 1, 0.0), verdict(ODD, 1, None, "no_answer"), verdict(EASY, 1, 1.0)],
    )
    _rows(good / "round-2", "0000", [response(SUM, 2, "good")], [verdict(SUM, 2, 1.0)])
    answers = [response(one, 1, "poor", "no idea") for one in (SUM, HARD, EASY)]
    judged = [verdict(SUM, 1, None, "timeout"), verdict(HARD, 1, None, "truncated")]
    judged.append(verdict(EASY, 1, 0.95))
    _rows(poor / "round-1", "0000", answers, judged)
    scored = [Perplexity(SUM.query_id, 2, "scorer", 2.5, 10)]
    write(good / "perplexity/0000.parquet", Perplexity, scored)
    _datasets(tree)
    tree.json("students/good/training.json", {"student": "good"})
    return root


def _datasets(tree: Tree) -> None:
    good, poor = (tree.data / "datasets" / name for name in ("good", "poor"))
    write(good / "selected.parquet", Selected, [Selected(SUM.query_id, "good", 2, 1.0)])
    example = Example(SUM.query_id, "math", "good", SUM.messages, 12, 2, 1.0, 2.5)
    write(good / "examples.parquet", Example, [example])
    told = Reject(ODD.query_id, "sums", "select", "unverified: no_answer", "good, attempt 1")
    write(good / "select-rejects.parquet", Reject, [told])
    write(good / "rejects.parquet", Reject, [])
    dropped = Reject(SUM.query_id, "sums", "perplexity", "too_surprising", "poor, attempt 1: 9")
    write(poor / "selected.parquet", Selected, [Selected(SUM.query_id, "poor", 1, None)])
    write(poor / "rejects.parquet", Reject, [dropped])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _finished(tmp_path_factory.mktemp("view") / "copy")


@pytest.fixture(scope="module")
def site(finished: Path) -> Site:
    return Site(finished)


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with Server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Seen(html.parser.HTMLParser):
    """Tags with their attributes, and all text outside of the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.tags if tag == "a"]


def _page(site: Site, target: str) -> _Seen:
    answer = site.answer(target)
    assert answer.status == 200, (target, answer.page)
    return _Seen(answer.page)


def _found(site: Site, target: str) -> list[str]:
    links = _page(site, target).links
    return [link.partition("?")[0][len("/query/") :] for link in links if "/query/" in link]


def test_a_trace_shows_every_attempt_with_all_that_was_said_of_it(site: Site) -> None:
    text = _page(site, f"/query/{SUM.query_id}").text
    for part in (
        "What is 2 plus 2?", "shard 0000", "Attempt 1", "two and two", "<answer>5</answer>", "timeout",
        "said 4", "math 1", "score 1", "2.5 (scorer)", "20 , prompt 5", "vllm , revision r1",
    ):  # fmt: skip
        assert part.replace(" ,", ",") in text.replace(" ,", ","), part


def test_a_trace_shows_what_each_dataset_made_of_it_and_who_trained_on_it(site: Site) -> None:
    text = _page(site, f"/query/{SUM.query_id}").text
    assert "an example good, attempt 2, score 1 good" in text
    assert "dropped by a filter perplexity: too surprising (poor, attempt 1: 9) –" in text
    assert "selected, not filtered yet" not in text
    odd = _page(site, f"/query/{ODD.query_id}").text
    assert "not selected unverified: no answer (good, attempt 1)" in odd


def test_a_selected_attempt_is_not_filtered_yet_where_no_filter_ran(tmp_path: Path) -> None:
    copy = _finished(tmp_path)
    (copy / "data/datasets/poor/rejects.parquet").unlink()
    assert "selected, not filtered yet" in _page(Site(copy), f"/query/{SUM.query_id}").text


def test_a_query_that_never_got_in_shows_why_and_what_it_resembles(site: Site) -> None:
    assert REMOVED.query_id in _found(site, "/rejected?by=decontaminate")
    text = _page(site, f"/query/{REMOVED.query_id}").text
    assert "not in the corpus" in text
    assert "decontaminate : embedding" in text
    assert "What is 99 plus one?" in text


def test_rows_that_could_not_be_read_and_copies_are_listed_among_those_turned_away(
    site: Site,
) -> None:
    text = _page(site, "/rejected").text
    assert "malformed row (sums.jsonl:3)" in text
    assert "duplicate (sums)" in text
    assert "Copies that were turned away" in _page(site, f"/query/{SUM.query_id}").text
    assert _found(site, "/rejected?text=99") == [REMOVED.query_id]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("text=PLUS+2", [SUM]),
        ('text="2+plus"', [SUM]),
        ('text="plus+plus"', []),
        (f"text={HARD.query_id}", [HARD]),
        (f"text={HARD.query_id[:9]}", [HARD]),
        ("category=code", [HARD]),
        ("source=proofs", [HARD]),
        ("teacher=good", [SUM, ODD, EASY]),
        ("teacher=poor", [SUM, HARD, EASY]),
        ("status=truncated", [HARD]),
        ("status=timeout&teacher=good", []),
        ("accepted=split", [SUM]),
        ("accepted=some", [SUM, EASY]),
        ("accepted=every", [EASY]),
        ("accepted=every&teacher=good", [SUM, EASY]),
        ("accepted=none", [HARD, ODD]),
        ("accepted=none&category=code", [HARD]),
        ("dataset=good", [SUM]),
        ("dataset=-good&teacher=good", [ODD, EASY]),
    ],
)
def test_a_search_finds(site: Site, conditions: str, expected: list[Query]) -> None:
    assert sorted(_found(site, f"/?{conditions}")) == sorted(one.query_id for one in expected)


def test_an_address_says_the_whole_search_and_links_keep_it(site: Site) -> None:
    page = _page(site, "/?text=2+plus&accepted=split")
    kept = [a["value"] for tag, a in page.tags if tag == "option" and "selected" in a]
    assert kept == ["split"]
    assert [a["value"] for tag, a in page.tags if a.get("name") == "text"] == ["2 plus"]
    trace = _page(site, f"/query/{SUM.query_id}?text=2+plus&accepted=split")
    assert "/?text=2+plus&accepted=split" in trace.links


def test_more_and_next_lead_through_every_query_once(site: Site) -> None:
    seen, target = [], "/?source=many"
    while target:
        page = _page(site, target)
        seen += _found(site, target)
        target = next((link for link in page.links if "after=" in link), "")
    assert sorted(seen) == sorted(one.query_id for one in MANY)
    location = f"/query/{seen[0]}?source=many"
    for expected in seen[1:4]:
        onward = next(link for link in _page(site, location).links if link.startswith("/next"))
        location = site.answer(onward).location
        assert location == f"/query/{expected}?source=many"
    last = next(
        link for link in _page(site, f"/query/{seen[-1]}?source=many").links if "/next" in link
    )
    assert site.answer(last).status == 404


@pytest.mark.parametrize(
    "target",
    [f"/query/{ODD.query_id}", "/?teacher=good", f"/?text={ODD.query_id}", "/rejected?by=<script>"],
)
def test_hostile_text_adds_no_tag_and_no_attribute(site: Site, target: str) -> None:
    page = _page(site, target)
    assert {tag for tag, _ in page.tags} & {"script", "img", "svg", "iframe", "object"} == set()
    assert [name for _, attributes in page.tags for name in attributes if name[:2] == "on"] == []
    assert [link for link in page.links if not re.match(r"/|#", link)] == []
    if target != "/rejected?by=<script>":
        assert "<script>document.title" in page.text
        assert "{{ 7 * 7 }}" in page.text


def test_characters_that_hide_or_reorder_text_are_shown(tmp_path: Path) -> None:
    copy = _finished(tmp_path)
    text = "a\x00b\x1bc\u202ed\u200be\rf"
    rounds = copy / "data/distill/good/round-1"
    _rows(rounds, "0000", [response(SUM, 1, "good", text)], [verdict(SUM, 1, 0.0)])
    page = _page(Site(copy), f"/query/{SUM.query_id}").text
    assert "a␀b␛c[U+202E]d[U+200B]e␍f" in page


def test_the_policy_allows_our_style_sheet_and_nothing_that_runs(server: Server) -> None:
    answered = _asked(server, "/")
    policy = dict(part.strip().split(" ", 1) for part in answered.headers["csp"].split(";"))
    style = re.search(r"<style>(.*?)</style>", answered.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'", "style-src": f"'sha256-{digest}'", "img-src": "data:",
        "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert answered.headers["nosniff"] == "nosniff"


class _Answered:
    def __init__(self, answered: http.client.HTTPResponse) -> None:
        self.status = answered.status
        self.headers = {
            "csp": answered.headers.get("Content-Security-Policy", ""),
            "nosniff": answered.headers.get("X-Content-Type-Options", ""),
        }
        self.body = answered.read().decode()


def _asked(server: Server, target: str, *hosts: str, method: str = "GET") -> _Answered:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, target, skip_host=True)
    for host in hosts or (f"127.0.0.1:{server.server_port}",):
        connection.putheader("Host", host)
    connection.endheaders()
    return _Answered(connection.getresponse())


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (("localhost:8517",), 200),
        (("127.0.0.1",), 200),
        (("evil.example",), 421),
        (("evil.example:8517",), 421),
        (("127.0.0.1.evil.example",), 421),
        (("localhost", "evil.example"), 421),
        (("",), 421),
    ],
)
def test_a_name_that_is_not_ours_gets_no_page(
    server: Server, hosts: tuple[str, ...], status: int
) -> None:
    answered = _asked(server, "/", *hosts)
    assert answered.status == status
    assert ("Number" in answered.body) == (status == 200)


def test_the_server_listens_on_loopback_only(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_the_server(server: Server, method: str) -> None:
    answered = _asked(server, "/", method=method)
    assert answered.status == 501
    assert "default-src 'none'" in answered.headers["csp"]


@pytest.mark.parametrize(("mode", "status"), [("navigate", 200), ("no-cors", 421), ("cors", 421)])
def test_another_site_may_link_here_but_not_make_us_search(
    server: Server, mode: str, status: int
) -> None:
    told = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", "/", headers=told)
    assert connection.getresponse().status == status


@pytest.mark.parametrize(
    "target",
    [
        "/../../etc/passwd",
        "/query/../params.yaml",
        "/query/%2e%2e%2fparams.yaml",
        "/params.yaml",
        "/data/queries/manifest.json",
        f"/query/{SUM.query_id}/../../params.yaml",
        f"/query/{'0' * 32}",
        f"/query/{SUM.query_id.upper()}",
        "//evil.example/",
        "//[",
        "/?teacher=../../etc",
        "/?dataset=../../etc",
        "/?status=unheard_of",
        "/?accepted=x",
        "/?after=../../etc:0",
        "/?after=0000",
        "/?nothing=1",
        f"/?text={'x' * 1001}",
        "/rejected?first=-1",
        "/rejected?file=/etc/passwd",
    ],
)
def test_an_address_that_names_no_page_is_refused(server: Server, target: str) -> None:
    answered = _asked(server, target)
    assert answered.status in (400, 404)
    assert "stop_score" not in answered.body
    assert "root:" not in answered.body
    assert 'role="alert"' in answered.body


def test_questions_reach_no_file_outside_of_the_data(finished: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.parquet"
    write(outside, Kept, [Kept("1", "s")])
    tables = Tables(finished / "data")
    for question in ("SELECT * FROM read_parquet(?)", "SELECT * FROM read_text(?)"):
        with pytest.raises(Exception, match="Permission"):
            tables.ask(question, [str(outside)])
    with pytest.raises(Exception, match="Permission"):
        tables.ask(f"COPY (SELECT 1) TO '{tmp_path / 'written'}'", [])
    with pytest.raises(Exception, match="locked"):
        tables.ask("SET enable_external_access = true", [])


def test_looking_writes_nothing(tmp_path: Path) -> None:
    copy = _finished(tmp_path)

    def state() -> dict[Path, Any]:
        return {path: path.stat().st_mtime_ns for path in copy.rglob("*")}

    before, site = state(), Site(copy)
    for target in ("/", "/rejected", f"/query/{SUM.query_id}", "/?accepted=none", "/?text=x"):
        site.answer(target)
    assert state() == before


@pytest.mark.parametrize(
    "missing",
    [
        "queries/corpus", "queries/collected", "queries/manifest.json", "distill", "distill/poor",
        "distill/good/round-1", "distill/good/round-1/0000.verdicts.parquet",
        "distill/good/round-1/0000.responses.parquet", "distill/good/perplexity", "datasets",
        "datasets/good/examples.parquet", "datasets/good/selected.parquet", "students",
        "../params.yaml",
    ],
)  # fmt: skip
def test_a_half_made_copy_shows_what_is_there(tmp_path: Path, missing: str) -> None:
    copy = _finished(tmp_path)
    gone = copy / "data" / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    site = Site(copy)
    conditions = ["", "accepted=none", "status=timeout", "text=plus", "source=sums"]
    conditions += [
        f"{key}={one}"
        for key, folder in (("teacher", "distill"), ("dataset", "datasets"))
        for one in ("good", "poor")
        if (copy / "data" / folder / one).is_dir()
    ]
    for target in ["/rejected", "/rejected?text=99", *(f"/?{one}" for one in conditions)]:
        _page(site, target)
    for one in (SUM, HARD, REMOVED):
        expected = (200, 404) if missing in ("queries/collected", "queries/corpus") else (200,)
        assert site.answer(f"/query/{one.query_id}").status in expected
    if missing == "distill/good/round-1/0000.verdicts.parquet":
        assert "not judged yet" in _page(site, f"/query/{SUM.query_id}").text


@pytest.mark.parametrize(("times", "status"), [(1, 200), (TRIES - 1, 200), (TRIES, 503)])
def test_tables_that_a_run_replaces_meanwhile_do_not_fail_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, status: int
) -> None:
    copy = _finished(tmp_path)
    path = copy / "data/distill/good/round-2/0000.verdicts.parquet"
    left, ask = [times], Tables.ask

    def ask_meanwhile(
        tables: Tables, question: str, arguments: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        if not left[0] or str(path) not in str(arguments):
            return ask(tables, question, arguments)
        left[0] -= 1
        away = path.rename(path.with_suffix(".away"))
        try:
            return ask(tables, question, arguments)
        finally:
            away.rename(path)

    monkeypatch.setattr(Tables, "ask", ask_meanwhile)
    answer = Site(copy).answer(f"/query/{SUM.query_id}")
    assert answer.status == status
    assert left == [0]
    assert ("0000.verdicts.parquet" in answer.page) == (status == 503)


def test_a_damaged_table_is_named_with_what_to_do(tmp_path: Path) -> None:
    copy = _finished(tmp_path)
    (copy / "data/distill/poor/round-1/0000.verdicts.parquet").write_bytes(b"PAR1 not")
    answer = Site(copy).answer("/?status=timeout")
    assert answer.status == 503
    assert "poor/round-1/0000.verdicts.parquet" in answer.page
    assert "delete it and run again" in answer.page


def test_shards_that_a_manifest_no_longer_names_do_not_count(tmp_path: Path) -> None:
    copy = _finished(tmp_path)
    left = copy / "data/queries/corpus/old-0000.parquet"
    write(left, Query, [query("Left by other parameters")])
    site = Site(copy)
    assert len(_found(site, "/?text=left")) == 1
    tree = Tree(copy)
    tree.json("queries/manifest.json", {"shards": ["0000"], "sources": ["sums"]})
    assert _found(site, "/?text=left") == []
    left = copy / "data/queries/clean/old-0000.rejects.parquet"
    write(left, Reject, [reject(SUM, "clean", "left_over")])
    assert "left over" in _page(site, "/rejected").text
    tree.json("queries/manifest.json", {"shards": ["0000"], "sources": ["sums"]})
    assert "left over" not in _page(site, "/rejected").text


@pytest.mark.parametrize("content", ["", "[]", '{"shards": 5, "attempts": "x"}', "{"])
def test_a_manifest_that_says_nothing_hides_nothing(tmp_path: Path, content: str) -> None:
    copy = _finished(tmp_path)
    for path in ("data/queries/manifest.json", "data/distill/good/manifest.json", "params.yaml"):
        (copy / path).write_text(content)
    text = _page(Site(copy), f"/query/{SUM.query_id}").text
    assert "Attempt 2" in text


def _export(copy: Path, folder: Path, *more: str) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main(["view", str(copy), "--export", str(folder), *more])
    return end.value.code


def test_an_export_works_from_the_disk_and_shows_what_the_server_shows(
    finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "shared"
    assert _export(finished, out, "--sample", "5", "--search", "teacher=good") == 0
    index = (out / "index.html").read_text()
    assert "3 queries, a random sample of those with teacher=good (seed 1)." in _Seen(index).text
    assert sorted(set(_Seen(index).links) - {"#main", "index.html"}) == sorted(
        f"{one.query_id}.html" for one in (SUM, ODD, EASY)
    )
    for path in out.iterdir():
        page = _Seen(path.read_text())
        targets = [link for link in page.links if not link.startswith("#")]
        assert all((out / target).is_file() for target in targets), targets
        policies = [a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert "default-src 'none'" in str(policies[0]["content"])
        assert "script" not in {tag for tag, _ in page.tags}
    assert "two and two" in (out / f"{SUM.query_id}.html").read_text()


def test_a_sample_is_the_same_again_and_another_with_another_seed(
    finished: Path, tmp_path: Path
) -> None:
    names = {}
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert _export(finished, tmp_path / name, "--sample", "20", "--seed", seed) == 0
        names[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert len(names["a"]) == 21
    assert names["a"] == names["b"]
    assert names["a"].keys() != names["c"].keys()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--search", "text=nowhere"], "no query of"),
        (["--search", "teacher=nobody"], "there is no teacher 'nobody' here: good, poor"),
        (["--sample", "0"], "'0' is no number of queries"),
    ],
)
def test_an_export_of_nothing_says_why(
    finished: Path, tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(finished, tmp_path / "out", *more) == 2
    assert said in capsys.readouterr().err


def test_an_export_touches_no_folder_that_holds_something(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert _export(finished, tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_without_data_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["view", str(tmp_path)])
    assert end.value.code == 2
    assert "run snakemake there, or name another copy" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(
    finished: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["view", str(finished), "--port", str(server.server_port)])
    assert end.value.code == 2
    assert "choose another by --port" in capsys.readouterr().err


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
@pytest.mark.parametrize("target", ["", f"query/{ODD.query_id}?open=reasoning", "rejected"])
def test_a_browser_runs_nothing_and_complains_of_nothing(
    server: Server, tmp_path: Path, target: str
) -> None:
    told = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}", "--dump-dom", f"{server.url}{target}",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    page = _Seen(told.stdout)
    assert "Sourcewise traces" in page.text
    assert "owned" not in re.findall(r"<title>(.*?)</title>", told.stdout)
    assert {tag for tag, _ in page.tags} & {"script", "img"} == set()
    assert [line for line in told.stderr.splitlines() if "CONSOLE" in line] == []
