"""Lives of keys: random registrations, rotations, recoveries and revocations, and a naive model of which keys count.

The model looks at the events of the whole book again for each question.
"""

from hypothesis import strategies as st

from pathbook.ledger.commands import AuthorizeParty, Command
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from tests.queries.written import WrittenStory
from tests.rules.key_words import key, register, revoke
from tests.scenario import DAY

PARTIES = ("", "acme", "ann", "ben", "corner")
NAMES = tuple("abcdefgh")
BEGINNING = """
brand acme
agent ann
agent ben
shop corner
authorize ann tier 1 by acme from 2025-12-01
"""

names = st.sampled_from(NAMES)
parties = st.sampled_from(PARTIES)


@st.composite
def lives(draw: st.DrawFn) -> WrittenStory:
    """Draw a book in which many things were asked about keys, which the rules refused or not."""
    story = WrittenStory(BEGINNING)
    story.ask(register("", "o", "", "o"))
    story.ask(register("acme", "m", "", "o", recovery="r"))
    if draw(st.booleans()):  # a recovery, which random commands seldom hit
        story.ask(register("acme", "x", "acme", "m", replaces="m", recovery="s"))
        story.ask(register("acme", "y", "acme", "r", replaces="x"))
    for _ in range(draw(st.integers(1, 25))):
        story.now += draw(st.sampled_from([0, DAY, 4 * DAY]))
        story.ask(draw(asked(story)))
    return story


@st.composite
def asked(draw: st.DrawFn, story: WrittenStory) -> Command:
    """Draw a command about keys, often of keys that count."""
    party, fresh = draw(parties), draw(names)
    counting = [
        (event.party, event.key)
        for item in story.recorded
        if isinstance(event := item.event, KeyRegistered)
        and counts(story.recorded, event.party, event.key, len(story.recorded) + 1)
    ]
    named = {key(name): name for name in (*NAMES, *"omrxy")}
    own = [named[found] for owner, found in counting if owner == party] or list(NAMES)
    of_others = [(owner, named[found]) for owner, found in counting] or [("", "o")]
    endorser, signer = draw(st.sampled_from(of_others))
    with_own = draw(st.sampled_from(own))
    recovery = draw(st.sampled_from(["", "r", "s"]))
    match draw(st.integers(0, 10)):
        case 0 | 1 | 2:
            return register(party, fresh, endorser, signer, recovery=recovery)
        case 3 | 4:
            return register(party, fresh, party, with_own, replaces=with_own, recovery=recovery)
        case 5 | 9 | 10:
            return register(party, fresh, party, draw(st.sampled_from("rs")), replaces=with_own)
        case 6:
            return revoke(party, with_own, party, draw(st.sampled_from([*own, "r", "s"])))
        case 7:
            return revoke(party, with_own, endorser, signer)
        case _:
            number = f"authorize {len(story.recorded)}"
            return AuthorizeParty(
                request_id=number, upline="acme", party="ben", tier=1, valid_until=story.now + DAY
            )


def counts(recorded: list[RecordedEvent], party: str, found: bytes, position: int) -> bool:
    """Tell whether a signature of a party's key counts at a position, by the events before and at it."""
    registered = False
    for item in recorded[:position]:
        match item.event:
            case KeyRegistered(owner, new) if (owner, new) == (party, found):
                registered = True
            case KeyRegistered(owner, replaced_key=replaced) if (owner, replaced) == (party, found):
                registered = False
            case KeyRevoked(owner, gone) if (owner, gone) == (party, found):
                registered = False
    return registered
