"""Policies: which witnesses are enough, and what is no policy."""

from itertools import chain, combinations
from typing import Final

import pytest
from nacl.signing import SigningKey

from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.signed_note import COSIGNATURE, ED25519, VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError


def key(name: str, number: int, kind: int = COSIGNATURE) -> VerifierKey:
    """Return a key that a number gives."""
    return VerifierKey(name, kind, bytes(SigningKey(bytes([number] * 32)).verify_key))


LOG: Final = key("masks.example/book", 1, ED25519)
NAMES: Final = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
WITNESSES: Final = {name: key(f"{name}.example", number) for number, name in enumerate(NAMES, 2)}
LINES: Final = "\n".join(f"witness {name} {witness}" for name, witness in WITNESSES.items())
EXAMPLE: Final = f"""# what a brand's buyers trust
log\t{LOG}  https://masks.example/
{LINES}
  group X-witnesses 2 X1 X2 X3

group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
"""The example of c2sp.org/tlog-policy, with keys."""


def test_the_example_of_the_specification_means_what_it_says() -> None:
    """Two of the one house and one of the other are enough, and nothing less is."""
    policy = parse_policy(EXAMPLE.encode())
    assert policy.logs == (LOG,)
    assert policy.urls == {LOG: "https://masks.example/"}
    for some in chain.from_iterable(combinations(NAMES, count) for count in range(len(NAMES) + 1)):
        cosigned = {WITNESSES[name] for name in some}
        enough = sum(name[0] == "X" for name in some) >= 2 and any(name[0] == "Y" for name in some)
        assert policy.is_met(cosigned.__contains__) is enough, some


def test_a_policy_may_demand_no_witness() -> None:
    """With 'quorum none', no cosignature is needed, and logs may be missing."""
    assert parse_policy(b"quorum none\n").is_met(lambda _: False)


def test_a_single_witness_may_be_the_quorum() -> None:
    """A quorum may name a witness."""
    policy = parse_policy(f"witness W {WITNESSES['X1']}\nquorum W".encode())
    assert policy.is_met(WITNESSES["X1"].__eq__)
    assert not policy.is_met(lambda _: False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum",
        "quorum none\nquorum none",
        "quorum nowhere",
        "quorum W\nwitness W " + str(WITNESSES["X1"]),
        "log x\nquorum none",
        f"log {WITNESSES['X1']}\nquorum none",
        f"witness W {LOG}\nquorum none",
        f"log {LOG}\nlog {LOG}\nquorum none",
        f"log {LOG}\nlog {key('other.example', 1, ED25519)}\nquorum none",
        f"witness A {WITNESSES['X1']}\nwitness B {WITNESSES['X1']}\nquorum none",
        f"witness A {WITNESSES['X1']}\nwitness A {WITNESSES['X2']}\nquorum none",
        f"witness none {WITNESSES['X1']}\nquorum none",
        f"{LINES}\ngroup G 0 X1\nquorum G",
        f"{LINES}\ngroup G 2 X1\nquorum G",
        f"{LINES}\ngroup G 01 X1\nquorum G",
        f"{LINES}\ngroup G any\nquorum none",
        f"{LINES}\ngroup G any G\nquorum G",
        f"{LINES}\ngroup G any none\nquorum G",
        f"{LINES}\ngroup G 1 X1 X1\nquorum G",
        f"{LINES}\ngroup G any X1\ngroup H any X1\nquorum G",
        f"{LINES}\ngroup X1 any X2\nquorum none",
        "quorum none\r\n",
        "quorum none\x00",
        "QUORUM none",
        "\n".join(["quorum none", *["group"] * 5]),
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    """A policy that is not understood whole is refused."""
    with pytest.raises(MalformedTextError):
        parse_policy(text.encode())
