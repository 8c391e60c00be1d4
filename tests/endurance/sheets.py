"""The sheets that are imported while processes are killed, and how a verb is run."""

import subprocess
from pathlib import Path
from typing import Final

from tests.books import PATIENCE
from tests.importing.sheets import GIN, RUM, sold, write
from tests.services.process import COMMAND

BOOK: Final = "masks"

SHEET_ROWS: Final = 600
"""How many rows each sheet has. An import of them takes about as long as two kills are apart."""


def run_verb(*arguments: str) -> str:
    """Run a verb of the command line in a process of its own, and return what it printed."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def write_sheet(directory: Path, number: int) -> Path:
    """Write the sheet of a number. All sheets differ in their stores."""
    rows = (sold(RUM if row % 3 else GIN, 1 + row % 7, f"{number}{row % 40:02}") for row in range(SHEET_ROWS))
    return write(directory / f"sheet-{number}.csv", rows)
