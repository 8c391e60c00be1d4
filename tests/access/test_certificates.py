"""A server speaks TLS beyond its machine, and takes a renewed certificate without a new start."""

import contextlib
import logging
import shutil
import subprocess
import time
from pathlib import Path

import grpc
import pytest

from pathbook.client import Client, UnreachableError
from pathbook.services.access.known_tokens import LOOK_EVERY_S
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.run.certificates import CertificateFiles
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.tokens_pb2 import TOKEN_ROLE_AUDITOR, TOKEN_ROLE_PARTY
from tests.cli.conftest import pathbook
from tests.services.masks import begin, refused


def make_certificate(directory: Path, name: str) -> CertificateFiles:
    """Make a self-signed certificate for 127.0.0.1."""
    files = CertificateFiles(directory / f"{name}.pem", directory / f"{name}.key")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-out", str(files.chain), "-keyout", str(files.key),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return files


def make_signed(directory: Path, name: str, ca: CertificateFiles, *, spiffe: str = "") -> CertificateFiles:
    """Make a certificate of a caller, which a CA signs. Its subject is CN=NAME,O=Acme."""
    files, request = (
        CertificateFiles(directory / f"{name}.pem", directory / f"{name}.key"),
        directory / "request",
    )
    names = ["-addext", f"subjectAltName=URI:{spiffe}"] if spiffe else []
    for arguments in (
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/O=Acme/CN={name}",
         *names, "-out", str(request), "-keyout", str(files.key)],
        ["x509", "-req", "-in", str(request), "-CA", str(ca.chain), "-CAkey", str(ca.key), "-CAcreateserial",
         "-days", "2", "-copy_extensions", "copy", "-out", str(files.chain)],
    ):  # fmt: skip
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return files


def answers(port: int, trusted: Path) -> bool:
    """Return whether a server answers a new connection that trusts a certificate."""
    credentials = grpc.ssl_channel_credentials(trusted.read_bytes())
    with Client(f"127.0.0.1:{port}", book="masks", credentials=credentials, retry_seconds=0) as client:
        try:
            return bool(client.get_version().version)
        except UnreachableError:
            return False


def test_a_renewed_certificate_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New connections get it once both files are there. A pair that does not fit changes nothing, and is logged."""
    first, second = make_certificate(tmp_path, "first"), make_certificate(tmp_path, "second")
    files = CertificateFiles(tmp_path / "server.pem", tmp_path / "server.key")
    for origin, to in zip(first.present, files.present, strict=True):
        shutil.copy(origin, to)
    settings = Settings(data=tmp_path / "books", listen="127.0.0.1:0", certificate=files)
    with running(settings, logging.INFO) as port:
        assert answers(port, first.chain)
        assert not answers(port, second.chain)
        shutil.copy(second.chain, files.chain)
        assert answers(port, first.chain)
        shutil.copy(second.key, files.key)
        assert answers(port, second.chain)
        assert not answers(port, first.chain)
    log = capsys.readouterr().err
    assert log.count("the renewed certificate cannot be used") == 1
    assert log.count("the certificate was renewed") == 1


def test_a_server_beyond_its_machine_needs_a_certificate(tmp_path: Path) -> None:
    """`serve` refuses to listen without TLS, and refuses a certificate with another key."""
    serve = ("serve", "--data", str(tmp_path / "books"), "--listen", "0.0.0.0:0")
    ran = pathbook(*serve)
    assert (ran.code, "Other machines reach 0.0.0.0:0" in ran.err) == (2, True), ran
    assert "--insecure-network" in ran.err
    first, second = make_certificate(tmp_path, "first"), make_certificate(tmp_path, "second")
    ran = pathbook(*serve, "--cert", str(first.chain), "--cert-key", str(second.key))
    assert (ran.code, "are no certificate and its key" in ran.err) == (2, True), ran
    ran = pathbook(*serve, "--cert", str(first.chain))
    assert (ran.code, "--cert and --cert-key belong together" in ran.err) == (2, True), ran
    assert not (tmp_path / "books").exists()


def test_a_client_certificate_stands_in_the_place_of_a_secret(tmp_path: Path) -> None:
    """A SPIFFE id and a subject are known by their tokens. Another trusted certificate is the public's."""
    files, ca, other_ca = (make_certificate(tmp_path, name) for name in ("server", "ca", "other"))
    ann = make_signed(tmp_path, "ann", ca, spiffe="spiffe://acme.example/ann")
    bob, eve = make_signed(tmp_path, "bob", ca), make_signed(tmp_path, "eve", ca)
    forged = make_signed(tmp_path, "forged", other_ca, spiffe="spiffe://acme.example/ann")
    settings = Settings(
        data=tmp_path / "books",
        listen="127.0.0.1:0",
        demands_tokens=True,
        certificate=files._replace(client_ca=ca.chain),
    )
    with running(settings) as port, contextlib.ExitStack() as stack:

        def client(of: CertificateFiles | None, token: str = "", book: str = "masks") -> Client:
            pair = (None, None) if of is None else (of.key.read_bytes(), of.chain.read_bytes())
            credentials = grpc.ssl_channel_credentials(files.chain.read_bytes(), *pair)
            made = Client(
                f"127.0.0.1:{port}", book=book, credentials=credentials, token=token, retry_seconds=0
            )
            return stack.enter_context(made)

        secret = (settings.data / OPERATOR_TOKEN_FILE).read_text("ascii").strip()
        operator, second = client(eve, secret), client(eve, secret, "second")
        begin(operator)
        made = operator.create_token(TOKEN_ROLE_PARTY, "ann", certificate="spiffe://acme.example/ann")
        assert not made.text
        operator.create_token(TOKEN_ROLE_PARTY, "bob", certificate="CN=bob,O=Acme")
        second.open_book()
        auditing = second.create_token(TOKEN_ROLE_AUDITOR, certificate="CN=bob,O=Acme")
        time.sleep(LOOK_EVERY_S + 0.2)
        assert list(client(ann).list_stock("ann")) == []
        assert list(client(bob).list_stock("bob")) == []
        assert list(client(bob, book="second").list_parties()) == []
        with refused("ROLE_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED):
            list(client(bob).list_parties())
        with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            list(client(ann).list_stock("bob"))
        with refused("CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
            list(client(eve).list_stock("bob"))
        for stranger in (None, forged):
            with pytest.raises(UnreachableError):
                client(stranger).get_version()
        operator.revoke_token(made.token.token)
        second.revoke_token(auditing.token.token)
        time.sleep(LOOK_EVERY_S + 0.2)
        with refused("TOKEN_REVOKED", grpc.StatusCode.UNAUTHENTICATED):
            client(ann).get_head()
        assert list(client(bob).list_stock("bob")) == []
        with refused("CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
            list(client(bob, book="second").list_parties())
        with refused("TOKEN_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
            client(eve, f"{made.token.token}.{'A' * 43}").get_head()
