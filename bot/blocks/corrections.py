"""What people read of a correction, and the form in which they set a result."""

from collections.abc import Sequence

from agent.ids import ThreadId
from agent.plan.corrections import Unsettable
from agent.plan.json_schema import SchemaIssue
from agent.plan.operations import Node
from agent.plan.templates import shown_title
from bot import wording
from bot.elements import (
    OPTION_CHARACTERS,
    Block,
    field,
    form,
    modal,
    options_input,
    quoted,
    section,
    shortened,
    text_input,
)
from bot.payloads import SET_CALLBACK
from bot.visibility import visible

STEP, VALUE = "step", "value"
"""The fields' block ids."""

MOST_STEPS = 100
"""Of a choice in Slack."""

_TITLE_CHARACTERS = 80


class CorrectionInWords:
    """The `CorrectionWords` of `agent/planning/correcting.py`."""

    def title(self, name: str, step: Node) -> str:
        """Return the title of the node with the value that a person set for a step."""
        return wording.given_title(visible(" ".join(name.split())), _title(step))

    def why(self, step: Node) -> str:
        """Return why what came from the old result is withdrawn."""
        return wording.set_anew(_title(step))

    def refused(self, unsettable: Unsettable) -> str:
        """Return why a result was not set."""
        return refusal(unsettable)

    def misfit(self, issue: SchemaIssue) -> str:
        """Return what is wrong with a value that does not fit its step's schema."""
        return misfit(issue)

    def done_before(self, titles: Sequence[str]) -> str:
        """Return which calls were made with the old result, and are asked about."""
        return wording.done_with_old_result(
            wording.listed((quoted(title, _TITLE_CHARACTERS) for title in titles), most=5)
        )

    def left_withdrawn(self, titles: Sequence[str]) -> str:
        """Return which steps came from the old result and were withdrawn before, and do not run again."""
        return wording.left_withdrawn(wording.listed((quoted(title, _TITLE_CHARACTERS) for title in titles), most=5))


def refusal(unsettable: Unsettable) -> str:
    """Return in mrkdwn why a result cannot be set."""
    steps = wording.listed(
        (f"{quoted(_title(node), _TITLE_CHARACTERS)} (`{node.id}`)" for node in unsettable.nodes), most=5
    )
    return wording.unsettable(unsettable.why, quoted(unsettable.name, _TITLE_CHARACTERS), steps)


def misfit(issue: SchemaIssue) -> str:
    """Return in mrkdwn what is wrong with a value."""
    return wording.value_misfit(quoted(issue.pointer, 80), quoted(issue.message, 300))


def loading() -> Block:
    """Return the form as it opens: its trigger is only good for three seconds."""
    return notice(wording.DETAILS_LOADING)


def notice(words: str) -> Block:
    """Return ready mrkdwn in place of the form."""
    return modal(wording.SET_TITLE, [section(words)], close=wording.CLOSE, callback=SET_CALLBACK)


def set_form(thread: ThreadId, steps: Sequence[Node]) -> Block:
    """Return the form in which a person sets the result of one of these steps, the newest of which are shown."""
    shown = [
        (shortened(f"{_title(node)} ({node.id})", OPTION_CHARACTERS), node.id) for node in reversed(steps[-MOST_STEPS:])
    ]
    blocks = [
        field(wording.SET_WHICH, options_input(shown), block_id=STEP),
        field(wording.SET_VALUE, text_input(), block_id=VALUE, hint=wording.SET_HINT),
    ]
    return form(
        wording.SET_TITLE, blocks, submit=wording.SET, close=wording.CLOSE, callback=SET_CALLBACK, metadata=thread
    )


def _title(node: Node) -> str:
    return visible(" ".join(shown_title(node).split())) or node.id
