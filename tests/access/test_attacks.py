"""Attacks of `tests.access.attacks`, with fewer attempts: what is guessed, flooded and forged comes to nothing."""

from pathlib import Path
from typing import Final

import pytest

from pathbook.services.access.known_tokens import LOOK_EVERY_S
from pathbook.services.run.limits import MAX_CONNECTIONS
from tests.access.attacks import (
    flood,
    forge_tokens,
    guess_alone,
    guess_codes,
    limited,
    refusals,
    revoke_in_mid_stream,
)
from tests.access.story import told
from tests.examples import examples

GUESSES: Final = examples(500, 2_000)

ALLOWED: Final = 60
"""How many codes may be guessed in a minute, by default."""

TOLD_APART_MAX: Final = 0.15
"""How far from a half the share of pairs may be, of which an attacker guesses right."""


def test_guessed_codes_are_answered_with_nothing(tmp_path: Path) -> None:
    """No guess is right, and after the limit the server looks at none."""
    with limited(tmp_path) as (target, directory):
        assert guess_alone(directory, 20 * GUESSES) == 0
        found = guess_codes(target, GUESSES)
    assert found.hits == 0
    limited_, looked_at = found.answers.pop("CODES_LIMITED"), sum(found.answers.values())
    assert ALLOWED <= looked_at < GUESSES / 2
    assert limited_ + looked_at == GUESSES
    assert "no answer" not in found.answers


def test_silent_connections_keep_no_caller_out(tmp_path: Path) -> None:
    """A server holds as many as it may, and answers others."""
    with limited(tmp_path) as (target, _):
        flooded = flood(target, MAX_CONNECTIONS + 200)
    assert flooded.held <= MAX_CONNECTIONS


def test_forged_web_tokens_are_refused(tmp_path: Path) -> None:
    """No algorithm, another audience, an unknown key and the like open nothing. A good token does."""
    answers = forge_tokens(tmp_path)
    assert answers.pop("a good token") == "answered"
    assert answers.pop("expired") == "TOKEN_EXPIRED"
    assert set(answers.values()) == {"TOKEN_UNKNOWN"}


@pytest.mark.heavy
def test_a_revoked_token_ends_its_stream_soon(tmp_path: Path) -> None:
    """It ends at the next look for revoked tokens, give or take what a busy machine needs."""
    with told(tmp_path) as story:
        assert revoke_in_mid_stream(story) < 5 * LOOK_EVERY_S


@pytest.mark.heavy
def test_the_time_of_a_refusal_does_not_tell_what_is_there(tmp_path: Path) -> None:
    """Who guesses from the time of a refusal whether a thing is there is right in less than 65 of 100 pairs.

    Chance gives 50, and a few more or less. Without the pause before a refusal it is some 85 for paths and batches, and
    60 to 74 with a pause of whole milliseconds.
    """
    with told(tmp_path) as story, story.client("party") as ann:
        found = refusals(story, ann)
    assert {name: share for name, share in found.items() if abs(share - 0.5) >= TOLD_APART_MAX} == {}
