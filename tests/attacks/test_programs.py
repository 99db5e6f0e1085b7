"""Hostile programs: none passes, none stays, none harms the runner or the answer that is judged next to it.

What is expected of SECRET is no function of what is asked: only who sees it can return it.
"""

import contextlib
import ctypes
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sourcewise.grading.attempts import Attempt
from sourcewise.grading.sandbox import command
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import code

KNOBS = CodeVerifier(max_tests=10, seconds=1, memory_mb=256, compile_seconds=4)
PROGRAMS = sorted((Path(__file__).parent / "programs").iterdir())
MARK = "sourcewise_attack"  # in the name of every file that a program tries to make
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/dev", "/usr/bin")
USER = 65533
SUBREAPER = 36

CALLED = """{"call_type": "assert", "fn_name": "f", "assert_case":
    ["assert f(1) == 'x7Gq'", "assert f(2) == 'p0Zw'", "assert f(3) == [9, 4]"]}"""
READING = r"""{"call_type": "std", "language": "LANGUAGE",
    "inputs": ["1\n", "2\n", "3\n"], "outputs": ["x7Gq\n", "p0Zw\n", "94\n"]}"""
CALLED_CPP = r"""{"call_type": "replay", "language": "cpp",
    "prelude": "#include <string>\nstd::string f(int x) {",
    "test": "int main() { assert(f(1) == \"x7Gq\"); assert(f(2) == \"p0Zw\"); assert(f(3) == \"94\"); }"}"""

HONEST = {
    "assert": "def f(x): return {1: 'x7Gq', 2: 'p0Zw', 3: [9, 4]}[x]",
    "python": "print({1: 'x7Gq', 2: 'p0Zw', 3: '94'}[int(input())])",
    "replay": '#include <string>\nstd::string f(int x) { return x == 1 ? "x7Gq" : x == 2 ? "p0Zw" : "94"; }',
    "cpp": "#include <iostream>\nint main() { int x; std::cin >> x;\n"
    '  std::cout << (x == 1 ? "x7Gq" : x == 2 ? "p0Zw" : "94"); }',
}


def _forms(path: Path) -> dict[str, str]:
    """The references by which a program is judged, each under the name of its honest neighbour."""
    if path.suffix == ".py":
        return {"assert": CALLED, "python": READING.replace("LANGUAGE", "python")}
    if "int main" in path.read_text("utf-8"):
        return {"cpp": READING.replace("LANGUAGE", "cpp")}
    return {"replay": CALLED_CPP}


def _attempt(reference: str, program: str, suffix: str) -> Attempt:
    text = f"```{ {'.py': 'python', '.cpp': 'cpp'}[suffix] }\n{program}\n```"
    return Attempt("0" * 32, 1, "code", [], reference, text, "stop")


def _judged(paths: list[Path]) -> list[tuple[str, Verdict, Verdict]]:
    """Every program in every form, between honest ones."""
    cases = [(path, *form) for path in paths for form in _forms(path).items()]
    rows = [
        _attempt(reference, program, path.suffix)
        for path, form, reference in cases
        for program in (path.read_text("utf-8"), HONEST[form])
    ]
    verdicts = list(code.score(rows, knobs=KNOBS))
    names = [f"{path.name} {form}" for path, form, _ in cases]
    return list(zip(names, verdicts[::2], verdicts[1::2], strict=True))


@contextlib.contextmanager
def _cache() -> Iterator[Path]:
    """A folder for compiled programs that the sandbox's user may enter, as tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="sourcewise-cache-"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCEWISE_CACHE", str(folder))
        yield folder
    shutil.rmtree(folder)


def _left() -> list[str]:
    """What attacks left behind: processes, which come to their subreaper, and files."""
    processes = []
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                processes = ["a process"]
                time.sleep(0.05)
        except ChildProcessError:
            processes = []
            break
    found = [str(path) for folder in WRITABLE for path in Path(folder).glob(f"*{MARK}*")]
    return processes + found


@pytest.fixture(scope="module")
def judged() -> Iterator[dict[str, tuple[Verdict, Verdict]]]:
    """All verdicts of one run; when it has ended, nothing of it may be left."""
    with _cache() as folder:
        mounts = Path("/proc/self/mountinfo").read_text()
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        try:
            judged = _judged(PROGRAMS)
            left = _left()
        finally:
            ctypes.CDLL(None).prctl(SUBREAPER, 0, 0, 0, 0)
        assert left == []
        assert Path("/proc/self/mountinfo").read_text() == mounts
        drafts = [path.name for path in folder.rglob(".*")]
        assert drafts == []
        yield {name: (hostile, honest) for name, hostile, honest in judged}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_hostile_program_never_passes(
    path: Path, judged: dict[str, tuple[Verdict, Verdict]]
) -> None:
    for form in _forms(path):
        hostile, honest = judged[f"{path.name} {form}"]
        assert hostile.status not in ("infrastructure", "unavailable", "bad_reference"), hostile
        assert not hostile.score, hostile
        assert honest.score == 1.0, honest


ENDED = {
    "busy_loop.py assert": "timeout",
    "sleeper.py assert": "timeout",
    "stopped.py assert": "timeout",
    "unreaped_forks.py assert": "timeout",
    "tower_of_powers.py assert": "timeout",
    "memory_bomb.cpp cpp": "memory",
    "forked_memory_bomb.py assert": "memory",
    "segfault.py assert": "crash",
    "constexpr_loop.cpp cpp": "timeout",
    "macro_growth.cpp cpp": "memory",
    "template_growth.cpp cpp": "timeout",
    "large_array.cpp cpp": "crash",
}


@pytest.mark.parametrize("name", ENDED)
def test_the_status_says_what_ended_a_program(
    name: str, judged: dict[str, tuple[Verdict, Verdict]]
) -> None:
    assert judged[name][0].status == ENDED[name], judged[name][0]


def test_there_are_programs_of_every_kind() -> None:
    assert sum(path.suffix == ".py" for path in PROGRAMS) >= 40
    assert sum(path.suffix == ".cpp" for path in PROGRAMS) >= 8


SAMPLE = (
    *("exit_before_asserts.py", "frames.py", "killed_parent.py", "daemon.py", "privileges.py"),
    *("host_files.py", "namespaces.py", "forked_memory_bomb.py", "limits.py", "disk_bomb.py"),
    *("forged_output.cpp", "host_files.cpp", "included_shadow.cpp"),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole pack has run as this unprivileged user")
def test_an_unprivileged_user_is_as_safe_as_root_whose_uid_is_dropped() -> None:
    paths = [path for path in PROGRAMS if path.name in SAMPLE]
    with _cache() as folder:
        os.chown(folder, USER, USER)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=_unprivileged, args=(paths, theirs))
        process.start()
        theirs.close()
        verdicts, left = ours.recv()
        process.join()
    assert left == []
    assert len(verdicts) >= len(SAMPLE)
    assert [name for name, hostile, _ in verdicts if hostile.score] == []
    assert [name for name, _, honest in verdicts if honest.score != 1.0] == []


def _unprivileged(paths: list[Path], pipe: Connection) -> None:
    """In a process of its own, which cannot become root again."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    for cached in (command.command, command.python, command.loaded, command.interpreter):
        cached.cache_clear()
    pipe.send((_judged(paths), _left()))
