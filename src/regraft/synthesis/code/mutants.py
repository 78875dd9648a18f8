"""Programs that a test must tell from the solution: its functions do nothing, or give back what they are given."""

import ast
from collections.abc import Callable
from typing import cast

Body = Callable[[ast.arguments], ast.expr]
"""Returns the expression that a function returns instead of what it did."""


def mutants(solution: str) -> tuple[str, ...]:
    """Return programs that do not solve what a program solves; tests that one of them passes prove nothing.

    In the first all functions return None, in the second their first argument. Functions that the program calls while
    it is loaded stay as they are: else no test would be run at all.

    Raises:
        SyntaxError: it is no program.
        RecursionError: it is nested too deeply.
    """
    return tuple(_mutant(solution, body) for body in (_nothing, _first))


def _mutant(solution: str, body: Body) -> str:
    tree = ast.parse(solution)
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    loaded = [node for node in tree.body if not isinstance(node, definitions) and not _is_lambda(node)]
    called = {name.id for node in loaded for name in ast.walk(node) if isinstance(name, ast.Name)}
    tree.body = [_Emptied(body, called).visit(node) for node in tree.body]
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_lambda(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)


def _nothing(arguments: ast.arguments) -> ast.expr:
    return ast.Constant(value=None)


def _first(arguments: ast.arguments) -> ast.expr:
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args) if a.arg not in ("self", "cls")]
    return ast.Name(id=names[0], ctx=ast.Load()) if names else ast.Constant(value=None)


class _Emptied(ast.NodeTransformer):
    def __init__(self, body: Body, kept: set[str]) -> None:
        self._body, self._kept = body, kept

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._emptied(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._emptied(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.body = self._body(node.args)
        return node

    def _emptied(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.name not in self._kept:
            node.body = [cast(ast.stmt, ast.Return(value=self._body(node.args)))]
        return node
