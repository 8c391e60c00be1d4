"""The guards of the auditor and the verifier, as their source has them: conditions that lead to a finding.

A mutant lacks one.
"""

import ast
import contextlib
import importlib
import inspect
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Final, NamedTuple

MODULES: Final = ("pathbook.audit.movements", "pathbook.audit.registers", "pathbook.audit.auditor")
"""The modules with guards, in the order in which they import each other."""

FINDINGS: Final = frozenset({"DifferenceError", "FalseStatementError", "Compared"})
"""What is raised or returned with what was found."""


class GuardOf(NamedTuple):
    """A guard: its module, its number there, its condition, and what follows from it, both as they are written."""

    module: str
    number: int
    condition: str
    consequence: str


def _tells(node: ast.If) -> bool:
    """Tell whether a condition leads to a finding: it raises one, or says what was found."""
    for child in node.body:
        told = child.exc if isinstance(child, ast.Raise) else getattr(child, "value", None)
        if isinstance(told, ast.Call) and isinstance(told.func, ast.Name) and told.func.id in FINDINGS:
            return True
        if isinstance(child, ast.Return) and isinstance(told, ast.Constant) and isinstance(told.value, str):
            return bool(told.value)
        names = child.targets if isinstance(child, ast.Assign) else []
        if any(isinstance(name, ast.Name) and name.id == "found" for name in names):
            return True
        if isinstance(child, ast.Return) and isinstance(child.value, ast.JoinedStr):
            return True
    return False


class _Without(ast.NodeTransformer):
    """Replaces the condition of one guard by False, and lists all of them."""

    def __init__(self, removed: int) -> None:
        self.removed = removed
        self.guards: list[tuple[str, str]] = []

    def visit_If(self, node: ast.If) -> ast.AST:
        """Visit a condition, and what it leads to."""
        if _tells(node):
            if len(self.guards) == self.removed:
                node.test = ast.BoolOp(ast.And(), [node.test, ast.Constant(value=False)])
            self.guards.append((ast.unparse(node.test), "\n".join(map(ast.unparse, node.body))))
        self.generic_visit(node)
        return ast.fix_missing_locations(node)


def _parsed(module: str, removed: int) -> tuple[ast.Module, list[tuple[str, str]]]:
    mutant = _Without(removed)
    tree = mutant.visit(ast.parse(inspect.getsource(importlib.import_module(module))))
    assert isinstance(tree, ast.Module)
    return tree, mutant.guards


def guards(modules: Sequence[str] = MODULES) -> list[GuardOf]:
    """Return all guards of some modules."""
    return [
        GuardOf(module, number, *guard)
        for module in modules
        for number, guard in enumerate(_parsed(module, -1)[1])
    ]


@contextlib.contextmanager
def without(guard: GuardOf, modules: Sequence[str] = MODULES) -> Iterator[None]:
    """Run without a guard, within the context. ``modules`` may import each other."""
    tree, _ = _parsed(guard.module, guard.number)
    original = importlib.import_module(guard.module)
    mutant = ModuleType(guard.module)
    exec(compile(tree, guard.module, "exec"), mutant.__dict__)
    patched = [original, *(importlib.import_module(name) for name in modules)]
    kept = [(module, dict(vars(module))) for module in patched]
    try:
        for name, value in vars(mutant).items():
            if callable(value) and getattr(value, "__module__", "") == guard.module:
                for module in patched:
                    if name in vars(module):
                        setattr(module, name, value)
        yield
    finally:
        for module, values in kept:
            vars(module).update(values)
