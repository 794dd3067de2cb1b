"""Messages, Block Kit's pieces as plain dicts, each within Slack's limits, and the escaping of foreign words.

Limits: https://docs.slack.dev/reference/block-kit/blocks. A whole message is refused as
`msg_blocks_too_long` near 13,200 characters although no page says so (slackapi/bolt-js#2509), hence
`MESSAGE_CHARACTERS`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, cast

from agent.approval import Decision
from agent.ids import Digest
from agent.plan.operations import digest_of
from agent.runbooks import RunbookUsed
from bot import wording
from bot.payloads import ACTION_PREFIX, FORM_ACTION, FORM_INPUT, GROUP_ACTION, Form
from bot.visibility import visible
from sandbox.script import Json

Block: TypeAlias = Mapping[str, Json]

MESSAGE_BLOCKS = 50
MESSAGE_CHARACTERS = 9000
SECTION_CHARACTERS = 3000
PLAIN_CHARACTERS = 150
BUTTON_CHARACTERS = 75
OPTION_CHARACTERS = 75
VIEW_TITLE_CHARACTERS = 24
MARKDOWN_CHARACTERS = 11_000
NOTICE_CHARACTERS = 700
INPUT_CHARACTERS = 3000

_LINK = re.compile(r"https?://[^\s<>|]{1,300}")

TaskStatus: TypeAlias = Literal["pending", "in_progress", "complete", "error"]
ButtonStyle: TypeAlias = Literal["primary", "danger"]


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The content of one message."""

    #: Escaped mrkdwn for notifications and screen readers.
    text: str
    blocks: tuple[Block, ...]

    @property
    def content(self) -> dict[str, Json]:
        """The arguments of a Web API method that posts or edits the message."""
        return {"text": self.text, "blocks": self.blocks}

    @property
    def digest(self) -> Digest:
        """The digest that tells whether a message that stands must be edited."""
        return digest_of(self.content)


def rendered(text: str, blocks: Sequence[Block]) -> Rendered:
    """Return a message."""
    return Rendered(text=text, blocks=tuple(blocks))


def words_only(words: str) -> Rendered:
    """Return a message of ready mrkdwn that fits one section."""
    return rendered(words, [section(words)])


def escaped(words: str) -> str:
    """Return foreign words for mrkdwn: `&`, `<` and `>` escaped, so no mention, link or broadcast survives."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def sent_size(words: str) -> int:
    """Return how many characters the words take in a call: escaped for Slack, then for JSON in ASCII, as it is sent."""
    return len(json.dumps(escaped(words))) - 2


def notice(words: str) -> str:
    """Return foreign words as a message's top-level text: what notifications show, beside the blocks."""
    return escaped(shortened(words, NOTICE_CHARACTERS))


def quoted(words: str, characters: int = 300) -> str:
    """Return foreign words for one line of mrkdwn: escaped, on one line, shortened visibly, without formatting."""
    line = shortened(visible(" ".join(words.split())), characters)
    return re.sub(r"([*_~`])", "\N{ZERO WIDTH SPACE}\\1", escaped(line))


def shortened(words: str, characters: int) -> str:
    """Return the words, cut with an ellipsis when they are longer than `characters`."""
    return words if len(words) <= characters else f"{words[: characters - 1].rstrip()}…"


def mention(user: str) -> str:
    """Return the mrkdwn that names a person; anything that is no user id is shown as words."""
    return f"<@{user}>" if re.fullmatch(r"[A-Z0-9]+", user) else quoted(user)


def group(subteam: str) -> str:
    """Return the mrkdwn that names a user group; anything that is no group id is shown as words."""
    return f"<!subteam^{subteam}>" if re.fullmatch(r"S[A-Z0-9]+", subteam) else quoted(subteam)


def runbook_source(book: RunbookUsed, channel: str = "") -> str:
    """Return where a runbook is from: its file, or its canvas as a link; with a channel's id also in which it is."""
    title = quoted(book.source)
    if not book.canvas:
        return title
    linked = f"<{escaped(book.canvas)}|{title}>" if _LINK.fullmatch(book.canvas) else title
    return wording.of_canvas(linked, f"<#{channel}>" if re.fullmatch(r"[CG][A-Z0-9]+", channel) else "")


def moment(at: datetime) -> str:
    """Return the mrkdwn that shows a time in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def section(mrkdwn: str) -> Block:
    """Return a section of at most 3000 characters of mrkdwn that is already escaped."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": shortened(mrkdwn, SECTION_CHARACTERS)}}


def sections(lines: Iterable[str]) -> list[Block]:
    """Return lines of ready mrkdwn in as few sections as hold them."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= SECTION_CHARACTERS:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [section(text) for text in texts]


def with_button(mrkdwn: str, beside: Block, *, block_id: str) -> Block:
    """Return a section with a button; `block_id` must differ from that of the message's earlier looks."""
    return {**section(mrkdwn), "block_id": block_id, "accessory": beside}


