"""What went wrong between a tool and Slack, as the tool's own error."""

from collections.abc import Generator
from contextlib import contextmanager

from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import ToolError
from bot.errors import BotError, SlackRefused, SlackUnreachable

_UNREADABLE = {
    "not_in_channel": "the app is not in that channel; somebody has to invite it",
    "channel_not_found": "there is no such channel that the app can see",
    "thread_not_found": "there is no such thread",
}


def refusal(error: BotError, what: str) -> ToolError:
    """Return the error of a call that changed nothing; `what` was to be done."""
    if isinstance(error, SlackRefused):
        return ToolError(error.code, f"Slack refused to {what}: {error.code}")
    return ToolError("slack_unreachable", "Slack did not answer; nothing was changed")


@contextmanager
def looking(what: str) -> Generator[None]:
    """Translate what goes wrong before anything was sent that changes something; `what` is looked up."""
    try:
        yield
    except BotError as error:
        raise refusal(error, what) from error


@contextmanager
def reading() -> Generator[None]:
    """Translate what goes wrong as messages are read."""
    try:
        yield
    except SlackUnreachable as error:
        raise ToolError("unreachable", "Slack did not answer") from error
    except SlackRefused as error:
        words = _UNREADABLE.get(error.code, f"Slack refused to show the channel: {error.code}")
        raise ToolError(error.code, words) from error


@contextmanager
def sending(what: str, *, lost: str) -> Generator[None]:
    """Translate what goes wrong with one `write_once`; `lost` says what nobody knows when the answer is lost."""
    try:
        yield
    except SlackRefused as error:
        raise refusal(error, what) from error
    except SlackUnreachable as error:
        raise ToolError(OUTCOME_UNKNOWN, f"Slack's answer was lost; {lost}") from error
