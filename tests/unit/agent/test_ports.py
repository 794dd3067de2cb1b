"""The values of the ports: which messages a turn answers to."""

from datetime import UTC, datetime

import pytest

from agent.ids import UserId
from agent.ports import Message, RunStatus, requests_of

TAKEN, UNTAKEN = (
    [Message(id=number, author=UserId("U1"), text=text, at=datetime(2026, 5, 4, tzinfo=UTC))]
    for number, text in enumerate(("taken", "untaken"))
)


def test_turn_that_is_planned_answers_to_what_no_turn_took() -> None:
    assert requests_of(RunStatus.PLANNING, (), UNTAKEN) == UNTAKEN


def test_turn_answers_to_what_its_plan_took() -> None:
    assert requests_of(RunStatus.PLANNING, TAKEN, UNTAKEN) == TAKEN


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.PLANNING])
def test_later_messages_are_not_those_of_a_turn_that_was_planned(status: RunStatus) -> None:
    assert requests_of(status, (), UNTAKEN) == ()
