"""Trust policies (c2sp.org/tlog-policy): which logs are known, and which witnesses must have cosigned a checkpoint."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pathbook.ledger.proofs.signed_note import (
    COSIGNATURE,
    ED25519,
    SUBTREE_COSIGNATURE,
    VerifierKey,
    require_name,
)
from pathbook.ledger.proofs.text import MalformedTextError, parse_decimal

MAX_BYTES: Final = 1_000_000
"""The most bytes of a policy file."""

MAX_LINES: Final = 1_000
"""The most lines of a policy that say something. The specification demands 32 logs, witnesses and groups at least."""

NO_QUORUM: Final = "none"
"""The name of the quorum that demands no witness."""

_ALLOWED: Final = frozenset({0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)})


class Group(msgspec.Struct, frozen=True):
    """A group of witnesses and groups. It has witnessed a checkpoint if ``needed`` of its members have."""

    needed: int
    members: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True):
    """Whom a verifier trusts.

    Attributes:
        logs: the keys of known logs.
        witnesses: the keys of known witnesses, by their names in the policy.
        groups: by their names in the policy.
        quorum: the name of the witness or group that must have witnessed a checkpoint, or NO_QUORUM.
        urls: where logs and witnesses are reached, by key.
    """

    logs: tuple[VerifierKey, ...] = ()
    witnesses: Mapping[str, VerifierKey] = {}
    groups: Mapping[str, Group] = {}
    quorum: str = NO_QUORUM
    urls: Mapping[VerifierKey, str] = {}

    def is_met(self, has_cosigned: Callable[[VerifierKey], bool]) -> bool:
        """Tell whether the quorum is met, if ``has_cosigned`` tells which witnesses have cosigned."""
        met = {NO_QUORUM: True} | {name: has_cosigned(key) for name, key in self.witnesses.items()}
        for name, group in self.groups.items():  # a group names only what is before it
            met[name] = sum(met[member] for member in group.members) >= group.needed
        return met[self.quorum]


def parse_policy(data: bytes) -> Policy:
    """Return the policy of a file.

    Raises:
        MalformedTextError: the file is no policy. The message names the line.
    """
    if len(data) > MAX_BYTES:
        raise MalformedTextError(f"The policy has {len(data)} bytes. The most are {MAX_BYTES}.")
    if not _ALLOWED.issuperset(data):
        raise MalformedTextError("The policy has control characters other than tabs and newlines.")
    lines = _Lines()
    # octets above 127 mean only themselves, so any encoding that keeps them apart will do
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = line.replace("\t", " ").split(" ")
        items = [word for word in words if word]
        if items and not items[0].startswith("#"):
            try:
                lines.take(items)
            except MalformedTextError as error:
                raise MalformedTextError(f"Line {number} of the policy: {error}") from None
    if lines.quorum is None:
        raise MalformedTextError("The policy has no quorum line. 'quorum none' demands no witness.")
    return Policy(tuple(lines.logs), lines.witnesses, lines.groups, lines.quorum, lines.urls)


class _Lines:
    """What the lines of a policy have said so far."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.urls: dict[VerifierKey, str] = {}
        self.quorum: str | None = None
        self._grouped: set[str] = set()
        self._count = 0

    def take(self, items: list[str]) -> None:
        """Take a line. Raises MalformedTextError."""
        self._count += 1
        if self._count > MAX_LINES:
            raise MalformedTextError(f"a policy has at most {MAX_LINES} lines.")
        keyword, *rest = items
        match keyword, rest:
            case "log", [key, *url] if len(url) <= 1:
                self._log(key, url)
            case "witness", [name, key, *url] if len(url) <= 1:
                self._witness(name, key, url)
            case "group", [name, needed, *members] if members:
                self._group(name, needed, members)
            case "quorum", [name]:
                self._quorum(name)
            case _:
                raise MalformedTextError(
                    "it is none of: log KEY, witness NAME KEY, group NAME NUMBER NAMES, quorum NAME."
                )

    def _log(self, text: str, url: list[str]) -> None:
        key = VerifierKey.parse(text)
        if key.type != ED25519:
            raise MalformedTextError("the key is not that of a log.")
        if any(known.key == key.key for known in self.logs):
            raise MalformedTextError("the log is named twice.")
        self.logs.append(key)
        self.urls.update(dict.fromkeys([key], *url) if url else {})

    def _witness(self, name: str, text: str, url: list[str]) -> None:
        key = VerifierKey.parse(text)
        if key.type not in (COSIGNATURE, SUBTREE_COSIGNATURE):
            raise MalformedTextError("the key is not that of a witness.")
        if any(known.key == key.key for known in self.witnesses.values()):
            raise MalformedTextError("the witness is named twice.")
        self._require_new(name)
        self.witnesses[name] = key
        self.urls.update(dict.fromkeys([key], *url) if url else {})

    def _group(self, name: str, needed: str, members: list[str]) -> None:
        self._require_new(name)
        for member in members:
            self._require_known(member)
            if member in self._grouped:
                raise MalformedTextError(f"'{member}' is in a group already.")
            self._grouped.add(member)
        words = {"any": 1, "all": len(members)}
        count = words[needed] if needed in words else parse_decimal(needed, "the number that is needed")
        if not 1 <= count <= len(members):
            raise MalformedTextError(f"the number that is needed is not between 1 and {len(members)}.")
        self.groups[name] = Group(count, tuple(members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise MalformedTextError("the quorum is named twice.")
        if name != NO_QUORUM:
            self._require_known(name)
        self.quorum = name

    def _require_new(self, name: str) -> None:
        require_name(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        if name == NO_QUORUM or name in self.witnesses or name in self.groups:
            raise MalformedTextError(f"the name '{name}' is taken.")

    def _require_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise MalformedTextError(f"no line before it defines '{name}'.")
