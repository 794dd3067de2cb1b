"""trigger_ids and response_urls run out."""

import pytest

from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.tickets import Tickets


def test_trigger_opens_one_modal_only() -> None:
    tickets = Tickets(Clock())
    trigger_id = tickets.new_trigger("U0ADA")
    assert tickets.use_trigger(trigger_id).user == "U0ADA"
    with pytest.raises(SlackError, match="exchanged_trigger_id"):
        tickets.use_trigger(trigger_id)


def test_trigger_expires_after_three_seconds() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    trigger_id = tickets.new_trigger("U0ADA")
    clock.advance(3.1)
    with pytest.raises(SlackError, match="expired_trigger_id"):
        tickets.use_trigger(trigger_id)


def test_made_up_trigger_is_refused() -> None:
    with pytest.raises(SlackError, match="invalid_trigger_id"):
        Tickets(Clock()).use_trigger("1.2.abc")


def test_response_url_works_five_times() -> None:
    tickets = Tickets(Clock())
    secret = tickets.new_response_url("U0ADA", "C0OPS")
    for _ in range(5):
        tickets.use_response_url(secret)
    with pytest.raises(SlackError, match="used_url"):
        tickets.use_response_url(secret)


def test_response_url_expires_after_thirty_minutes() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    secret = tickets.new_response_url("U0ADA", "C0OPS")
    clock.advance(30 * 60 + 1)
    with pytest.raises(SlackError, match="expired_url"):
        tickets.use_response_url(secret)
