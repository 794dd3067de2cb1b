"""The form for the reason of a thumbs-down, and what it says afterwards."""

from bot import wording
from bot.elements import Block, field, form, modal, section, text_input
from bot.payloads import FEEDBACK_CALLBACK

REASON_CHARACTERS = 1000


def loading() -> Block:
    """Return the modal as it opens: its trigger is only good for three seconds."""
    return said(wording.DETAILS_LOADING)


def reason_form(place: str) -> Block:
    """Return the form; `place` is `FeedbackClick.place`."""
    reason = field(
        wording.FEEDBACK_REASON,
        text_input(most=REASON_CHARACTERS),
        block_id="reason",
        optional=True,
        hint=wording.FEEDBACK_REASON_HINT,
    )
    return form(
        wording.FEEDBACK_TITLE,
        [section(wording.FEEDBACK_ASKED), reason],
        submit=wording.FEEDBACK_SEND,
        close=wording.CLOSE,
        callback=FEEDBACK_CALLBACK,
        metadata=place,
    )


def said(words: str) -> Block:
    """Return the modal with ready mrkdwn alone."""
    return modal(wording.FEEDBACK_TITLE, [section(words)], close=wording.CLOSE, callback=FEEDBACK_CALLBACK)