def context(mrkdwn: str) -> Block:
    """Return a line of small print."""
    text = shortened(mrkdwn, SECTION_CHARACTERS)
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def markdown(text: str) -> Block:
    """Return a block of standard Markdown; the caller keeps it within `MARKDOWN_CHARACTERS`."""
    return {"type": "markdown", "text": text}


def _plain_text(words: str, characters: int) -> Block:
    return {"type": "plain_text", "text": shortened(words, characters), "emoji": False}


def button(label: str, *, action: str, value: str, style: ButtonStyle | None = None, about: str = "") -> Block:
    """Return a button. `about` tells one of several with the same label to who has the message read out."""
    look: dict[str, Json] = {"style": style} if style else {}
    if about:
        look["accessibility_label"] = shortened(f"{label}: {visible(about)}", BUTTON_CHARACTERS)
    text = _plain_text(label, BUTTON_CHARACTERS)
    return {"type": "button", "text": text, "action_id": action, "value": value, **look}


def menu(placeholder: str, options: Sequence[tuple[str, str]], *, action: str) -> Block:
    """Return a menu of (label, value), 1 to 100 of them."""
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": _plain_text(placeholder, PLAIN_CHARACTERS),
        "options": [{"text": _plain_text(label, OPTION_CHARACTERS), "value": value} for label, value in options],
    }


def overflow(options: Sequence[tuple[str, str]], *, action: str) -> Block:
    """Return a menu of (label, value) behind three dots, 1 to 5 of them."""
    shown: list[Json] = [{"text": _plain_text(label, OPTION_CHARACTERS), "value": value} for label, value in options]
    return {"type": "overflow", "action_id": action, "options": shown}


def field(label: str, element: Block, *, block_id: str, optional: bool = False, hint: str = "") -> Block:
    """Return a labelled input of a form."""
    more: dict[str, Json] = {"hint": _plain_text(hint, PLAIN_CHARACTERS)} if hint else {}
    shown = _plain_text(label, PLAIN_CHARACTERS)
    named = {**element, "action_id": FORM_INPUT}
    return {"type": "input", "block_id": block_id, "label": shown, "element": named, "optional": optional, **more}


def text_input(initial: str = "", *, multiline: bool = True, most: int = INPUT_CHARACTERS) -> Block:
    """Return a field to type a text into, of at most `most` characters."""
    more: dict[str, Json] = {"initial_value": initial} if initial else {}
    return {"type": "plain_text_input", "multiline": multiline, "max_length": most, **more}


def number_input(initial: str = "", *, decimal: bool) -> Block:
    """Return a field to type a number into."""
    more: dict[str, Json] = {"initial_value": initial} if initial else {}
    return {"type": "number_input", "is_decimal_allowed": decimal, **more}


ChoiceType: TypeAlias = Literal["static_select", "radio_buttons"]


def options_input(
    options: Sequence[tuple[str, str]], initial: str = "", *, type: ChoiceType = "static_select"
) -> Block:
    """Return a choice of one of (label, value), up to 100 or, as radio buttons, 10; `initial` is a value."""
    shown: list[Json] = [{"text": _plain_text(label, OPTION_CHARACTERS), "value": value} for label, value in options]
    first = [option for option, (_, value) in zip(shown, options, strict=True) if value == initial]
    more: dict[str, Json] = {"initial_option": first[0]} if first else {}
    return {"type": type, "options": shown, **more}


def checkboxes(options: Sequence[tuple[str, str]]) -> Block:
    """Return boxes for (label, value), 1 to 10 of them, all ticked."""
    shown: list[Json] = [{"text": _plain_text(label, OPTION_CHARACTERS), "value": value} for label, value in options]
    return {"type": "checkboxes", "options": shown, "initial_options": shown}


