"""Compiles the pure rooms of the ledger with mypyc, for a wheel or beside their sources.

A wheel gets compiled modules if PATHBOOK_COMPILE is 1 when it is built. The compiler is required only then.
As a program, this file compiles beside the sources: `make compiled`.
"""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).resolve().parent
LEDGER: Final = Path("ledger", "pathbook", "ledger")
BUILD: Final = Path("build")

COMPILED: Final = (
    "codec/*.py",
    "projections/*.py",
    "reports/ladder.py",
    "rules/*.py",
    "applying.py",
    "chains.py",
    "hops.py",
    "moves.py",
    "ranges.py",
    "runs.py",
    "spans.py",
)

READ: Final = ("*.py", "codec/*.py", "projections/*.py", "reports/*.py", "rules/*.py")
"""All sources that compiled code depends on: mypyc compiles in the types and constants of modules it imports."""


class CompilingHook(BuildHookInterface[BuilderConfig]):
    """Puts compiled modules into a wheel beside their sources. Its tag then names Python and the machine."""

    def dependencies(self) -> list[str]:
        """Return what compiling needs: the compiler, and the types of all that the ledger imports."""
        if not _is_asked():
            return []
        core = self.metadata.core
        compilers = [one for one in core.optional_dependencies["dev"] if one.startswith("mypy[mypyc]")]
        return [*compilers, *core.dependencies]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless it is not asked for or the tree is installed as it is."""
        if _is_asked() and version == "standard":
            modules = compile_modules()
            build_data["force_include"] |= {str(module): str(inside) for inside, module in modules.items()}
            build_data["pure_python"], build_data["infer_tag"] = False, True


def _is_asked() -> bool:
    return os.environ.get("PATHBOOK_COMPILE") == "1"


def compile_modules(opt_level: str = "3") -> dict[Path, Path]:
    """Compile, and return the files by their paths in a source root. What has not changed is not compiled again.

    The C compiler optimizes as far as ``opt_level``. "0" takes a quarter of the time of "3".
    """
    from mypyc.build import mypycify
    from setuptools import Distribution

    with contextlib.chdir(ROOT):
        sources = [path for pattern in COMPILED for path in sorted(LEDGER.glob(pattern))]
        paths = [str(path) for path in sources if path.name != "__init__.py"]
        extensions = mypycify(
            paths,
            opt_level=opt_level,
            debug_level="0",
            group_name="pathbook.ledger.rooms",
            target_dir=str(BUILD),
        )
        command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(BUILD / "compiled"), str(BUILD / "objects")
        command.ensure_finalized()
        command.run()
        return {
            Path(command.get_ext_filename(one.name)): ROOT / command.get_ext_fullpath(one.name)
            for one in extensions
        }


def compile_in_place(opt_level: str = "3") -> None:
    """Put compiled modules beside their sources, with the hashes of these."""
    ledger = ROOT / LEDGER
    sources = [path for pattern in READ for path in sorted(ledger.glob(pattern))]
    hashes = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ledger)}\n" for path in sources
    ]
    modules = compile_modules(opt_level)
    (ledger / "compiled.sha256").write_text("".join(hashes), "utf-8")
    for inside, module in modules.items():
        shutil.copyfile(module, ROOT / "ledger" / inside)


if __name__ == "__main__":
    compile_in_place()
