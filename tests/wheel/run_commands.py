"""A program that runs the command lines that its stdin lists in JSON, and prints the result of each.

It runs in the tested environment. All command lines run in one process, because a process for each takes longer.
"""

import contextlib
import io
import json
import sys

from pathbook.cli.main import run


def ran(arguments: list[str]) -> tuple[int, str, str]:
    """Run a command line, and return its exit code and its output."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return int(code), out.getvalue(), err.getvalue()


if __name__ == "__main__":
    print(json.dumps([ran(arguments) for arguments in json.load(sys.stdin)]))
