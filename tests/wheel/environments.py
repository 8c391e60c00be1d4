"""Fresh environments with the wheel and exactly the distributions that it declares."""

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
"""How long one program may take on a busy machine."""

OWN_FOLDERS: Final = ("ledger", "services", "proto", "clients")
"""Names that a user may give to packages of their own, which do not belong to Pathbook."""


def build(directory: Path) -> Path:
    """Build the wheel from the tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


class Environment:
    """A virtual environment outside the clone, for a user who has packages with the names of our folders.

    Attributes:
        user: the directory in which programs run; Python looks for modules there first.
        python: the Python of the environment.
    """

    def __init__(self, directory: Path, wheel: Path, *extras: str) -> None:
        """Install the wheel with its extras.

        pip installs the wheel. The files of its requirements are linked from the environment of the tests.
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
        options = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", str(wheel)]
        self._run([*pip, *options]).check_returncode()
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory / "venv")}))
        (pathbook,) = metadata.distributions(name="pathbook", path=[str(site)])
        for distribution in _required(pathbook, frozenset(extras)):
            _link(distribution, site)

    def run(self, program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with a text on its stdin."""
        return self._run([str(self._scripts / program), *arguments], stdin)

    def _run(self, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.user,
            env=_environment(PYTHONPATH=str(self.user)),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


def _pip() -> str:
    """Return the path of the pip of the tests, which a Python without pip can run."""
    spec = importlib.util.find_spec("pip")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


def _environment(**more: str) -> dict[str, str]:
    """Return the variables of this process without those that lead Python or Pathbook to the clone."""
    leading = ("PYTHON", "PATHBOOK_", "MYPY", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(leading)} | more


def _required(of: metadata.Distribution, extras: frozenset[str]) -> Iterable[metadata.Distribution]:
    """Return the direct and indirect requirements of a distribution, as installed for the tests."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_requirements(of, extras))
    while waiting:
        requirement = waiting.pop()
        distribution = metadata.distribution(requirement.name)
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        key = (distribution.name, frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            found[distribution.name] = distribution
            waiting += _requirements(distribution, key[1])
    return found.values()


def _requirements(of: metadata.Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield the direct requirements of a distribution on this machine."""
    for requirement in map(Requirement, of.requires or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def _link(distribution: metadata.Distribution, site: Path) -> None:
    """Link the files of a distribution into an environment, without its scripts."""
    assert distribution.files, distribution.name
    files = [file for file in distribution.files if ".." not in file.parts]
    for parent in {site / file.parent for file in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for file in files:
        (site / file).symlink_to(str(distribution.locate_file(file)))
