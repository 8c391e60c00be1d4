"""The command line calls a server behind TLS, if it is told which certificates to trust."""

from pathlib import Path

import pytest

from tests.cli.conftest import pathbook
from tests.client.relay import certified, relayed


def test_a_server_behind_tls_is_called_with_the_certificates_named(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PATHBOOK_CA the verbs of --server work as without TLS."""
    certificate = certified(tmp_path)
    with relayed(server, certificate) as relay:
        monkeypatch.setenv("PATHBOOK_CA", str(tmp_path / "chain.pem"))
        safe = pathbook("--server", relay.target, "--output", "json", "party", "list")
        monkeypatch.delenv("PATHBOOK_CA")
    bare = pathbook("--server", server, "--output", "json", "party", "list")
    assert (safe.code, safe.out) == (0, bare.out)


def test_certificates_that_cannot_be_read_are_a_usage_error(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the variable, the file and the problem."""
    monkeypatch.setenv("PATHBOOK_CA", str(tmp_path / "none.pem"))
    wrong = pathbook("--server", server, "party", "list")
    assert wrong.code == 2
    assert "PATHBOOK_CA" in wrong.err
    assert "none.pem" in wrong.err
