"""Notes over the wire: shown with their salts where they belong, compared with their events, and never logged."""

import logging
from pathlib import Path
from typing import Final

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError
from pathbook.ledger.codec import decode
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.events import NotedEvent
from pathbook.ledger.notes import SALT_BYTES, note_commitment
from pathbook.ledger.store.database.engine import open_engine, writing
from pathbook.ledger.store.log.notes import NOTE
from pathbook.services.storage import EVENTS_FILE
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.v1.transfers_pb2 import ReturnUnitsRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, UNIT_STATE_DAMAGED, Note
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Policy, Verdict
from tests.services.masks import BEGUN, TODAY, begin, boxes, opened, refused, yuan

SECRET: Final = "call Mrs Zhang, third floor"

MOVED, OFFERED, DECLINED, REVERSED, WRITTEN_OFF, RETURNED, RECALLED = range(BEGUN + 1, BEGUN + 8)
"""The positions of the events of `story`."""


def noted(position: int) -> str:
    """Return the note of the event at a position."""
    return f"{SECRET} {position}"


def story(client: Client) -> None:
    """Record boxes 0 to 9 for ann, and a note of each kind, which names the position of its event."""
    begin(client)
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150))
    client.offer_transfer(giver="acme", receiver="ann", units=boxes(10, 19), unit_price=yuan(150))
    client.decline_transfer(OFFERED, receiver="ann", note=noted(DECLINED))
    client.reverse_transfer(MOVED, party="acme", note=noted(REVERSED))
    client.write_off_units(party="ann", units=boxes(0, 0), state=UNIT_STATE_DAMAGED, note=noted(WRITTEN_OFF))
    client.return_units(owner="ann", units=boxes(1, 1), note=noted(RETURNED))
    client.recall_units(1, brand="acme", ranges=[(1, 20, 29)], note=noted(RECALLED))


def stored(client: Client) -> list[bytes]:
    """Return the stored bytes of all events, as a reader of the book gets them."""
    return [data for batch in client.read() for data in batch.events]


def commitments(client: Client) -> dict[int, bytes]:
    """Return the commitments of all events, by position."""
    events = [decode(position, data).event for position, data in enumerate(stored(client), 1)]
    return {
        position: event.note_commitment
        for position, event in enumerate(events, 1)
        if isinstance(event, NotedEvent) and event.note_commitment
    }


def coded_path(client: Client, number: int) -> GetPathResponse:
    """Return the path of a box of the first batch, asked for by its code, with corrections."""
    (code,) = next(client.list_codes(1, number, number)).serials
    return client.get_path(code, corrections=True)


def verdict(path: GetPathResponse) -> Verdict:
    """Return the verdict on a path."""
    code = read_code(path.serial)
    assert isinstance(code, PrintedCode)
    return check_path(path, code, TODAY, Policy(allow_recalled=True)).verdict


def erase(data: Path) -> None:
    """Delete all notes of a directory."""
    events = open_engine(data / EVENTS_FILE, purpose="events")
    with writing(events) as connection:
        connection.execute(NOTE.delete())
    events.dispose()


def test_a_note_is_shown_where_it_belongs(client: Client) -> None:
    """Each read shows the note of its event with the salt, and the event commits to both."""
    story(client)
    declined, reversal, returned = (
        client.get_transfer(position)[0] for position in (OFFERED, MOVED, RETURNED)
    )
    shown = {
        DECLINED: declined.note,
        REVERSED: reversal.reversal_note,
        WRITTEN_OFF: client.get_path((1, 0)).steps[-1].note,
        RETURNED: returned.note,
        RECALLED: client.get_batch(1).recalls[0].note,
    }
    assert {position: note.text for position, note in shown.items()} == {
        position: noted(position) for position in shown
    }
    assert {len(note.salt) for note in shown.values()} == {SALT_BYTES}
    assert len({note.salt for note in shown.values()}) == len(shown)
    assert {at: note_commitment(note.salt, note.text) for at, note in shown.items()} == commitments(client)
    assert not reversal.HasField("note")
    assert not declined.HasField("reversal_note")
    assert client.get_path((1, 10), corrections=True).steps[-1].note == declined.note
    assert client.get_path((1, 1), corrections=True).steps[-1].note == returned.note
    assert client.get_path((1, 25)).batch.recalls[0].note == shown[RECALLED]
    listed = {
        (item.transfer, item.note.text, item.reversal_note.text) for item in client.list_transfers("ann")
    }
    assert listed == {
        (OFFERED, noted(DECLINED), ""),
        (MOVED, "", noted(REVERSED)),
        (RETURNED, noted(RETURNED), ""),
    }


def test_the_stream_of_events_has_no_text(client: Client) -> None:
    """The stored bytes, which subscribers get, hold commitments and no text."""
    story(client)
    found = stored(client)
    assert not [data for data in found if SECRET.encode() in data]
    assert SECRET not in str([Event.FromString(data) for data in found])


def test_a_retry_with_another_note_is_refused(client: Client) -> None:
    """The same request with the same note is a duplicate, and with another note it is another request."""
    begin(client)
    first = client.recall_units(1, brand="acme", note="seal", request_id="r")
    assert not first.receipt.duplicate
    assert client.recall_units(1, brand="acme", note="seal", request_id="r").receipt.duplicate
    for note in ("glue", ""):
        with refused("REQUEST_ID_REUSED", StatusCode.ALREADY_EXISTS):
            client.recall_units(1, brand="acme", note=note, request_id="r")
    assert client.get_batch(1).recalls[0].note.text == "seal"


