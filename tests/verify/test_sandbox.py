"""What the sandbox keeps a program from; whole programs that attack are in tests/attacks."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from sourcewise.grading import sandbox


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


FORKS = """
import os, signal, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
    os._exit(0)
"""
WAITED = FORKS + "for _ in range(8):\n    if os.fork() == 0: burn(0.4)\n    os.wait()"
AUTOREAPED = (
    FORKS
    + "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    + "for _ in range(8):\n    if os.fork() == 0: burn(0.4)\n    time.sleep(0.5)"
)


@pytest.mark.parametrize("program", [WAITED, AUTOREAPED], ids=["waited", "autoreaped"])
def test_the_cpu_time_of_all_processes_together_is_capped(program: str) -> None:
    result = sandbox.run_script(program, "", limits=sandbox.Limits(1, 256))
    assert result.ended == "timeout"


def test_a_sleeper_is_ended_soon_and_a_slow_worker_is_not() -> None:
    begin = time.monotonic()
    limits = sandbox.Limits(0.5, 256)
    assert sandbox.run_script("import time; time.sleep(60)", "", limits=limits).ended == "timeout"
    assert time.monotonic() - begin < limits.wall_seconds
    # Two seconds by the clock: more than it may compute, less than it may sleep.
    slowly = "import time\nfor _ in range(20): time.sleep(0.1)\nprint('done')"
    assert sandbox.run_script(slowly, "", limits=limits).output == b"done\n"


def test_output_may_be_as_long_as_its_limit() -> None:
    program = "print('x' * 3_000_000)"
    short, long = (
        sandbox.run_script(program, "", limits=sandbox.Limits(5, 256, n))
        for n in (1 << 20, 4 << 20)
    )
    assert (short.ended, long.ended, len(long.output)) == ("output", "exit", 3_000_001)
