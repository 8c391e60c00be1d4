"""PostgreSQL's own programs, pg_dump and pg_restore: they are found, and run."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pathbook.services.backup.errors import BackupError, Reason

DEBIAN_PROGRAMS: Final = Path("/usr/lib/postgresql")
"""The place where Debian keeps a directory of programs for each version of PostgreSQL."""

PROGRESS_INTERVAL_S: Final = 0.2
"""How often the size of a dump is looked at while it is written."""

LOCK_TIMEOUT_MS: Final = 30_000
"""How long pg_dump waits for a table that is locked. Nothing in Pathbook locks one for long."""


def find_program(name: str, version: int) -> Path:
    """Return the oldest installed program that is at least of a major version. An older one refuses newer servers.

    Raises:
        BackupError: there is none.
    """
    on_path = shutil.which(name)
    candidates = [*DEBIAN_PROGRAMS.glob(f"*/bin/{name}"), *([Path(on_path)] if on_path else [])]
    found = sorted((_version(path), path) for path in candidates)
    for of_program, path in found:
        if of_program >= version:
            return path
    raise BackupError(Reason.PROGRAM_MISSING, what=name, version=version)


def _version(program: Path) -> int:
    try:
        printed = subprocess.run(  # noqa: S603 - a program that was found by its name
            [program, "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = re.search(r"\d+", printed.partition(")")[2])
    return int(number[0]) if number else 0


def dump(
    program: Path, words: str, password: str, schema: str, target: Path, progress: Callable[[int], None]
) -> None:
    """Write one schema of a database to a file, at one snapshot. ``progress`` is called with its size in bytes.

    Raises:
        BackupError: the program failed. The message has what it said.
    """
    arguments = [
        *("--format=custom", f"--schema={schema}", "--no-owner", "--no-privileges", "--no-password"),
        *(f"--lock-wait-timeout={LOCK_TIMEOUT_MS}", f"--file={target}", f"--dbname={words}"),
    ]
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    with _started(program, arguments, environment, subprocess.DEVNULL) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PROGRESS_INTERVAL_S)
                return
            progress(target.stat().st_size if target.exists() else 0)


@contextlib.contextmanager
def printed(program: Path, dumped: Path, *options: str) -> Iterator[Iterator[bytes]]:
    """Yield the lines that pg_restore prints of a dump. The block must read them all, or raise.

    Raises:
        BackupError: the program failed.
    """
    arguments = ["--file=-", "--no-owner", "--no-privileges", *options, str(dumped)]
    with _started(program, arguments, dict(os.environ), subprocess.PIPE) as process:
        assert process.stdout is not None
        yield iter(process.stdout)


@contextlib.contextmanager
def _started(
    program: Path, arguments: Sequence[str], environment: dict[str, str], out: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program during a block, and raise what it complained about."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - arguments of our own, and no shell
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=complaints, env=environment
        )
        try:
            yield process
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()
        if code:
            complaints.seek(0)
            said = " ".join(complaints.read(2_000).decode("utf-8", "replace").split()).rstrip(".")
            raise BackupError(Reason.PROGRAM_FAILED, what=f"{program.name} failed ({code}): {said}.")
