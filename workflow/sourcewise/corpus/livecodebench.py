"""LiveCodeBench: the tests of a release's rows, the hidden ones among them, in the forms of `gradable.code`."""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from typing import Any

from sourcewise.corpus.code_references import equals, from_asserts, tests
from sourcewise.corpus.published import parsed, wanted
from sourcewise.gradable import literals

MAX_TEST_BYTES = 256 << 20
# What a pickle of one text is made of, besides the text; anything else is refused unread.
FRAMING = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
TEXT = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}


class MissingTestsError(ValueError):
    """A question without its hidden tests: passing the sample tests says little, so no score is given."""


def livecodebench(row: Any) -> dict[str, Any]:
    """The public tests, then the hidden ones; of a function (`metadata` names it) or a script.

    Raises MissingTestsError where the row has no hidden tests, ValueError where they cannot be read.
    """
    wanted(row, "livecodebench", ())
    if not row.get("private_test_cases"):
        raise MissingTestsError(_missing(row))
    [public] = wanted(row, "livecodebench", ("public_test_cases",))
    cases = [*(parsed(public) or []), *_hidden(row["private_test_cases"])]
    if any(case["testtype"] != "functional" for case in cases):
        return tests(cases)
    name = (parsed(row.get("metadata") or "{}") or {}).get("func_name")
    if not name:
        raise ValueError("functional tests of format 'livecodebench' without a func_name")
    method = "Solution()." if "class Solution" in (row.get("starter_code") or "") else ""
    asserts = []
    for case in cases:
        arguments = [json.loads(line) for line in str(case["input"]).splitlines() if line.strip()]
        call = literals.call(method + name, arguments)
        asserts.append(equals(call, parsed(case["output"])))
    return from_asserts(asserts, method.replace("()", "") + name)


def _missing(row: dict[str, Any]) -> str:
    given = row.get("tests")
    file = given.get("fname") if isinstance(given, dict) else None
    named = f", only the name and the MD5 of their file ({file})" if file else ""
    return (
        f"the hidden tests are missing: 'private_test_cases' is empty or not there{named}; a score on the "
        "sample tests alone would be too high, so none is given. Name files or a hub's repository that "
        "have them (livecodebench/code_generation_lite, the release's test*.jsonl), or set 'graded: false' "
        "and take reference_format out, which keeps the questions as targets of decontamination"
    )


def _hidden(value: Any) -> list[dict[str, Any]]:
    """Hidden tests: a list, JSON of one, or base64 of zlib of a pickled text of JSON, as releases have them."""
    if isinstance(value, list):
        return value
    text = str(value)
    cases = parsed(text if text.lstrip().startswith("[") else _unpacked(text))
    if not isinstance(cases, list) or not cases:
        raise ValueError("the hidden tests are not a list of tests")
    return cases


def _unpacked(value: str) -> str:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(base64.b64decode(value, validate=True), MAX_TEST_BYTES)
        if stream.unconsumed_tail:
            raise ValueError(f"they are larger than {MAX_TEST_BYTES >> 20} MiB")
        if not stream.eof:
            raise ValueError("they end too early")
        return _text(content)
    except (ValueError, zlib.error, binascii.Error) as error:
        raise ValueError(f"the hidden tests cannot be unpacked: {error}") from None


def _text(pickled: bytes) -> str:
    """The text that a pickle holds. Nothing is unpickled: its opcodes are read, and only one text is taken."""
    found: list[str] = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in TEXT and not found:
            found.append(str(argument))
        elif opcode.name not in FRAMING:
            raise ValueError(f"the pickle holds {opcode.name}, but is to be one text")
    if not found:
        raise ValueError("the pickle holds no text")
    return found[0]
