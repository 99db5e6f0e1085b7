"""Published exercises of programming become the forms that the verifier reads."""

import base64
import json
import pickle
import zlib
from typing import Any

import pytest

from sourcewise.corpus import livecodebench
from sourcewise.corpus.references import FORMATS
from sourcewise.params.queries import OF_ROWS

HUMANEVAL = {
    "prompt": "import math\n\ndef helper(x):\n    return x\n\ndef f(x):\n    '''Doubles.'''\n",
    "entry_point": "f",
    "canonical_solution": "    return 2 * x\n",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(1) == 2\n"
    "    assert abs(candidate(x=2) - 4) < 1e-6, 'near'\n    assert True\n    print\n",
}


def test_humaneval_asserts_call_the_function_by_its_name() -> None:
    assert FORMATS["humaneval"](HUMANEVAL) == {
        "call_type": "assert",
        "fn_name": "f",
        "assert_case": ["assert f(1) == 2", "assert abs(f(x=2) - 4) < 1e-06, 'near'"],
        "prelude": "import math\n\ndef helper(x):\n    return x",
    }


@pytest.mark.parametrize(
    "body",
    [
        "for n in range(3):\n        assert candidate(n) == 2 * n",
        "assert candidate(1) == helper(2)",
    ],
)
def test_a_test_that_does_more_than_assert_is_replayed_with_the_solution(body: str) -> None:
    row = {**HUMANEVAL, "test": f"def check(candidate):\n    {body}\n"}
    reference = FORMATS["humaneval"](row)
    assert reference["call_type"] == "replay"
    assert reference["solution"] == HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"]
    assert reference["test"] == row["test"]


def test_mbpp_keeps_what_its_tests_need() -> None:
    row = {
        "test_list": ["assert height(root) == 1"],
        "test_imports": ["import math"],
        "test_setup_code": "root = Node(1)",
    }
    assert FORMATS["mbpp"](row) == {
        "call_type": "assert",
        "fn_name": "height",
        "assert_case": ["assert height(root) == 1"],
        "prelude": "import math",
        "setup": "root = Node(1)",
    }


EVALPLUS: dict[str, Any] = {
    "prompt": '"""Says something."""\n',
    "entry_point": "f",
    "canonical_solution": "def f(a, b):\n    return a\n",
    "base_input": [[[[1, 2]], [3]]],
    "plus_input": [[[[1, [4]], []], []], [[], [5, "x"]]],
    "assertion": "assert f([(1, 2)], {3}) == 1\n",
    "atol": 0,
}


def test_evalplus_inputs_get_back_what_json_lost() -> None:
    reference = FORMATS["evalplus"](EVALPLUS)
    assert reference["calls"] == [
        "f([(1, 2)], set([3]))",
        "f([(1, (4,)), ()], set([]))",
        "f([], set(['x', 5]))",
    ]
    assert reference["solution"] == EVALPLUS["prompt"] + EVALPLUS["canonical_solution"]
    complex_row = {
        **EVALPLUS,
        "base_input": [["1j"]],
        "plus_input": [["2j"], ["(1+3j)"]],
        "assertion": "import math\nassert math.isclose(f(1j), 1.57, rel_tol=0.001)",
    }
    assert FORMATS["evalplus"](complex_row)["calls"][1] == "f(complex(0.0, 2.0))"


@pytest.mark.parametrize(
    ("name", "assertion", "oracle"),
    [
        ("f", "assert f(1) == 1", "equal"),
        ("f", "assert f(1)\nassert not f(2)", "truth"),
        ("find_zero", "", "root"),
        ("similar_elements", "assert similar_elements((1,), (1,)) == (1,)", "set"),
    ],
)
def test_evalplus_oracles_follow_the_asserts(name: str, assertion: str, oracle: str) -> None:
    row = {**EVALPLUS, "entry_point": name, "assertion": assertion}
    assert FORMATS["evalplus"](row)["oracle"] == oracle


