"""Generates the asyncio client from the client, and the names of reasons from the contract.

`python clients/generate_client.py` writes the generated files again. With `--check` it changes nothing: it names the
files that differ, and exits 1 if there are any.

A method of the asyncio client is the method of the client with `await`, `async for` and `async def` where they belong.
So both build requests and read responses by the same code, and a new method is written once.
"""

import ast
import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
CLIENT: Final = ROOT / "pathbook/client"
CONTRACT: Final = ROOT.parent / "proto/pathbook/v1/refusals.proto"

BY_HAND: Final = {
    "__init__", "calls", "decoding", "errors", "filters", "history", "key_requests", "options", "party_keys", "reasons",
    "retries", "signing", "statements", "values",
}  # fmt: skip
"""The modules of the client that have no twin, or whose twin is written by hand."""

AWAITED: Final = {"_call", "_write", "_whole", "_first", "_event_at", "_signed"}
"""The private methods that send a call, and that a coroutine awaits."""

ITERATED: Final = {"_pages", "_exchange", "_resume", "_file_statements"}
"""The private methods that iterate over responses."""

NAMES: Final = {
    "Caller": "AsyncCaller",
    "Client": "AsyncClient",
    "Iterator": "AsyncIterator",
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
}
"""Names, and what stands in their place in the asyncio client."""

SENTENCES: Final = {
    "``Client``": "``AsyncClient``",
    "An iterator of": "An async iterator of",
    "The client: all": "The asyncio client: all",
    "in a ``with`` statement, or call ``close``": "in an ``async with`` statement, or await ``close``",
    "Threads may share one client.": "Make it in a coroutine.",
    "is a method.": "is a method to await.",
    "calls the server, and raises, while you iterate.": "calls the server, and raises, in your ``async for``.",
    "An own grpc.Channel": "An own grpc.aio.Channel",
}
"""Sentences of docstrings, and what they say of the asyncio client. Each is used."""

NUMBERED: Final = '''
    @classmethod
    def numbered(cls, number: int) -> "ENUM":
        """Return the member with a number of the contract, such as the reason of an entry that was refused.

        Raises:
            ValueError: A newer server has this number, and this program does not know it.
        """
        return cls(refusals_pb2.ENUM.Name(refusals_pb2.ENUM.ValueType(number)).removeprefix("PREFIX_"))
'''
"""What an enum of reasons has besides members."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """The text of some code, and the changes to make in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self._starts = [0]
        for line in text.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._changes: list[tuple[int, int, str]] = []

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node begins, in bytes."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node ends, in bytes."""
        assert node.end_lineno is not None, node
        assert node.end_col_offset is not None, node
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def change(self, first: int, last: int, text: str) -> None:
        """Put a text in place of some bytes."""
        self._changes.append((first, last, text))

    def awaited(self, node: ast.expr) -> None:
        """Await an expression."""
        inner = isinstance(self.parents[node], ast.Attribute | ast.Subscript)
        self.change(self.start(node), self.start(node), "(await " if inner else "await ")
        if inner:
            self.change(self.end(node), self.end(node), ")")

    def made_async(self, node: ast.stmt | ast.comprehension) -> None:
        """Write `async` before a `for`, `with` or `def`."""
        if isinstance(node, ast.comprehension):
            before = self.text.encode()[: self.start(node.target)]
            place = before.rindex(b"for ")
        else:
            place = self.start(node)
        self.change(place, place, "async ")

    def changed(self) -> str:
        """Return the text with all changes."""
        data = self.text.encode()
        for first, last, text in sorted(self._changes, key=lambda change: change[:2], reverse=True):
            data = data[:first] + text.encode() + data[last:]
        return data.decode()


