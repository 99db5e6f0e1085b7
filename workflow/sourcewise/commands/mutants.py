"""Programs that are nearly right: one comparison, operation, number or result changed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def mutants(program: str) -> Iterator[str]:
    """Each program with one change, in the order of the text; those that change no result are among them."""
    tree = ast.parse(program)
    for place in range(len(list(ast.walk(tree)))):
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[place]
        if _change(node):
            yield ast.unparse(changed)


def _change(node: ast.AST) -> bool:
    """Changes a node in place; false where there is nothing to change."""
    match node:
        case ast.Compare(ops=[operator, *_]) if type(operator) in _SWAPPED:
            node.ops[0] = _SWAPPED[type(operator)]()  # type: ignore[call-overload]
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) if type(operator) in _SWAPPED:
            node.op = _SWAPPED[type(operator)]()  # type: ignore[assignment]
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            node.value = number + 1
        case ast.Return(value=ast.expr()):
            node.value = ast.Constant(None)
        case _:
            return False
    return True
