"""Fresh environments with the wheel in them, and of all other distributions those that it declares, and no more."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[2]

TIMEOUT_S: Final = 120.0
"""How long one program may take, on a machine that is busy."""

OWN_FOLDERS: Final = ("ledger", "services", "proto", "clients")
"""How a user may call packages of their own, which are nothing to Pathbook."""


def build(directory: Path) -> Path:
    """Build the wheel from the tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


class Environment:
    """A virtual environment outside the clone, in which a user works who has packages named as our folders are.

    Attributes:
        user: the directory in which programs run; Python looks for modules there first.
        python: its Python.
    """

    def __init__(self, directory: Path, wheel: Path, *extras: str) -> None:
        """Install the wheel with its extras.

        pip installs the wheel itself. The files of what it requires are linked from the environment of the tests.
        """
        assert not directory.is_relative_to(ROOT), directory
        venv.create(directory / "venv", symlinks=True)
        self._scripts = directory / "venv" / "bin"
        self.python = self._scripts / "python"
        self.user = directory / "user"
        for name in OWN_FOLDERS:
            package = self.user / name / "__init__.py"
            package.parent.mkdir(parents=True)
            package.write_text(f"raise RuntimeError('{name} is the user\\'s own')\n", "utf-8")
        pip = [str(self.python), _pip(), "--isolated", "install", "--quiet"]
        alone = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", str(wheel)]
        self._run([*pip, *alone]).check_returncode()
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory / "venv")}))
        (pathbook,) = metadata.distributions(name="pathbook", path=[str(site)])
        for distribution in _required(pathbook, frozenset(extras)):
            _link(distribution, site)

    def run(self, program: str, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, and tell it something on stdin."""
        return self._run([str(self._scripts / program), *arguments], said)

    def _run(self, command: list[str], said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.user,
            env=_environment(PYTHONPATH=str(self.user)),
            input=said,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


def _pip() -> str:
    """Return where the pip of the tests is: any Python can run it, one that has none of its own, too."""
    spec = importlib.util.find_spec("pip")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


def _environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what leads Python or Pathbook to the clone."""
    leading = ("PYTHON", "PATHBOOK_", "MYPY", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(leading)} | more


def _required(of: metadata.Distribution, extras: frozenset[str]) -> Iterable[metadata.Distribution]:
    """Return what a distribution requires with its extras, directly or not, as it is installed for the tests."""
    found: dict[str, metadata.Distribution] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_requirements(of, extras))
    while waiting:
        requirement = waiting.pop()
        distribution = metadata.distribution(requirement.name)
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        ask = (distribution.name, frozenset(requirement.extras))
        if ask not in asked:
            asked.add(ask)
            found[distribution.name] = distribution
            waiting += _requirements(distribution, ask[1])
    return found.values()


def _requirements(of: metadata.Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield what a distribution itself requires on this machine."""
    for requirement in map(Requirement, of.requires or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def _link(distribution: metadata.Distribution, site: Path) -> None:
    """Let an environment have the files of a distribution, but for its scripts."""
    assert distribution.files, distribution.name
    files = [file for file in distribution.files if ".." not in file.parts]
    for parent in {site / file.parent for file in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for file in files:
        (site / file).symlink_to(str(distribution.locate_file(file)))