class Twin:
    """The modules of the client as modules of the asyncio client."""

    def __init__(self) -> None:
        paths = sorted(CLIENT.glob("*.py"))
        self.modules = {path.stem: path.read_text("utf-8") for path in paths if path.stem not in BY_HAND}
        self.coroutines = {"close"}
        self.iterators: set[str] = set()
        for text in self.modules.values():
            for method in ast.walk(ast.parse(text)):
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    if method.returns is not None and ast.unparse(method.returns).startswith("Iterator["):
                        self.iterators.add(method.name)
                    elif any(called(node) in AWAITED for node in ast.walk(method)):
                        self.coroutines.add(method.name)
        self.sentences_used: set[str] = set()

    def written(self) -> dict[Path, str]:
        """Return the text of each generated module."""
        texts = {CLIENT / f"aio/{name}.py": self.module(name) for name in self.modules}
        assert self.sentences_used == set(SENTENCES), set(SENTENCES) - self.sentences_used
        return texts

    def module(self, name: str) -> str:
        """Return the twin of a module: its part of the client. What else is in the module is imported from there."""
        text = self.modules[name]
        tree = ast.parse(text)
        lines = text.splitlines()
        kept: list[str] = []
        others: list[str] = []
        for node in tree.body:
            match node:
                case (
                    ast.FunctionDef(name=other)
                    | ast.AnnAssign(target=ast.Name(id=other))
                    | ast.ClassDef(name=other, bases=[])
                ):
                    others.append(other)
                case ast.Expr() if node is not tree.body[0]:
                    pass  # the docstring of a constant
                case _:
                    decorated = node.decorator_list if isinstance(node, ast.ClassDef) else []
                    first = min([node.lineno, *(item.lineno for item in decorated)])
                    kept.append("\n".join(lines[first - 1 : node.end_lineno]))
        kept.insert(
            1, f"# clients/generate_client.py wrote this from {name}.py of the client: change that file."
        )
        if others:
            kept.insert(2, f"from pathbook.client.{name} import {', '.join(others)}")
        return self.asynchronous("\n\n".join(kept) + "\n")

    def asynchronous(self, text: str) -> str:
        """Return the code of a module as the asyncio client has it."""
        source = Source(text)
        for node in ast.walk(source.tree):
            match node:
                case ast.Constant(value=str()) if isinstance(source.parents[node], ast.Expr):
                    docstring = ast.get_source_segment(text, node)
                    assert docstring is not None, node
                    source.change(source.start(node), source.end(node), self.docstring(docstring))
                case ast.ImportFrom(module=str(module)) if self.has_twin(module, node.names):
                    first = source.start(node) + len("from pathbook.client.")
                    source.change(first, first, "aio.")
                case ast.FunctionDef() if is_coroutine(node):
                    source.made_async(node)
                case ast.Call() if called(node) in AWAITED | self.coroutines:
                    source.awaited(node)
                case ast.For(iter=ast.Name(id="responses")) | ast.With():
                    source.made_async(node)
                case ast.For() if called(node.iter) in ITERATED:
                    source.made_async(node)
                case ast.YieldFrom():
                    statement = source.parents[node]
                    assert isinstance(statement, ast.Expr), "a `yield from` is a statement here"
                    indent = " " * (statement.col_offset + 4)
                    loop = f"for item in {ast.unparse(node.value)}:\n{indent}yield item"
                    source.change(source.start(statement), source.end(statement), loop)
                case _:
                    pass
        changed = source.changed()
        for name, other in NAMES.items():
            changed = re.sub(rf"(?<![\w`.]){name}(?![\w`])", other, changed)
        changed = changed.replace("contextlib.closing(", "contextlib.aclosing(")
        return re.sub(r"-> (\w+_grpc\.\w+)Stub:", r'-> "\1AsyncStub":', changed)

    def has_twin(self, module: str, names: list[ast.alias]) -> bool:
        """Tell whether names that a module imports come from the asyncio client: its engine, or a class."""
        name = module.removeprefix("pathbook.client.")
        classes = re.findall(r"^class (\w+)", self.modules.get(name, ""), re.MULTILINE)
        return name == "calls" or {item.name for item in names} <= set(classes)

    def docstring(self, text: str) -> str:
        """Return a docstring as the asyncio client has it."""
        for sentence, other in SENTENCES.items():
            if sentence in text:
                self.sentences_used.add(sentence)
                text = text.replace(sentence, other)
        examples = doctest.DocTestParser().get_examples(text.removesuffix('"""'))
        for example in reversed(examples):
            indent = " " * example.indent
            lines = self.example(example.source).rstrip("\n").split("\n")
            prompts = [">>> ", *["... "] * (len(lines) - 1)]
            new = [(indent + prompt + line).rstrip() for prompt, line in zip(prompts, lines, strict=True)]
            before = text.split("\n")
            first, last = example.lineno, example.lineno + example.source.count("\n")
            text = "\n".join([*before[:first], *new, *before[last:]])
        return text

    def example(self, text: str) -> str:
        """Return an example as one writes it with the asyncio client."""
        source = Source(text)
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and of_client(node) in self.coroutines:
                source.awaited(node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "next":
                source.awaited(node)
                source.change(source.start(node.func), source.end(node.func), "anext")
            elif isinstance(node, ast.For | ast.comprehension) and of_client(node.iter) in self.iterators:
                source.made_async(node)
        return re.sub(r"\bClient\b", "AsyncClient", source.changed())


def called(node: ast.AST) -> str:
    """Return the name of the method of `self` that an expression calls, "" if it calls none."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            return name
        case _:
            return ""


def of_client(node: ast.AST) -> str:
    """Return the name of the method of a client that an expression in an example calls, "" if it calls none."""
    match node:
        case ast.Call(func=ast.Attribute(value=client, attr=name)):
            return name if ast.unparse(client).startswith(("client", "Client(")) else ""
        case _:
            return ""


def is_coroutine(function: ast.FunctionDef) -> bool:
    """Tell whether the twin of a function is a coroutine or an async generator."""
    if function.name in ("__enter__", "__exit__"):
        return True
    own = list(own_nodes(function))
    return any(isinstance(node, ast.Yield | ast.YieldFrom) or called(node) in AWAITED for node in own)


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield what is in a function, but not in functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function):
            waiting += ast.iter_child_nodes(node)


def reasons() -> str:
    """Return the module with the names of the reasons in the contract."""
    text = CONTRACT.read_text("utf-8")
    lines = [
        '"""The names of the reasons for which a server refuses a call, generated from the contract."""',
        "import enum",
        "from pathbook.v1 import refusals_pb2",
    ]
    for name, sentence in (
        ("RefusalReason", "Why a book refused a request. ``refusals.proto`` has the sentence of each."),
        (
            "FailureReason",
            "Why a call failed for a reason that is not about its request. See ``refusals.proto``.",
        ),
    ):
        body = re.search(rf"^enum {name} \{{(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
        assert body is not None, name
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
        members = re.findall(rf"^  {prefix}_(\w+) = [1-9]", body[1], re.MULTILINE)
        lines += [f"class {name}(enum.StrEnum):", f'    """{sentence}"""', ""]
        lines += [f'    {member} = "{member}"' for member in members]
        lines += NUMBERED.replace("ENUM", name).replace("PREFIX", prefix).splitlines()
    return "\n".join(lines) + "\n"


def formatted(path: Path, text: str) -> str:
    """Return the text of a module as the formatter writes it, without imports that nothing uses."""
    ruff = str(Path(sys.executable).parent / "ruff")
    for command in (["check", "--fix-only", "--quiet", "--select", "F401,I"], ["format", "--quiet"]):
        arguments = [ruff, *command, "--stdin-filename", str(path), "-"]
        done = subprocess.run(
            arguments, input=text, capture_output=True, text=True, check=True, cwd=ROOT.parent
        )
        text = done.stdout
    return text


def main(arguments: list[str]) -> int:
    """Write or check, and return the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: generate_client.py [--check]", file=sys.stderr)
        return 2
    texts = {CLIENT / "reasons.py": reasons(), **Twin().written()}
    fresh = {path: formatted(path, text) for path, text in texts.items()}
    by_hand = {CLIENT / "aio/__init__.py", CLIENT / "aio/calls.py"}
    generated = {*(CLIENT / "aio").glob("*.py"), CLIENT / "reasons.py"} - by_hand
    present = {path: path.read_text("utf-8") for path in generated if path.exists()}
    differing = [path for path in sorted(fresh | present) if fresh.get(path) != present.get(path)]
    for path in differing:
        state = "differs from its source: run `make proto`" if check else "is rewritten"
        print(f"{path.relative_to(ROOT.parent)} {state}")
        if not check and path in fresh:
            path.write_text(fresh[path], "utf-8")
        elif not check:
            path.unlink()
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
