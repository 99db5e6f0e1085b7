"""Programs: what the sandbox and the compiler cost, and what references and their mutants are given.

CPU seconds are those of the whole tree (`cpu`). The first figure shows that nothing escapes this count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cpu import cost
from figure import Figure

from sourcewise.commands import programs
from sourcewise.commands.programs import Program
from sourcewise.grading import sandbox
from sourcewise.grading.attempts import Attempt
from sourcewise.grading.sandbox.command import interpreter
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Message, Verdict
from sourcewise.verifiers import code

KNOBS = CodeVerifier(max_tests=10, seconds=10, memory_mb=1024, compile_seconds=30)
LIMITS = sandbox.Limits(10, 512)
DATA = Path(__file__).resolve().parents[3] / "shared/data"
SETS = {
    "humaneval": lambda: programs.humaneval(DATA / "humaneval/HumanEval.jsonl.gz"),
    "mbpp": lambda: programs.mbpp(DATA / "mbpp/mbpp.jsonl"),
    "humanevalplus": lambda: programs.evalplus(DATA / "humanevalplus/HumanEvalPlus.jsonl.gz"),
    "mbppplus": lambda: programs.evalplus(DATA / "mbppplus/MbppPlus.jsonl.gz"),
    "leetcode": lambda: programs.leetcode(DATA / "code_tests/leetcode.json"),
}
ROUNDS, PER_ROUND = 7, 20
SCRIPT = "print(sum(map(int, input().split())))"
FUNCTION = "def f(x):\n    return [x * n for n in range(10)]"
CALLS = [f"f({n})" for n in range(10)]
ASSERTS = "\n".join(
    f"assert {call} == [{n} * i for i in range(10)]" for n, call in enumerate(CALLS)
)
N_PROGRAMS, N_WORKERS = 1000, 2


def figures() -> Iterator[Figure]:
    """All figures of this part, one by one as they are measured."""
    yield _counted()
    yield _overhead("one program", _sandboxed_script, _bare_script, 2.0)
    yield _overhead("a function called 10 times", _sandboxed_calls, _bare_calls, 3.5)
    yield _throughput()
    for name in SETS:
        yield from _references(name)
    yield from _cpp()


def _counted() -> Figure:
    """A program that uses one second in the sandbox: the count must show it."""
    burn = "import time\nwhile time.process_time() < 1: pass"
    seconds = cost(lambda: sandbox.run_script(burn, "", limits=LIMITS)).seconds
    return Figure("CPU of a sandboxed second", f"{seconds:.2f} s", "1 s", "counted", seconds >= 1)


def _overhead(what: str, ours: Callable[[], Any], bare: Callable[[], Any], most: float) -> Figure:
    """The median over rounds, each of which measures both."""
    rounds = [(_each(ours), _each(bare)) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in rounds)
    mine, theirs = (statistics.median(side) * 1000 for side in zip(*rounds, strict=True))
    peer = f"{theirs:.1f} ms bare"
    target = f"<= {most} x"
    return Figure(f"CPU of {what}", f"{mine:.1f} ms ({ratio:.2f} x)", peer, target, ratio <= most)


def _each(function: Callable[[], Any]) -> float:
    return cost(lambda: [function() for _ in range(PER_ROUND)]).seconds / PER_ROUND


def _sandboxed_script() -> None:
    assert sandbox.run_script(SCRIPT, "1 2\n", limits=LIMITS).output == b"3\n"


def _bare(program: str) -> None:
    command = [interpreter()[0], "-I", "-S", "-c", program]
    subprocess.run(command, input=b"1 2\n", check=True, capture_output=True, env={})


def _bare_script() -> None:
    _bare(SCRIPT)


def _sandboxed_calls() -> None:
    assert len(sandbox.evaluate(FUNCTION, CALLS, limits=LIMITS)[1]) == len(CALLS)


def _bare_calls() -> None:
    _bare(f"{FUNCTION}\n{ASSERTS}")


def _throughput() -> Figure:
    """CPU time used over CPU time that was there: used, or left idle by the machine meanwhile."""
    reference = {"call_type": "std", "inputs": ["1 2\n"], "outputs": ["3\n"]}
    adder = Program("adder", "Add.", SCRIPT, reference, "")
    attempts = [attempt(adder, SCRIPT) for _ in range(N_PROGRAMS)]
    os.environ["SOURCEWISE_WORKERS"] = str(N_WORKERS)
    begin, idle = time.monotonic(), _idle_seconds()
    used = cost(lambda: len(list(code.score(attempts, knobs=KNOBS)))).seconds
    wall, idle = time.monotonic() - begin, _idle_seconds() - idle
    del os.environ["SOURCEWISE_WORKERS"]
    share = used / (used + idle)
    ours = f"{N_PROGRAMS / wall:.0f} a second, {share:.0%} of the CPU time that was free"
    peer = f"{2 / used * N_PROGRAMS:.0f} a second"
    return Figure(f"{N_PROGRAMS} scripts, {N_WORKERS} workers", ours, peer, ">= 70 %", share >= 0.7)


def _idle_seconds() -> float:
    """Seconds that all cores together had nothing to do, since the machine started."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def attempt(program: Program, code: str) -> Attempt:
    """An answer with some code to what a program is the answer to."""
    return Attempt(
        query_id=program.name,
        attempt=1,
        category="code",
        messages=[Message("user", program.question)],
        reference=json.dumps(program.reference),
        text=f"```{program.language}\n{code}\n```",
        finish_reason="stop",
    )


