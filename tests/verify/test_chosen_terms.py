"""Whether the book chose a unit is part of the terms, which no acceptance can change."""

import msgspec
import pytest

from pathbook.ledger import events
from pathbook.verify.replay import ContradictionError, replay
from tests.verify.test_replaying import terms_at
from tests.verify.written_paths import BEGUN, masks, with_event


def test_an_acceptance_cannot_say_that_the_book_chose_its_units() -> None:
    """A path whose offer named the unit, and whose acceptance says that it was chosen, is refuted."""
    path = masks("offer 1:0 acme > ann at 15000")
    forged = msgspec.structs.replace(terms_at(path, 1), chosen_by_book=True)
    with pytest.raises(ContradictionError, match="on other terms than offered"):
        replay(with_event(path, events.TransferAccepted(BEGUN + 1, forged, (), (), ())))
