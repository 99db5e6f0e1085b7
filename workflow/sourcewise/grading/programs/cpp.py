"""C++ sources: a program around which values go in and out, and a test that is given those values.

The test's binary holds no program, and the program's binary no test. Values travel as text; what a
program writes is only ever read as values of the types that the reference declares.
"""

from __future__ import annotations

import re

from sourcewise.gradable.declaration import Declaration
from sourcewise.grading.programs.values_cpp import ANSWER, REMOTE, VALUES

INCLUDE = "#include <bits/stdc++.h>\n"  # the first line: only there the precompiled header is taken
_ASSERT_HEADER = re.compile(r"^\s*#\s*include\s*<(?:assert\.h|cassert)>\s*$", re.MULTILINE)


def script(program: str) -> list[str]:
    """The sources of a program that reads and writes; the second is tried where the first does not compile.

    The header brings names that a program may have for its own.
    """
    with_header = f'{INCLUDE}#line 1 "answer.cpp"\n{program}'
    return [with_header] if "bits/stdc++.h" in program else [with_header, program]


def answering(program: str, declared: Declaration) -> list[str]:
    """The sources of a program that is called; the second gives it what the question gave."""
    parts = [
        f"{INCLUDE}{VALUES}\n#define main sourcewise_main_of_the_answer\n{given}"
        f'#line 1 "answer.cpp"\n{program}\n#undef main\n'
        + ANSWER.replace("HEAD", declared.head).replace("NAME", declared.name)
        for given in ("", declared.preamble)
    ]
    return parts if declared.preamble.strip() else parts[:1]


def testing(test: str, declared: Declaration) -> str:
    """The source of a test whose calls are written down, or answered with values."""
    return (
        f"{INCLUDE}{VALUES}{REMOTE}{declared.preamble}\n"
        f"namespace sourcewise_declared {{ {declared.head}; }}\n"
        f"static sourcewise::Remote<decltype(sourcewise_declared::{declared.name})> sourcewise_remote;\n"
        # An object of the function's own name would clash with std's, such as std::search.
        f"#define {declared.name} sourcewise_remote\n#undef assert\n"
        "#define assert(...) sourcewise::check([&] { return static_cast<bool>(__VA_ARGS__); })\n"
        f'#line 1 "test.cpp"\n{_ASSERT_HEADER.sub("", test)}\n'
    )
