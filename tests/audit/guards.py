"""The guards of the auditor, as its source has them: conditions that lead to a difference. A mutant lacks one."""

import ast
import contextlib
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Final, NamedTuple

MODULES: Final = ("pathbook.audit.movements", "pathbook.audit.registers", "pathbook.audit.auditor")
"""The modules with guards, in the order in which they import each other."""


class GuardOf(NamedTuple):
    """A guard: its module, its number there, and its condition as it is written."""

    module: str
    number: int
    condition: str


def _tells(node: ast.If) -> bool:
    """Tell whether a condition leads to a difference: it raises one, or says what was found."""
    for child in node.body:
        raised = child.exc if isinstance(child, ast.Raise) else None
        if (
            isinstance(raised, ast.Call)
            and isinstance(raised.func, ast.Name)
            and raised.func.id == "DifferenceError"
        ):
            return True
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
        self.conditions: list[str] = []

    def visit_If(self, node: ast.If) -> ast.AST:
        """Visit a condition, and what it leads to."""
        if _tells(node):
            if len(self.conditions) == self.removed:
                node.test = ast.BoolOp(ast.And(), [node.test, ast.Constant(value=False)])
            self.conditions.append(ast.unparse(node.test))
        self.generic_visit(node)
        return ast.fix_missing_locations(node)


def _parsed(module: str, removed: int) -> tuple[ast.Module, list[str]]:
    mutant = _Without(removed)
    tree = mutant.visit(ast.parse(inspect.getsource(importlib.import_module(module))))
    assert isinstance(tree, ast.Module)
    return tree, mutant.conditions


def guards() -> list[GuardOf]:
    """Return all guards."""
    return [
        GuardOf(module, number, condition)
        for module in MODULES
        for number, condition in enumerate(_parsed(module, -1)[1])
    ]


@contextlib.contextmanager
def without(guard: GuardOf) -> Iterator[None]:
    """Run the auditor without a guard, within the context."""
    tree, _ = _parsed(guard.module, guard.number)
    original = importlib.import_module(guard.module)
    mutant = ModuleType(guard.module)
    exec(compile(tree, guard.module, "exec"), mutant.__dict__)
    patched = [original, *(importlib.import_module(name) for name in MODULES)]
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