def test_many_returns_have_notes(client: Client) -> None:
    """Each return of a batch has a salt of its own, and a batch that is taken back leaves no note."""
    begin(client)
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150))

    def entry(number: int, note: str) -> ReturnUnitsRequest:
        return ReturnUnitsRequest(
            request_id=f"return-{number}", owner="ann", units=boxes(number, number), note=note
        )

    (results,) = client.record_transfers([[entry(0, SECRET), entry(99, SECRET)]], all_or_nothing=True)
    assert not any(result.HasField("receipt") for result in results)
    returned = [MOVED + 1, MOVED + 2, MOVED + 3]
    good = [entry(0, "torn"), entry(1, "torn"), entry(2, "")]
    for duplicate in (False, True):
        (results,) = client.record_transfers([good], all_or_nothing=True)
        assert [(item.receipt.position, item.receipt.duplicate) for item in results] == [
            (position, duplicate) for position in returned
        ]
    notes = [client.get_transfer(position)[0].note for position in returned]
    assert [note.text for note in notes] == ["torn", "torn", ""]
    assert notes[0].salt != notes[1].salt
    assert set(commitments(client)) == set(returned[:2])


def test_a_note_that_differs_from_its_event_is_a_contradiction(client: Client) -> None:
    """A verifier compares a note with the commitment in its event. A note that is missing may have been erased."""
    story(client)
    path = coded_path(client, 0)
    honest = verdict(path)
    note = path.steps[-1].note
    for other in (
        Note(text=note.text + "!", salt=note.salt),
        Note(text=note.text, salt=bytes(SALT_BYTES)),
        Note(text=note.text, salt=note.salt[:-1]),
        Note(text=note.salt[-1:].decode("latin-1") + note.text, salt=note.salt[:-1]),
        Note(text=note.text),
        Note(salt=note.salt),
        Note(),
    ):
        changed = GetPathResponse()
        changed.CopyFrom(path)
        changed.steps[-1].note.CopyFrom(other)
        assert verdict(changed) is Verdict.PATH_CONTRADICTED
    path.steps[0].note.CopyFrom(note)  # the commissioning has no note
    assert verdict(path) is Verdict.PATH_CONTRADICTED
    path.steps[0].ClearField("note")
    path.steps[-1].ClearField("note")
    assert verdict(path) is honest


def test_an_erased_note_leaves_every_read_and_proof_valid(client: Client, data: Path) -> None:
    """Without the texts, paths, registers, retries and verification work as before."""
    story(client)
    before = {number: coded_path(client, number) for number in (0, 1, 10, 25)}
    erase(data)
    for number, path in before.items():
        after = coded_path(client, number)
        assert verdict(after) is verdict(path) is not Verdict.PATH_CONTRADICTED
        assert not any(step.HasField("note") for step in after.steps)
        assert [step.head for step in after.steps] == [step.head for step in path.steps]
    assert not client.get_batch(1).recalls[0].HasField("note")
    assert not any(
        item.HasField("note") or item.HasField("reversal_note") for item in client.list_transfers("ann")
    )


def test_no_line_of_the_log_holds_a_note(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Accepted, refused and failed requests with notes are logged without them."""
    with opened(data, logging.INFO) as client:
        story(client)
        with refused("BATCH_UNKNOWN", StatusCode.NOT_FOUND):
            client.recall_units(9, brand="acme", note=SECRET)
        with refused("TEXT_TOO_LONG"):
            client.recall_units(1, brand="acme", note=SECRET * 100)
        with refused("TEXT_MALFORMED"):
            client.recall_units(1, brand="acme", note=SECRET + "\0")
        client.recall_units(1, brand="acme", note=SECRET, request_id="r")
        with refused("REQUEST_ID_REUSED", StatusCode.ALREADY_EXISTS):
            client.recall_units(1, brand="acme", note=SECRET + "!", request_id="r")
        events = open_engine(data / EVENTS_FILE, purpose="events")
        with writing(events) as connection:
            NOTE.drop(connection)
        events.dispose()
        with pytest.raises(RefusedError) as failed:
            client.recall_units(1, brand="acme", note=SECRET)
        assert SECRET not in str(failed.value)
    written = "".join(capfd.readouterr())
    assert "RecallUnits" in written
    assert "no such table: note" in written
    assert SECRET not in written


@pytest.mark.parametrize("personal", ["13800138000", "ann.at.gmail.com", "wxid_7"])
def test_an_id_that_looks_personal_is_refused_with_a_hint(client: Client, personal: str) -> None:
    """A party or consumer with the id of a phone or an address is refused, and the sentence says what to do."""
    begin(client)
    with refused("PARTY_LOOKS_PERSONAL"):
        client.register_party(personal, PARTY_KIND_AGENT)
    with refused("PARTY_LOOKS_PERSONAL"):
        client.sell_units(seller="acme", consumer=personal, units=boxes(0, 0), unit_price=yuan(300))
    with pytest.raises(RefusedError, match="Choose a pseudonym; names and contacts belong outside the book"):
        client.sell_units(seller="acme", consumer=personal, units=boxes(0, 0), unit_price=yuan(300))
