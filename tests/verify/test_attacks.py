"""Programs that try to pass without solving, to escape, to stay or to do harm."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rows import attempt

from sourcewise.grading import sandbox
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import code

KNOBS = CodeVerifier(max_tests=10, seconds=1, memory_mb=256, compile_seconds=30)
# The expected values are no function of the arguments: only who sees them can return them.
SECRET = {
    "call_type": "assert",
    "fn_name": "f",
    "assert_case": ["assert f(1) == 'x7Gq'", "assert f(2) == 'p0Zw'", "assert f(3) == [9, 4]"],
}
FORGERIES = {
    "exit before the asserts": "import os\nos._exit(0)",
    "exit by exception": "import sys\nsys.exit(0)",
    "exit through C": "import ctypes\nctypes.CDLL(None)._exit(0)",
    "exit at the end": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return x",
    "an object equal to everything": (
        "class A:\n    __eq__ = lambda a, b: True\n    __hash__ = lambda a: 0\ndef f(x): return A()"
    ),
    "a string equal to everything": (
        "class A(str):\n    __eq__ = lambda a, b: True\n    __hash__ = lambda a: 0\n"
        "def f(x): return A('x')"
    ),
    "a class that claims to be another": (
        "class A:\n    __class__ = property(lambda self: str)\n    __eq__ = lambda a, b: True\n"
        "def f(x): return A()"
    ),
    "what stands in the frames": (
        "import re, sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):\n"
        "            found = re.search('[a-z][0-9][A-Z][a-z]', str(value))\n"
        "            if found: return found[0]\n        frame = frame.f_back"
    ),
    "what stands in memory": (
        "import gc, re\ndef f(x):\n    for o in gc.get_objects():\n"
        "        found = re.search('[a-z][0-9][A-Z][a-z]', str(o)) if isinstance(o, (dict, list)) else None\n"
        "        if found: return found[0]"
    ),
    "patched builtins": (
        "import builtins, json\nbuiltins.all = builtins.any = lambda *a: True\n"
        "builtins.isinstance = lambda *a: True\njson.loads = lambda *a: True\ndef f(x): return True"
    ),
    "patched encoder": (
        "import sys\nfor frame in [sys._getframe(i) for i in range(3)]:\n"
        "    frame.f_globals['encode'] = lambda value: 'true'\n"
        "    frame.f_globals['explain'] = lambda value: 'true'\ndef f(x): return 1"
    ),
    "words on every descriptor": (
        "import os\nfor fd in range(64):\n    for text in (b'true\\n', b'passed\\n', b'ready\\n'):\n"
        "        try: os.write(fd, text * 50)\n        except OSError: pass\nos._exit(0)"
    ),
    "deeply nested values": "import os\nfor fd in range(3, 9):\n    try: os.write(fd, b'[' * 200000 + b'\\n')\n"
    "    except OSError: pass\ndef f(x): return x",
    "integers that collide": "def f(x): return {i * (2**61 - 1) for i in range(1, 20000)}",
    "a number too long to print": "def f(x): return 10**100000",
    "a traced parent": (
        "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
        "for pid in (1, os.getppid()): assert libc.ptrace(16, pid, 0, 0) == 0"
    ),
    "a killed parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(-1, 9)",
    "endless output": "import os\nwhile True: os.write(2, b'x' * 65536)",
    "an endless loop that ignores signals": (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass"
    ),
    "a memory bomb": "x = bytearray(4 << 30)",
    "a forked memory bomb": (
        "import os\nfor i in range(12):\n    if os.fork() == 0: break\n"
        "x = [bytearray(20 << 20) for i in range(10)]\nwhile True: pass"
    ),
    "a fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "a thread bomb": (
        "import threading, time\nwhile True:\n    try:\n"
        "        threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "    except RuntimeError: pass"
    ),
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)",
}


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, Verdict]]:
    """All forgeries judged side by side, each with an honest neighbour."""
    honest = "def f(x): return {1: 'x7Gq', 2: 'p0Zw', 3: [9, 4]}[x]"
    rows = [
        attempt("code", SECRET, f"```python\n{program}\n```")
        for forgery in FORGERIES.values()
        for program in (forgery, honest)
    ]
    judged = list(code.score(rows, knobs=KNOBS))
    assert [verdict.score for verdict in judged[1::2]] == [1.0] * len(FORGERIES)
    return dict(zip(FORGERIES, judged[::2], strict=True))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_never_passes(name: str, verdicts: dict[str, Verdict]) -> None:
    assert not verdicts[name].score, verdicts[name]


def _denied(statement: str) -> str:
    """What a program reports of an attempt that must fail, as the name of the exception."""
    program = (
        f"try:\n    {statement}\nexcept BaseException as error:\n    print(type(error).__name__)"
    )
    result = sandbox.run_script(program, "", limits=sandbox.Limits(1, 256))
    return result.output.decode()


@pytest.mark.parametrize(
    "statement",
    [
        "print(open('/etc/passwd').read())",
        "print(open('/proc/1/environ').read())",
        "open('/usr/bin/planted', 'w')",
        "open('/planted', 'w')",
        "open('/dev/planted', 'w')",
        "open('/tmp/big', 'wb').write(b'x' * (100 << 20))",
        "import socket; socket.socket(socket.AF_INET)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import ctypes; ctypes.CDLL(None, use_errno=True).unshare(0x10000000) and 1 / 0",
        "import ctypes; ctypes.CDLL(None, use_errno=True).mount(b'a', b'/tmp', b'tmpfs', 0, 0) and 1 / 0",
        "import resource as r; r.setrlimit(r.RLIMIT_CPU, (999, 999))",
        "import os; os.setuid(0)",
    ],
)
def test_the_host_is_out_of_reach(statement: str) -> None:
    assert _denied(statement) in {
        "FileNotFoundError\n",
        "PermissionError\n",
        "OSError\n",
        "ZeroDivisionError\n",
        "ValueError\n",
    }


def test_a_file_of_the_host_that_anybody_may_write_stays_as_it_is(tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    sentinel.write_text("as it was")
    sentinel.chmod(0o666)
    assert _denied(f"open({str(sentinel)!r}, 'w').write('changed')") == "FileNotFoundError\n"
    assert sentinel.read_text() == "as it was"


def test_a_server_of_the_host_is_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
        assert _denied(program) == "PermissionError\n"


def test_the_environment_does_not_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    program = "import os\nprint(sorted(os.environ), os.getuid())"
    output = sandbox.run_script(program, "", limits=sandbox.Limits(1, 256)).output.decode()
    assert output == "['LC_CTYPE', 'PWD', 'PYTHONHASHSEED'] 65534\n"


def _named(name: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == name:
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_a_daemon_ends_with_its_program() -> None:
    name = f"daemon{os.getpid()}"
    program = (
        "import ctypes, os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n"
        "        for fd in range(64):\n            try: os.close(fd)\n            except OSError: pass\n"
        "        time.sleep(600)\n    os._exit(0)\ntime.sleep(1)\nprint('done')"
    )
    results: list[sandbox.Result] = []
    limits = sandbox.Limits(1, 256)
    thread = threading.Thread(
        target=lambda: results.append(sandbox.run_script(program, "", limits=limits))
    )
    thread.start()
    seen = False
    while thread.is_alive():
        seen = seen or bool(_named(name))
        time.sleep(0.02)
    assert seen, "the daemon was never there"
    assert results[0].output == b"done\n"
    assert _named(name) == []
