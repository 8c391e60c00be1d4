"""The certificate of a server, for TLS: read from two files, and read again when they are renewed.

gRPC asks for the certificate at each new connection. So each worker looks at the files by itself, and no server has to
be started again.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, cast

import grpc
import structlog

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]


class CertificateFiles(NamedTuple):
    """The files of a certificate.

    Attributes:
        chain: the certificate of the server and those above it, in PEM.
        key: its private key, in PEM, without a passphrase.
        client_ca: the certificates by which those of callers are trusted, in PEM. Then every caller must have one. None
            asks for none.
    """

    chain: Path
    key: Path
    client_ca: Path | None = None

    @property
    def present(self) -> list[Path]:
        """The files that there are."""
        return [file for file in self if file is not None]

    def require_pair(self) -> None:
        """Require that the key is that of the certificate.

        Raises:
            ValueError: it is not, or a file is no PEM. The message names the file.
            OSError: a file cannot be read.
        """
        for file in self.present:
            file.open("rb").close()
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.chain, self.key, _no_passphrase)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except ssl.SSLError as error:
            raise ValueError(
                f"{' and '.join(map(str, self.present))} are no certificate and its key: {error.reason or error}."
            ) from None


RENEWED: Final = "the certificate was renewed"


class Certificates:
    """Hands the certificate in files to gRPC, and its next one once both files of it are there."""

    def __init__(self, files: CertificateFiles) -> None:
        """Read the files. Raises as `CertificateFiles.require_pair`."""
        self._files = files
        files.require_pair()
        self._stamp = self._looked()
        self._refused: _Stamp = ()

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a server listens with."""
        # its stubs leave out that None says that nothing changed
        renewed = cast("Callable[[], grpc.ServerCertificateConfiguration]", self._renewed)
        is_mutual = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(self._read(), renewed, is_mutual)

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the certificate if its files changed, else None. A pair that does not fit is not taken."""
        stamp: _Stamp = ()
        try:
            stamp = self._looked()
            if stamp in (self._stamp, self._refused):
                return None
            self._files.require_pair()
            read = self._read()
        except (OSError, ValueError) as error:
            self._refused = stamp
            _LOG.warning("the renewed certificate cannot be used, so the one before is", problem=str(error))
            return None
        self._stamp = stamp
        _LOG.info(RENEWED, file=str(self._files.chain))
        return read

    def _read(self) -> grpc.ServerCertificateConfiguration:
        pair = (self._files.key.read_bytes(), self._files.chain.read_bytes())
        trusted = None if self._files.client_ca is None else self._files.client_ca.read_bytes()
        return grpc.ssl_server_certificate_configuration([pair], trusted)

    def _looked(self) -> _Stamp:
        found = [file.stat() for file in self._files.present]
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


def _no_passphrase() -> str:
    """Return no passphrase: OpenSSL would ask for one on the terminal."""
    return ""
