"""The compiled modules: they pass the tests of the pure rooms, and old ones are refused.

The tree is copied and compiled there with mypyc, without optimization, which takes a quarter of the time. Without a C
compiler these tests are skipped. `make compiled` compiles the tree itself; then all tests run over compiled modules.
"""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Final

import pytest

import hatch_build
from pathbook.ledger import compiled
from tests.wheel.environments import ROOT, Environment, build

TIMEOUT_S: Final = 900.0

OVER_COMPILED: Final = (
    "rules", "projections", "test_chains.py", "test_codec.py", "test_event_table.py", "test_every_event.py",
    "test_malformed_events.py", "test_stored_format.py",
)  # fmt: skip
"""The tests of the rooms that are compiled."""

_COMPILER: Final = str(sysconfig.get_config_var("CC") or "cc").split()[0]

needs_compiler = pytest.mark.skipif(
    shutil.which(_COMPILER) is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason=f"The pure rooms cannot be compiled here: {_COMPILER} or Python.h is missing.",
)


def run(*arguments: str, at: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, with more variables."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=at,
        env={**own, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def tell_kind(tree: Path) -> subprocess.CompletedProcess[str]:
    """Import the ledger of a tree, and print its kind."""
    program = "from pathbook.ledger import compiled, runs; print(compiled.kind())"
    return run("-c", program, at=tree, PYTHONPATH=str(tree / "ledger"))


@needs_compiler
@pytest.mark.heavy
def test_compiled_modules_do_what_their_sources_say(tmp_path: Path) -> None:
    """The tests of the pure rooms pass over compiled modules. Once a source has changed, these are refused."""
    for name in ("ledger", "proto", "hatch_build.py", "pyproject.toml"):
        if (ROOT / name).is_dir():
            without = shutil.ignore_patterns("*.so", compiled.HASHES, "__pycache__")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
        else:
            shutil.copy(ROOT / name, tmp_path)
    done = run("-c", "import hatch_build; hatch_build.compile_in_place('0')", at=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tell_kind(tmp_path).stdout == "compiled\n"

    tests = [f"tests/{name}" for name in OVER_COMPILED]
    path = str(tmp_path / "ledger")
    done = run("-m", "pytest", "-p", "no:cacheprovider", *tests, at=ROOT, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout[-5_000:]

    values = tmp_path / hatch_build.LEDGER / "values.py"
    values.write_text(values.read_text("utf-8") + "# changed\n", "utf-8")
    refused = tell_kind(tmp_path)
    assert refused.returncode == 1
    assert "values.py changed after `make compiled`" in refused.stderr
    for module in (tmp_path / "ledger").rglob("*.so"):
        module.unlink()
    assert tell_kind(tmp_path).stdout == "pure\n"


def test_the_hashes_cover_all_that_compiled_code_depends_on() -> None:
    """The sources that are hashed import no other module of the ledger, because its constants are compiled in."""
    ledger = ROOT / hatch_build.LEDGER
    hashed = {path for pattern in hatch_build.READ for path in ledger.glob(pattern)}
    assert {path for pattern in hatch_build.COMPILED for path in ledger.glob(pattern)} <= hashed
    seen, waiting = set[Path](), [path for pattern in hatch_build.COMPILED for path in ledger.glob(pattern)]
    while waiting:
        source = waiting.pop()
        if source not in seen:
            seen.add(source)
            waiting += _imported(ledger, source)
    assert seen <= hashed


def _imported(ledger: Path, source: Path) -> list[Path]:
    names = []
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    places = [ledger.joinpath(*name.split(".")[2:]) for name in names if name.startswith("pathbook.ledger.")]
    return [
        path
        for place in places
        for path in (place.with_suffix(".py"), place / "__init__.py")
        if path.exists()
    ]


def test_only_a_wheel_that_asks_for_compiled_modules_requires_the_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pure wheel and an editable tree need no compiler. The version of mypy stands once, in pyproject.toml."""
    program = "import hatchling.build as b; print(*b.get_requires_for_build_wheel(), sep='\\n')"
    monkeypatch.delenv("PATHBOOK_COMPILE", raising=False)
    assert run("-c", program, at=ROOT).stdout == "\n"
    asked = run("-c", program, at=ROOT, PATHBOOK_COMPILE="1").stdout.splitlines()
    (compiler,) = [one for one in asked if one.startswith("mypy")]
    assert compiler in (ROOT / "pyproject.toml").read_text("utf-8")
    assert any(one.startswith("types-protobuf") for one in asked)


@pytest.mark.heavy
@needs_compiler
def test_a_compiled_wheel_runs_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel that is built with PATHBOOK_COMPILE=1 names the machine, and its command says that it is compiled."""
    monkeypatch.setenv("PATHBOOK_COMPILE", "1")
    wheel = build(tmp_path / "wheel")
    assert not wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sum(name.endswith(".so") for name in names) > len(hatch_build.COMPILED)
    assert f"pathbook/ledger/{compiled.HASHES}" not in names
    environment = Environment(tmp_path / "environment", wheel, "server")
    assert environment.run("pathbook", "--version").stdout.endswith(" (compiled)\n")
    demo = environment.run("pathbook", "demo", "--today", "2026-11-22")
    assert (demo.returncode, demo.stderr) == (0, "")
