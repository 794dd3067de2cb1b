"""The modal with the files of a thread, a page at a time, and with the beginning of one of them.

A model, a script or a tool wrote names, lines and contents, so all of it is quoted or stands in literal blocks.
"""

from collections.abc import Sequence

from agent.ids import ThreadId, UserId
from agent.plan.files import FileRecord
from bot import wording
from bot.elements import (
    Block,
    actions,
    button,
    context,
    modal,
    plain,
    preformatted,
    quoted,
    rich_text,
    section,
    shortened,
)
from bot.payloads import FILE_POST_ACTION, FILE_SHOW_ACTION, FILES_PAGE_ACTION
from bot.visibility import visible

CALLBACK = "thread_files"

PAGE = 20
"""Files of one page: each takes two of a modal's hundred blocks."""

SHOWN_CHARACTERS = 12_000
"""Of a file's beginning."""

_TEXT_CHARACTERS = 2900
_NAME_CHARACTERS = 200


def loading() -> Block:
    """Return the modal as it opens: its trigger is only good for three seconds."""
    return _modal([section(wording.DETAILS_LOADING)])


def no_files(words: str) -> Block:
    """Return the modal when there is nothing to show, or not to this person; `words` are ready mrkdwn."""
    return _modal([section(words)])


def files_page(
    thread: ThreadId, page: Sequence[FileRecord], person: UserId, *, more: bool, first: bool, note: str = ""
) -> Block:
    """Return a page of files, newest first; `note` is ready mrkdwn above them."""
    if not page:
        return no_files(wording.NO_FILES)
    blocks = [context(note)] if note else []
    for number, record in enumerate(page):
        blocks.append(section(_about(record, person)))
        if buttons := _buttons(record, person, number):
            blocks.append(actions(buttons, block_id=f"file-{number}-{record.digest[:12]}"))
    turning: list[Block] = []
    if not first:
        turning.append(button(wording.NEWEST_FILES, action=f"{FILES_PAGE_ACTION}_first", value="-"))
    if more:
        turning.append(button(wording.OLDER_FILES, action=f"{FILES_PAGE_ACTION}_next", value=page[-1].name))
    if turning:
        blocks.append(actions(turning, block_id=f"page-{page[-1].digest[:12]}"))
    return _modal(blocks, thread)


def file_beginning(thread: ThreadId, record: FileRecord, text: str) -> Block:
    """Return the beginning of a file."""
    words = visible(text[:SHOWN_CHARACTERS])
    pieces = [words[at : at + _TEXT_CHARACTERS] for at in range(0, len(words), _TEXT_CHARACTERS)]
    shown = [rich_text([preformatted(piece)]) for piece in pieces if piece.strip()]
    cut = [context(wording.FILE_CUT)] if len(text) > SHOWN_CHARACTERS else []
    title = rich_text([plain(visible(record.name), bold=True)])
    back = button(wording.NEWEST_FILES, action=f"{FILES_PAGE_ACTION}_first", value="-")
    return _modal([title, *shown, *cut, actions([back], block_id=f"shown-{record.digest[:12]}")], thread)


def _about(record: FileRecord, person: UserId) -> str:
    name = f"*{quoted(record.name, _NAME_CHARACTERS)}*"
    lines = [f"{name} · {wording.bytes_of(record.size)}, {quoted(record.media_type.partition(';')[0], 60)}"]
    if record.denied_to(person):
        return "\n".join([*lines, wording.FILE_NOT_YOURS])
    lines.append(quoted(record.summary, 200))
    if record.evicted is not None:
        lines.append(wording.file_evicted(record.evicted.at, record.evicted.why))
    elif record.origin.personal:
        lines.append(wording.FILE_YOURS)
    return "\n".join(filter(None, lines))


def _buttons(record: FileRecord, person: UserId, number: int) -> Sequence[Block]:
    if record.evicted is not None or record.denied_to(person):
        return ()
    offered = [(wording.SHOW_FILE, FILE_SHOW_ACTION)]
    if not record.origin.personal:
        offered.append((wording.POST_FILE, FILE_POST_ACTION))
    return [
        button(label, action=f"{action}_{number}", value=record.name, about=record.name) for label, action in offered
    ]


def _modal(blocks: Sequence[Block], private_metadata: str = "") -> Block:
    return modal(
        wording.FILES, blocks, close=wording.CLOSE, callback=CALLBACK, private_metadata=shortened(private_metadata, 300)
    )
