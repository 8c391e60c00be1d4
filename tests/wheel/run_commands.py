"""A program: run the command lines that stdin lists in JSON, and print what came of each.

It runs in the environment that is tested, all command lines in one process: starting one for each takes longer.
"""

import contextlib
import io
import json
import sys

from pathbook.cli.main import run


def ran(arguments: list[str]) -> tuple[int, str, str]:
    """Run a command line; return its exit code, and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return int(code), out.getvalue(), err.getvalue()


if __name__ == "__main__":
    print(json.dumps([ran(arguments) for arguments in json.load(sys.stdin)]))
