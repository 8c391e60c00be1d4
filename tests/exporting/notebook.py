"""Runs the cells of the notebook in docs without Jupyter."""

import contextlib
import io
import json
from pathlib import Path
from typing import Final

NOTEBOOK: Final = Path(__file__).resolve().parents[2] / "docs" / "analysis.ipynb"


def run_notebook() -> dict[str, object]:
    """Run all code cells in the current directory, as one program, and return its variables."""
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    variables: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), variables)
    return variables
