"""The second verifier, which Node.js runs: the demo shows that it says of a proof what the first one says."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from pathbook.cli import printing

VERIFIER: Final = "clients/web/verify.mjs"
"""Where the second verifier is in a checkout. A wheel does not have it."""

PROOF: Final = "box.tlog-proof"
"""The name of the proof file of the demo."""

LONGEST_S: Final = 60.0
"""How long Node.js may take. It takes a fifth of a second."""


def show(directory: Path, proof: bytes, key: str, options: list[str], *, on_stderr: bool) -> None:
    """Verify a proof with Node.js, which asks no server, or say why that is not done.

    Args:
        directory: to which the proof is written.
        proof: the file.
        key: of the log.
        options: what the verifier is given beside the file and the key: the unit, the day.
        on_stderr: whether the answer is printed there, because scripts read stdout.
    """
    node, script = shutil.which("node"), Path(__file__).resolve().parents[3] / VERIFIER
    (directory / PROOF).touch(0o600)  # as the files of the book beside it
    (directory / PROOF).write_bytes(proof)
    if node is None or not script.exists():
        lacking = "Node.js" if node is None else VERIFIER
        printing.echo(f"\nA second verifier was not tried, because {lacking} is not here.", err=on_stderr)
        return
    sentence = "The server is stopped. A program in another language verifies the proof that the buyer kept:"
    typed = f"$ node {VERIFIER} {PROOF} {' '.join(options)} \\\n  {key}"
    printing.echo(f"\n{sentence}\n\n{typed}\n", err=on_stderr)
    ran = subprocess.run(  # noqa: S603 - the program and the script are known
        [node, str(script), PROOF, *options, key],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    printing.echo((ran.stdout or ran.stderr).rstrip(), err=on_stderr)
