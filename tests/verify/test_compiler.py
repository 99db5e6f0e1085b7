"""C++ is compiled once, inside the sandbox, and what was built is checked before it runs."""

import contextlib
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rows import DATA, attempt

from sourcewise.corpus.references import FORMATS
from sourcewise.grading import sandbox
from sourcewise.grading.sandbox import cache, command, compiler
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import code

KNOBS = CodeVerifier(max_tests=10, seconds=1, memory_mb=256, compile_seconds=10)
SUM = {
    "call_type": "std",
    "inputs": ["1 2\n", "5 5\n"],
    "outputs": ["3\n", "10"],
    "language": "cpp",
}
ADDS = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"
DECLARED = "#include <vector>\nusing namespace std;\nint largest(vector<int> numbers){"
TEST = """#undef NDEBUG
#include<assert.h>
bool near(int a, int b){ return a - b < 1 && b - a < 1; }
int main(){
    assert (largest({1, 7, 3}) == 7);
    for (int i=0;i<3;i++) assert (near(largest({i, 2}), 2));
    assert (largest({-5, -9}) == -5);
}"""
LARGEST = {"call_type": "replay", "language": "cpp", "prelude": DECLARED, "test": TEST}
LIMITS = sandbox.Limits(1, 256)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that the sandbox's user may enter, as tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="sourcewise-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def folder() -> Iterator[Path]:
    """A cache of this module's own."""
    with _folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCEWISE_CACHE", str(folder))
        yield folder


def _verdict(reference: object, program: str, fence: str = "cpp") -> Verdict:
    [verdict] = code.score([attempt("code", reference, f"```{fence}\n{program}\n```")], knobs=KNOBS)
    return verdict


@pytest.mark.parametrize("fence", ["cpp", "c++", "cc"])
def test_a_program_is_compiled_and_reads_its_inputs(fence: str) -> None:
    assert _verdict(SUM, ADDS, fence).score == 1.0


def test_a_program_in_another_language_is_no_answer() -> None:
    assert _verdict(SUM, "print(sum(map(int, input().split())))", "python").status == "no_answer"


def test_an_error_of_the_compiler_is_a_failed_program_and_is_shown() -> None:
    verdict = _verdict(SUM, "#include <bits/stdc++.h>\nint main() { return unknown; }")
    assert (verdict.status, verdict.score) == ("scored", 0.0)
    assert verdict.detail == "does not compile: 'unknown' was not declared in this scope"


def test_names_of_the_whole_library_do_not_clash_with_a_program_that_did_not_ask_for_them() -> None:
    program = "#include <iostream>\nint y1 = 3, index;\n" + ADDS.partition("\n")[2]
    assert _verdict(SUM, program).score == 1.0


def test_a_function_is_called_with_values_and_the_test_judges_what_comes_back() -> None:
    good = "int largest(const vector<int>& all) { return *max_element(all.begin(), all.end()); }"
    verdict = _verdict(LARGEST, f"#include <bits/stdc++.h>\nusing namespace std;\n{good}")
    assert (verdict.score, verdict.detail) == (1.0, "5 of 5 tests passed")
    verdict = _verdict(LARGEST, "int largest(vector<int> all) { return all[1]; }")
    assert (verdict.score, verdict.detail) == (0.8, "4 of 5 tests passed; check 5 is not met")


def test_a_function_that_throws_or_ends_fails_only_what_it_does_not_answer() -> None:
    body = "if (all[0] < 0) throw 1; return all[0] > all[1] ? all[0] : all[1];"
    assert _verdict(LARGEST, f"int largest(vector<int> all) {{ {body} }}").score == 0.8
    body = body.replace("throw 1", "_Exit(0)")
    assert _verdict(LARGEST, f"int largest(vector<int> all) {{ {body} }}").score == 0.8


