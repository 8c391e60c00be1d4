"""README's session with tokens and TLS: each side acts with its own token, and the buyer has none."""

import re
import shlex
from pathlib import Path

import grpc
import pytest

from pathbook.cli import local
from pathbook.cli.settings import Books
from pathbook.client import Client
from pathbook.services.run.certificates import CertificateFiles
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.access.test_certificates import make_certificate
from tests.cli.conftest import pathbook
from tests.services.masks import begin, refused

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")


def test_the_readmes_session_with_tokens_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command succeeds. What one side may not do for the other fails."""
    serve, export, *lines = re.findall(
        r"^\$ (.*)$",
        README.partition("each act from their own side")[2].partition("\n```\n\n")[0],
        re.MULTILINE,
    )
    monkeypatch.chdir(tmp_path)
    files = CertificateFiles(Path("server.pem"), Path("server.key"))
    for made, to in zip(make_certificate(tmp_path, "made").present, files.present, strict=True):
        made.rename(to)
    assert f"--cert {files.chain} --cert-key {files.key}" in serve
    settings = Settings(data=Path("books"), listen="127.0.0.1:0", demands_tokens=True, certificate=files)
    code = ""
    with running(settings) as port:
        for name, _, value in (each.partition("=") for each in export.split()[1:]):
            monkeypatch.setenv(name, value.replace("50551", str(port)))
        ran = None
        for line in lines:
            ran = pathbook(*shlex.split(line.replace("CODE", code))[1:])
            assert ran.code == 0, (line, ran)
            code = ran.out.split()[-1] if " codes " in line else code
        assert ran is not None
        assert "verified" in ran.out.lower(), ran
        token = ("--token-file", "ann.token")
        ran = pathbook(
            "offer", *["--giver", "acme", "--receiver", "ann", "--units", "1:50", "--price", "1CNY"], *token
        )
        assert (ran.code, "ann" in ran.err) == (1, True), ran
        ran = pathbook("stock", "acme", *token)
        assert (ran.code, "There is no party acme" in ran.err) == (1, True), ran
        ran = pathbook("stock", "ann")
        assert (ran.code, "--token-file FILE" in ran.err) == (4, True), ran
        monkeypatch.setenv("PATHBOOK_TOKEN", Path("ann.token").read_text("ascii"))
        assert pathbook("stock", "ann").code == 0
        ran = pathbook("stock", "ann", "--token-file", "none.token")
        assert (ran.code, "cannot be read: none.token" in ran.err) == (2, True), ran


def test_a_server_inside_a_command_answers_that_command_only(tmp_path: Path) -> None:
    """Another caller on the machine finds its port and is the public, also while it has a book open."""
    with local.serving(Books(str(tmp_path / "books"))) as (target, token):
        with Client(target, book="masks", token=token, retry_seconds=0) as own:
            begin(own)
        with Client(target, book="masks", retry_seconds=0) as stranger:
            with refused("CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
                next(stranger.list_parties())
            with refused("TOKEN_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
                next(stranger.with_options(token="x").list_parties())
    assert not (tmp_path / "books" / "operator.token").exists()
