"""How much a server may send that nobody asked for."""

from collections import deque

import pytest

from infra.tools.mcp.bounds import BURST, PER_SECOND, Inflow, Line, SentTooMuch


def test_flood_ends_it_and_a_steady_trickle_does_not() -> None:
    now = [0.0]
    inflow = Inflow(message_bytes=100, clock=lambda: now[0])
    for _ in range(100_000):
        now[0] += 1 / PER_SECOND
        inflow.note_unasked(0)
    with pytest.raises(SentTooMuch, match="flood"):
        deque(map(inflow.note_unasked, [0] * (BURST + 1)), maxlen=0)


def test_large_messages_count_as_many() -> None:
    inflow = Inflow(message_bytes=100, clock=lambda: 0.0)
    with pytest.raises(SentTooMuch):
        deque(map(inflow.note_unasked, [1024 * 1024] * 5), maxlen=0)


def test_message_over_the_bound_ends_it() -> None:
    inflow = Inflow(message_bytes=100)
    inflow.check_size(100)
    with pytest.raises(SentTooMuch, match="more than 100 bytes"):
        inflow.check_size(101)


def test_first_fault_of_a_line_stays() -> None:
    line = Line()
    line.end("first")
    line.end("second")
    assert (line.ended, line.fault) == (True, "first")