def modal(title: str, blocks: Sequence[Block], *, close: str, callback: str, private_metadata: str = "") -> Block:
    """Return a modal that only shows something; at most 100 blocks."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": private_metadata,
        "title": _plain_text(title, VIEW_TITLE_CHARACTERS),
        "close": _plain_text(close, VIEW_TITLE_CHARACTERS),
        "blocks": list(blocks),
    }


def form(title: str, blocks: Sequence[Block], *, submit: str, close: str, callback: str, metadata: str = "") -> Block:
    """Return a modal that can be submitted, unless `submit` is empty; `metadata` has at most 3000 characters."""
    shown = modal(title, blocks, close=close, callback=callback, private_metadata=metadata)
    return {**shown, "submit": _plain_text(submit, VIEW_TITLE_CHARACTERS)} if submit else shown


def choice(block_id: str, label: str, options: Sequence[tuple[str, str]], *, chosen: str | None = None) -> Block:
    """Return an input of a modal: one of the options (label, value), the first unless `chosen` names another's value.

    The state of the modal holds it at `block_id`, then at `chosen`.
    """
    select = menu(label, options, action="chosen")
    given: Sequence[Json] = cast("Sequence[Json]", select["options"])
    values = [value for _, value in options]
    initial = given[0 if chosen is None else values.index(chosen)]
    return {
        "type": "input",
        "block_id": block_id,
        "label": _plain_text(label, PLAIN_CHARACTERS),
        "element": {**select, "initial_option": initial},
    }


def actions(buttons: Sequence[Block], *, block_id: str) -> Block:
    """Return a row of buttons. `block_id` must differ from that of the message's earlier looks."""
    return {"type": "actions", "block_id": block_id, "elements": list(buttons)}


def rich_text(parts: Sequence[Block]) -> Block:
    """Return a rich text block of `plain` and `preformatted` parts."""
    return {"type": "rich_text", "elements": list(parts)}


def plain(words: str, *, bold: bool = False) -> Block:
    """Return literal words: nothing in them is formatting, a link or a mention."""
    style: dict[str, Json] = {"style": {"bold": True}} if bold else {}
    return {"type": "rich_text_section", "elements": [{"type": "text", "text": words, **style}]}


def run(words: str, style: str = "") -> Block:
    """Return literal words for `quote`; `style` is `bold`, `italic`, `strike`, `code` or none."""
    look: dict[str, Json] = {"style": {style: True}} if style else {}
    return {"type": "text", "text": words, **look}


def quote(runs: Sequence[Block]) -> Block:
    """Return literal words with a bar beside them: whatever they say, they are seen to be quoted."""
    return {"type": "rich_text_quote", "elements": list(runs)}


def preformatted(words: str) -> Block:
    """Return literal words in fixed width."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": words}]}


def task_card(task_id: str, title: str, status: TaskStatus, details: str = "") -> Block:
    """Return one task of a plan block."""
    more: dict[str, Json] = {"details": rich_text([plain(details)])} if details else {}
    return {"type": "task_card", "task_id": task_id, "title": title, "status": status, **more}


def block_id(name: str, of: str, **looks: int) -> str:
    """Return a block id that says what the block is of, and its looks other than the plain one (0).

    A client keeps the state of a block whose id it knows.
    """
    look = "".join(f"{which}{number:d}-" for which, number in looks.items() if number)
    return shortened(f"{name}-{look}{of}", 255)


def plan(title: str, tasks: Sequence[Block], *, block_id: str) -> Block:
    """Return a plan block. `block_id` must differ from that of the message's earlier looks."""
    return {"type": "plan", "block_id": block_id, "title": shortened(title, PLAIN_CHARACTERS), "tasks": list(tasks)}


_WORDS_CHARACTERS = 2500
_LETS_RUN = frozenset(
    [
        *(f"{ACTION_PREFIX}{decision.value}" for decision in (Decision.APPROVED, Decision.AGAIN)),
        f"{FORM_ACTION}_{Form.EDIT}",
        f"{GROUP_ACTION}_{Decision.APPROVED.value}",
    ]
)
_LITERAL = frozenset({"plain_text", "text", "markdown"})


def plainly(message: Rendered) -> Rendered:
    """Return the message as one section of words, for when Slack refuses its blocks.

    Buttons stay, except those that let something run: its arguments may be cut here.
    """
    words = "\n".join([wording.SHOWN_PLAINLY, *_lines(message.blocks)])
    kept = [row for block in message.blocks if block.get("type") == "actions" if (row := _harmless(block)) is not None]
    return rendered(message.text, [section(shortened(words, _WORDS_CHARACTERS)), *kept])


def _lines(value: object) -> Iterator[str]:
    """Yield the texts of blocks as mrkdwn, literal ones escaped, without those of buttons."""
    match value:
        case {"type": "actions" | "button"}:
            return
        case {"text": str(text)}:
            kind = cast("Mapping[str, object]", value).get("type")
            yield escaped(text) if kind in _LITERAL else text
        case Mapping():
            for key, part in cast("Mapping[str, object]", value).items():
                if key == "title" and isinstance(part, str):
                    yield escaped(part)
                else:
                    yield from _lines(part)
        case list() | tuple():
            for part in cast("Sequence[object]", value):
                yield from _lines(part)
        case _:
            return


def _harmless(row: Block) -> Block | None:
    elements = cast("Sequence[Block]", row.get("elements") or ())
    kept = [element for element in elements if element.get("action_id") not in _LETS_RUN]
    return {**row, "elements": kept} if kept else None