def _packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


FUNCTIONAL = {"input": '[1, 2]\n"a"', "output": "[3]", "testtype": "functional"}
STDIN = {"input": "1\n", "output": "2\n", "testtype": "stdin"}


def test_livecodebench_functions_and_scripts() -> None:
    row = {
        "public_test_cases": json.dumps([FUNCTIONAL]),
        "private_test_cases": _packed(json.dumps([{**FUNCTIONAL, "output": "false"}])),
        "metadata": '{"func_name": "solve"}',
        "starter_code": "class Solution:\n    def solve(self, a, b):\n",
    }
    assert FORMATS["livecodebench"](row) == {
        "call_type": "assert",
        "fn_name": "Solution.solve",
        "assert_case": [
            "assert Solution().solve([1, 2], 'a') in ([3], (3,))",
            "assert Solution().solve([1, 2], 'a') == False",
        ],
    }
    hidden = _packed(json.dumps([STDIN]))
    row = {"public_test_cases": json.dumps([STDIN]), "private_test_cases": hidden}
    assert FORMATS["livecodebench"](row) == {
        "call_type": "std",
        "inputs": ["1\n", "1\n"],
        "outputs": ["2\n", "2\n"],
        "language": "python",
    }


class Harmful:
    """Unpickled, it would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("hidden", "what"),
    [
        (_packed(Harmful()), "the pickle holds SHORT_BINUNICODE, but is to be one text"),
        (_packed([STDIN]), "the pickle holds EMPTY_LIST"),
        (_packed({"a": "b"}), "the pickle holds EMPTY_DICT"),
        (_packed(b"bytes"), "the pickle holds SHORT_BINBYTES"),
        (_packed("no JSON"), "the reference is not JSON"),
        (_packed("{}"), "not a list of tests"),
        (_packed(json.dumps([STDIN]))[:-8], "they end too early"),
        (base64.b64encode(zlib.compress(b"")).decode(), "pickle exhausted"),
        ("no base64!", "cannot be unpacked"),
    ],
)
def test_hidden_tests_that_are_no_packed_text_of_json_are_refused_unread(
    hidden: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"public_test_cases": json.dumps([STDIN]), "private_test_cases": hidden}
    with pytest.raises(ValueError, match=what):
        FORMATS["livecodebench"](row)
    assert capsys.readouterr().out == ""


def test_hidden_tests_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livecodebench, "MAX_TEST_BYTES", 1 << 20)
    row = {"public_test_cases": "[]", "private_test_cases": _packed("1" * (2 << 20))}
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        FORMATS["livecodebench"](row)


@pytest.mark.parametrize("hidden", [None, "", []])
def test_a_question_without_hidden_tests_is_not_to_be_scored(hidden: Any) -> None:
    row = {"public_test_cases": json.dumps([STDIN]), "private_test_cases": hidden}
    with pytest.raises(livecodebench.MissingTestsError, match="hidden tests are missing"):
        FORMATS["livecodebench"](row)


def test_humaneval_cpp_keeps_declaration_and_test_apart() -> None:
    row = {"declaration": "#include<vector>\nint f(int x){\n", "test": "int main(){}"}
    assert FORMATS["humaneval_cpp"](row) == {
        "call_type": "replay",
        "language": "cpp",
        "prelude": row["declaration"],
        "test": row["test"],
    }
    with pytest.raises(ValueError, match="does not end with the head of a function"):
        FORMATS["humaneval_cpp"]({**row, "declaration": "nothing"})


@pytest.mark.parametrize("name", [name for name in OF_ROWS if name != "ifeval"])
def test_a_format_of_rows_names_the_column_that_is_missing(name: str) -> None:
    with pytest.raises(ValueError, match=f"no '.*' for format '{name}'"):
        FORMATS[name]({"private_test_cases": "[{}]"})
    with pytest.raises(ValueError, match="takes all columns of a row"):
        FORMATS[name]([])
