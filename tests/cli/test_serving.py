"""A server that the command line starts serves its verbs."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import pathbook


def test_a_server_serves_and_is_followed(tmp_path: Path) -> None:
    """A server prints its address, and events are followed as they are recorded. SIGTERM stops the server."""
    command = [sys.executable, "-c", "from pathbook.cli.main import main; main()"]
    with subprocess.Popen(
        [*command, "serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--open"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        address = serving.stdout.readline().split()[-1]
        refused = pathbook("--server", address, "party", "register", "b", "--kind", "brand")
        assert (refused.code, refused.out) == (1, "")
        assert "BOOK_UNKNOWN" in refused.err
        assert "`pathbook book open book`" in refused.err
        assert pathbook("--server", address, "book", "open", "book").code == 0
        with subprocess.Popen(
            [*command, "--server", address, "events", "follow", "--after", "0", "--output", "jsonl"],
            stdout=subprocess.PIPE, text=True,
        ) as following:  # fmt: skip
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["position"] == "1"
            assert pathbook("--server", address, "party", "register", "b", "--kind", "brand").code == 0
            assert json.loads(following.stdout.readline())["position"] == "2"
            following.terminate()
        serving.terminate()
        assert serving.wait(30) == 0
