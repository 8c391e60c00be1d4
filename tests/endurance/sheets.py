"""The sheets that are imported while processes are killed, and how a verb is run."""

from pathlib import Path
from typing import Final

from tests.importing.sheets import GIN, RUM, sold, write
from tests.services.forking import PipedFork

BOOK: Final = "masks"

SHEET_ROWS: Final = 600
"""How many rows each sheet has. An import of them takes about as long as two kills are apart."""


def run_verb(*arguments: str) -> str:
    """Run a verb of the command line in a process of its own, and return what it printed."""
    process = PipedFork(*arguments)
    out, told = process.communicate()
    assert process.returncode == 0, (process.returncode, told)
    return out


def write_sheet(directory: Path, number: int) -> Path:
    """Write the sheet of a number. All sheets differ in their stores."""
    rows = (sold(RUM if row % 3 else GIN, 1 + row % 7, f"{number}{row % 40:02}") for row in range(SHEET_ROWS))
    return write(directory / f"sheet-{number}.csv", rows)
