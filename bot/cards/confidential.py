"""The modal with the confidential values of a call, whole, for those who may approve it. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence

from agent.approval import ApprovalRequest
from agent.card_facts import card_facts_of
from agent.plan.confidential import is_confidential
from bot import wording
from bot.cards.chunks import CHUNK_SIZE, Chunk, argument_chunks, chunk_block
from bot.elements import Block, context, modal, quoted, section
from sandbox.script import Json

CALLBACK = "confidential_values"

MOST_CHUNKS = 40
"""In a modal: 100 kB of the 250 that Slack takes."""


def can_be_shown(request: ApprovalRequest) -> bool:
    """Return whether the modal holds all confidential values of the request; without any it does."""
    return len(_chunks(request)) <= MOST_CHUNKS


def loading() -> Block:
    """Return the modal as it opens: its trigger is only good for three seconds."""
    return _modal([section(wording.DETAILS_LOADING)])


def withheld(words: str) -> Block:
    """Return the modal when nothing is shown; `words` are ready mrkdwn."""
    return _modal([section(words)])


def confidential_values(request: ApprovalRequest) -> Block:
    """Return the modal with every argument that holds something confidential."""
    chunks = _chunks(request)
    if not chunks:
        return withheld(wording.CONFIDENTIAL_GONE)
    if len(chunks) > MOST_CHUNKS:
        return withheld(wording.CONFIDENTIAL_TOO_LONG)
    return _modal(
        [section(f"*{quoted(request.title)}*"), *map(chunk_block, chunks), context(wording.CONFIDENTIAL_SHOWN)]
    )


def _chunks(request: ApprovalRequest) -> Sequence[Chunk]:
    """Return the pieces of the arguments with confidential values, at most one more than the modal holds."""
    chunks: list[Chunk] = []
    for name, value in _arguments(request):
        if len(json.dumps(value)) > MOST_CHUNKS * CHUNK_SIZE:  # spares cutting up a megabyte
            return [*chunks, *argument_chunks({name: ""})] * (MOST_CHUNKS + 1)
        chunks += argument_chunks({name: value})
    return chunks[: MOST_CHUNKS + 1]


def _arguments(request: ApprovalRequest) -> Iterator[tuple[str, Json]]:
    places = card_facts_of(request).confidential
    args: Mapping[str, Json] = request.args
    yield from ((name, value) for name, value in args.items() if is_confidential(name, places))


def _modal(blocks: Sequence[Block]) -> Block:
    return modal(wording.CONFIDENTIAL, blocks, close=wording.CLOSE, callback=CALLBACK)