def _references(name: str) -> Iterator[Figure]:
    """How many reference programs pass, and how many mutants, one of each, fail."""
    chosen = list(SETS[name]())
    verdicts = list(code.score((attempt(one, one.whole) for one in chosen), knobs=KNOBS))
    refused = _named(chosen, verdicts, passed=False)
    share = 1 - len(refused) / len(chosen)
    ours = f"{len(chosen) - len(refused)} of {len(chosen)}"
    yield Figure(
        f"{name} references", ours, f"refused: {_listed(refused)}", ">= 99 % pass", share >= 0.99
    )
    mutants = [(one, next(programs.wrong(one))) for one in chosen if not one.reason]
    wrong, wrongs = [one for one, _ in mutants], (attempt(*pair) for pair in mutants)
    accepted = set(_named(wrong, list(code.score(wrongs, knobs=KNOBS)), passed=True))
    # A change may be none: then the tests of the set, run without the verifier, let it pass as well.
    unlike = [
        one.name
        for one, changed in mutants
        if one.name in accepted and programs.tried(changed, one) != programs.PASSED
    ]
    share = 1 - len(accepted) / len(mutants)
    ours = f"{share:.1%} of {len(mutants)} fail"
    peer = f"accepted: {_listed(sorted(accepted))}; the set's own tests refuse {_listed(unlike)}"
    yield Figure(f"{name} mutants", ours, peer, ">= 95 % fail", share >= 0.95 and not unlike)


def _named(chosen: list[Program], verdicts: list[Verdict], *, passed: bool) -> list[str]:
    pairs = zip(chosen, verdicts, strict=True)
    return [one.name for one, verdict in pairs if (verdict.score == 1.0) is passed]


def _listed(names: list[str]) -> str:
    return " ".join(names) or "none"


def _cpp() -> Iterator[Figure]:
    """References in C++ with an empty cache: each answer is compiled, and each test."""
    chosen = list(programs.humaneval_cpp(DATA / "humaneval_cpp/humaneval_cpp.jsonl.gz"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.environ["SOURCEWISE_CACHE"] = folder
        header = cost(lambda: sandbox.build("int main() {}", seconds=30)).seconds
        attempts = [attempt(one, one.whole) for one in chosen]
        ran = cost(lambda: list(code.score(attempts, knobs=KNOBS)))
        n_compiled = len(list(Path(folder, "binaries").iterdir())) - 1
        del os.environ["SOURCEWISE_CACHE"]
    refused = _named(chosen, ran.value, passed=False)
    share = 1 - len(refused) / len(chosen)
    ours = f"{len(chosen) - len(refused)} of {len(chosen)}"
    peer = f"refused: {_listed(refused)}"
    yield Figure("humaneval_cpp references", ours, peer, ">= 99 % pass", share >= 0.99)
    each = ran.seconds / n_compiled
    peer = f"header {header:.1f} s once"
    yield Figure("CPU of a compile, with its runs", f"{each:.2f} s", peer, "<= 1.0 s", each <= 1.0)