@pytest.mark.parametrize(
    ("declared", "test", "problem"),
    [
        ("nothing", TEST, "does not end with the head of a function"),
        (DECLARED, "int main(){ assert (smallest({1}) == 1); }", "does not compile: 'smallest'"),
        (DECLARED, "int main(){ }", "checks nothing"),
        (DECLARED, "int main(){ assert (true); abort(); }", "checks nothing"),
    ],
)
def test_a_test_that_does_not_run_is_a_bad_reference(
    declared: str, test: str, problem: str
) -> None:
    reference = {**LARGEST, "prelude": declared, "test": test}
    verdict = _verdict(reference, "int largest(vector<int> all) { return 1; }")
    assert verdict.status == "bad_reference"
    assert problem in verdict.detail


def test_published_exercises_accept_their_own_programs_and_no_others() -> None:
    path = DATA / "humaneval_cpp/humaneval_cpp.jsonl.gz"
    if not path.is_file():
        pytest.skip("needs ../shared/data/humaneval_cpp")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    # A loop over random text, a list of any values, a name of the library's own.
    chosen = [rows[n] for n in (22, 34, 50)]
    attempts = []
    for row in chosen:
        program = row["prompt"] + row["canonical_solution"]
        wrong = program.rpartition("return")[0] + "return {}; }"
        for one in (program, wrong):
            attempts.append(attempt("code", FORMATS["humaneval_cpp"](row), f"```cpp\n{one}\n```"))
    scores = [verdict.score for verdict in code.score(attempts, knobs=KNOBS)]
    assert scores[::2] == [1.0] * 3
    assert max(scores[1::2]) < 1.0


def test_a_binary_that_was_changed_is_not_run() -> None:
    source = '#include <cstdio>\nint main() { std::puts("right"); }'
    kept = sandbox.build(source, seconds=10)
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b"right", b"wrong"))
    assert sandbox.build(source, seconds=10) == kept
    assert sandbox.run_binary(kept, b"", limits=LIMITS).output == b"right\n"
    kept.write_bytes(b"")
    assert sandbox.build(source, seconds=10).read_bytes() == content


def test_a_binary_is_built_once() -> None:
    source = "int main() { return 3; }"
    kept = sandbox.build(source, seconds=10)
    written = kept.stat().st_ino
    assert sandbox.build(source, seconds=10).stat().st_ino == written


def test_the_cache_forgets_what_was_not_used_for_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [f"int main() {{ return {n}; }}" for n in (11, 12, 13)]
    first, second = (sandbox.build(source, seconds=10) for source in sources[:2])
    time.sleep(0.05)  # the file system's clock ticks slowly
    sandbox.build(sources[0], seconds=10)  # used again
    binaries = first.parent
    for path in binaries.iterdir():
        if path not in (first, second):
            path.unlink()
    monkeypatch.setattr(cache, "CACHE_BYTES", 2 * first.stat().st_size + 100)
    third = sandbox.build(sources[2], seconds=10)
    assert set(binaries.iterdir()) == {first, third}


def test_without_a_compiler_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (compiler.identity, command.command)
    with _folder() as folder, monkeypatch.context() as patch:
        for kept in ("bwrap", "chroot"):
            (folder / kept).symlink_to(str(shutil.which(kept)))
        patch.setenv("PATH", str(folder))
        try:
            for cached in found:
                cached.cache_clear()
            cpp, python = _verdict(SUM, ADDS), _verdict({**SUM, "language": "python"}, "1", "py")
        finally:
            for cached in found:
                cached.cache_clear()
    assert (cpp.status, python.status) == ("unavailable", "scored")
    assert "apt-get install g++" in cpp.detail


def test_a_cache_that_the_sandbox_cannot_enter_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.write_text("a file, and no folder")
    monkeypatch.setenv("SOURCEWISE_CACHE", str(closed / "cache"))
    verdict = _verdict(SUM, ADDS)
    assert verdict.status == "unavailable"
    assert "set SOURCEWISE_CACHE to a folder" in verdict.detail
