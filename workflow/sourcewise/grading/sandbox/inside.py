"""Runs inside the sandbox, before and around a model's program; the pipeline only reads its source.

Reads from descriptor 0 a line of numbers (CPU seconds, memory in MiB, then the length of the program
and of each expression), the program and the expressions. With expressions, every one is evaluated in
the program's namespace and its value written as one line of JSON; without, the program runs as a script
and the rest of descriptor 0 is its input. Values are plain data: nothing here can name a verdict.
"""

# ruff: noqa: UP031 (JSON's braces make f-strings unreadable)

import posix  # what `os` is made of, without the millisecond that `os` takes
import resource
import sys

SEQUENCES = {list: "l", tuple: "t", set: "s", frozenset: "s"}
PROCESSES, OPEN_FILES, FILE_BYTES, STACK_BYTES = 32, 64, 32 << 20, 64 << 20


def receive(n: int) -> str:
    """Exactly n bytes of descriptor 0, leaving the rest for the program."""
    parts = []
    while n:
        parts.append(posix.read(0, n))
        n -= len(parts[-1])
        if not parts[-1]:
            raise EOFError("the request was cut")
    return b"".join(parts).decode()


def header() -> list[int]:
    """The numbers of the first line."""
    line = b""
    while not line.endswith(b"\n"):
        line += posix.read(0, 1)
    return [int(number) for number in line.split()]


def limit(seconds: int, memory_mb: int) -> None:
    """The program's own limits; hard, so that it cannot raise them."""
    for name, value in (
        ("CPU", seconds),
        ("AS", memory_mb << 20),
        ("FSIZE", FILE_BYTES),
        ("NOFILE", OPEN_FILES),
        ("STACK", STACK_BYTES),
        ("NPROC", PROCESSES),
        ("CORE", 0),
    ):
        # SIGXCPU comes at the soft limit, SIGKILL one second later to who ignores it.
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value + (name == "CPU")))


def quote(text: str) -> str:
    """JSON of a string; `_json` takes half a millisecond to load, and a script needs none of it."""
    from _json import encode_basestring_ascii

    return encode_basestring_ascii(text)


def encode(value: object) -> str:
    """JSON of plain data, subclasses as their base; anything else is only named."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return '{"i":"%x"}' % int.__add__(value, 0)
    if isinstance(value, float):
        return '{"f":"%s"}' % float.__repr__(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        pairs = ",".join("[%s,%s]" % (encode(k), encode(v)) for k, v in dict.items(value))
        return '{"d":[%s]}' % pairs
    for kind, tag in SEQUENCES.items():
        if isinstance(value, kind):
            return '{"%s":[%s]}' % (tag, ",".join(map(encode, kind.__iter__(value))))
    if isinstance(value, (bytes, bytearray)):
        return '{"b":"%s"}' % bytes(value).hex()
    if isinstance(value, complex):
        return '{"c":["%r","%r"]}' % (value.real, value.imag)
    return '{"o":%s}' % quote(type(value).__name__)


def explain(error: BaseException) -> str:
    """An exception in a line."""
    try:
        text = str(error)[:200]
    except BaseException:
        text = ""
    return '{"error":%s}' % quote(type(error).__name__ + (": " + text if text else ""))


def main() -> None:
    """One program: as a script, or with expressions to evaluate."""
    seconds, memory_mb, n_program, *n_expressions = header()
    program = receive(n_program)
    expressions = [receive(n) for n in n_expressions]
    limit(seconds, memory_mb)
    posix.write(1, b"ready\n")
    module = type(sys)("solution" if expressions else "__main__")
    # site is not loaded, and many programs end with exit().
    module.__dict__.update(exit=sys.exit, quit=sys.exit)
    sys.modules[module.__name__] = module
    sys.path[:] = [entry for entry in sys.path if entry]
    if not expressions:
        exec(compile(program, "program.py", "exec"), module.__dict__)
        return
    results, nothing = posix.dup(1), posix.open("/dev/null", posix.O_RDWR)
    posix.dup2(nothing, 0)
    posix.dup2(nothing, 1)
    try:
        exec(compile(program, "program.py", "exec"), module.__dict__)
        problem = None
    except BaseException as error:
        problem = explain(error)
    for expression in expressions:
        try:
            line = problem or encode(eval(compile(expression, "test", "eval"), module.__dict__))
        except BaseException as error:
            line = explain(error)
        rest = (line + "\n").encode()
        while rest:
            rest = rest[posix.write(results, rest) :]
    posix._exit(0)


if __name__ == "__main__":
    main()
