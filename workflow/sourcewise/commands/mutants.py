"""Programs that are nearly right: one comparison, operation, number or result changed."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_SWAPPED_CPP = {
    "<=": ">",
    ">=": "<",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "+": "-",
    "*": "+",
    "%": "*",
    "true": "false",
    "false": "true",
}
# "<", ">", "-" and "/" open and close other things as well.
_CPP = re.compile(
    r"<=|>=|==|!=|&&|\|\||\b(?:true|false|\d+)\b|(?<=[\w)\]])( ?)(?P<one>[+*%])\1(?=[\w(])"
)


def mutants(program: str, name: str = "") -> Iterator[str]:
    """Programs with one change each; those that change no result are among them.

    The changes are made in the function or method `name`, else anywhere, and from the end of the text: what is
    computed last most often is the result. Raises SyntaxError.
    """
    tree = ast.parse(program)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    whole = next((node for node in functions if node.name == name), tree)
    inside = (node for node in ast.walk(whole) if isinstance(node, ast.expr | ast.stmt))
    places = [node for node in inside if _change(copy.copy(node))]
    order = {id(node): place for place, node in enumerate(ast.walk(tree))}
    for node in sorted(places, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        changed = copy.deepcopy(tree)
        _change(list(ast.walk(changed))[order[id(node)]])
        yield ast.unparse(ast.fix_missing_locations(changed))


def cpp_mutants(program: str) -> Iterator[str]:
    """The same of C++, by text, for want of a parser: a change may meet a comment or break the program."""
    for place in reversed(list(_CPP.finditer(program))):
        begin, end = place.span("one" if place["one"] else 0)
        found = program[begin:end]
        other = str(int(found) + 1) if found.isdecimal() else _SWAPPED_CPP[found]
        yield program[:begin] + other + program[end:]


def _change(node: ast.AST) -> bool:
    """Changes a node in place; false where there is nothing to change."""
    match node:
        case ast.Compare(ops=[operator, *rest]) if type(operator) in _SWAPPED:
            node.ops = [_SWAPPED[type(operator)](), *rest]  # type: ignore[list-item]
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) if type(operator) in _SWAPPED:
            node.op = _SWAPPED[type(operator)]()  # type: ignore[assignment]
        case ast.Constant(value=bool(constant)):
            node.value = not constant
        case ast.Constant(value=int(number)):
            node.value = number + 1
        case ast.Return(value=ast.expr()):
            node.value = ast.Constant(None)
        case _:
            return False
    return True
