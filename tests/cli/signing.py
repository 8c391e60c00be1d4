"""A book on disk in which parties sign by the command line, with key files of one passphrase."""

from pathlib import Path
from typing import Final

from tests.cli.conftest import Ran, pathbook

GTIN: Final = "06901234500011"
ORIGIN: Final = "pathbook/book"


class SigningBook:
    """A directory with a signed book, and key files of its parties beside it."""

    def __init__(self, place: Path) -> None:
        """Begin a book whose operator has a key."""
        self.place = place
        self.secret = place / "secret"
        self.secret.write_text("correct horse\n")
        self.ran("book", "open", "book", "--signed")
        self.new("operator")
        self.ran("keys", "register", self.key("operator"), *self.by("operator"))

    def ran(self, *arguments: str, code: int = 0) -> Ran:
        """Run a command on the book. It exits with a code."""
        ran = pathbook(*arguments, "--data", str(self.place / "books"))
        assert ran.code == code, ran
        return ran

    def key(self, name: str) -> str:
        """Return the file of a key."""
        return str(self.place / f"{name}.key")

    def by(self, name: str) -> list[str]:
        """Return the options to sign with a key."""
        return ["--sign-with", self.key(name), "--passphrase-file", str(self.secret)]

    def new(self, name: str, party: str = "", *more: str) -> str:
        """Make a key file, and return its public key as text."""
        line = ["keys", "new", self.key(name), "--origin", ORIGIN, "--passphrase-file", str(self.secret)]
        made = pathbook(*line, *(["--party", party] if party else []), *more, "--output", "json")
        assert made.code == 0, made
        return str(made.json()["key"])

    def register(self, name: str, endorser: str, *more: str, code: int = 0) -> Ran:
        """Register the key in a file, endorsed with another."""
        return self.ran("keys", "register", self.key(name), *self.by(endorser), *more, code=code)

    def keys_of(self, party: str) -> list[dict[str, object]]:
        """Return the keys of a party, as they are printed for scripts."""
        found = self.ran("keys", "list", *([party] if party else []), "--output", "json").json()["keys"]
        assert isinstance(found, list)
        return found

    def in_force(self, party: str) -> list[object]:
        """Return the public keys of a party that count."""
        return [key["key"] for key in self.keys_of(party) if key["revoked_position"] == "0"]
