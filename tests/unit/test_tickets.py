from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nextstream.domain import tickets
from nextstream.domain.tickets import Ticket
from nextstream.errors import TicketRefused

KEY = "k" * 32
NOW = datetime(2030, 1, 1, tzinfo=UTC)
TICKET = Ticket("abc", NOW + timedelta(hours=1), 3)
WORD = tickets.write(TICKET, KEY)


def test_a_ticket_comes_back_as_it_was_written() -> None:
    assert tickets.read(WORD, KEY) == TICKET
    tickets.check(TICKET, "abc", 3, NOW)


def test_a_ticket_is_one_plain_segment_of_a_path() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", WORD)


@pytest.mark.parametrize(
    "word", ["", ".", "x", WORD[:-1], WORD + "x", WORD.swapcase(), "a" + WORD, WORD.replace(".", "")]
)
def test_what_we_did_not_sign_is_no_ticket(word: str) -> None:
    with pytest.raises(TicketRefused):
        tickets.read(word, KEY)


def test_every_letter_of_a_ticket_counts() -> None:
    for n, letter in enumerate(WORD[:-1]):  # the last has bits that base64 doesn't use
        other = "A" if letter != "A" else "B"
        with pytest.raises(TicketRefused):
            tickets.read(WORD[:n] + other + WORD[n + 1 :], KEY)


def test_a_ticket_of_another_key_is_refused() -> None:
    with pytest.raises(TicketRefused):
        tickets.read(WORD, "j" * 32)


@pytest.mark.parametrize(
    ("video_id", "epoch", "after"),
    [("other", 3, 0), ("abc", 4, 0), ("abc", 2, 0), ("abc", 3, 3600), ("abc", 3, 9999)],
)
def test_a_ticket_is_for_one_video_until_its_end_or_revocation(
    video_id: str, epoch: int, after: int
) -> None:
    with pytest.raises(TicketRefused):
        tickets.check(TICKET, video_id, epoch, NOW + timedelta(seconds=after))


def test_a_ticket_ends_on_a_whole_second() -> None:
    odd = replace(TICKET, expires_at=NOW + timedelta(seconds=1, microseconds=5))
    assert tickets.read(tickets.write(odd, KEY), KEY).expires_at == NOW + timedelta(seconds=1)
