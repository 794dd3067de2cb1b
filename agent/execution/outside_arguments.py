"""Which arguments of a red call hold text that strangers wrote, and where it comes from."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from agent.execution.execution_context import ExecutionContext
from agent.execution.step import Step
from agent.ids import NodeId
from agent.plan.json_values import truncated
from agent.plan.outside_text import repeats, texts_of
from agent.plan.references import pieces, references_in, strings_in
from agent.ports import Message
from sandbox.script import Json

EARLIER_TURNS = "an earlier turn of this thread"
_MOST_SOURCES = 4
"""Of one argument that are named."""

_TITLE_CHARACTERS = 80


async def outside_arguments(
    context: ExecutionContext, step: Step, messages: Sequence[Message]
) -> Mapping[str, Sequence[str]]:
    """Return argument -> the titles of the steps whose outside text it holds, by reference or in the plan's words.

    What a person wrote in this turn is theirs, wherever else it stands.
    """
    told = {
        context.sources.title(node): list(texts_of(context.frontier.outcomes[node], keys=True))
        for node in await context.outside_nodes()
    }
    before = await _texts_before(context, step)
    said = [message.text for message in messages]
    found: dict[str, Sequence[str]] = {}
    for name, value in step.written.items():
        titles = [context.sources.title(node) for node in _referred(context, value)]
        if words := _own_words(value, said):
            titles += await asyncio.to_thread(_repeated, words, told)
            titles += [EARLIER_TURNS] if await asyncio.to_thread(repeats, words, before) else []
        if unique := [truncated(title, _TITLE_CHARACTERS) for title in dict.fromkeys(titles)]:
            found[name] = unique[:_MOST_SOURCES]
    return found


def _referred(context: ExecutionContext, value: Json) -> Iterator[NodeId]:
    """Yield the nodes that a value refers to and that hold outside text."""
    for _, reference in references_in(value):
        yield from (node for node in reference.nodes if context.is_outside(node))


def _own_words(value: Json, said: Collection[str]) -> str:
    """Return the words of a value that the plan wrote and no person did."""
    written = (piece for _, text in strings_in(value) for piece in pieces(text) if isinstance(piece, str))
    return "\n".join(words for words in written if not any(words.strip() in text for text in said))


def _repeated(words: str, told: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return list(islice((title for title, texts in told.items() if repeats(words, texts)), _MOST_SOURCES))


async def _texts_before(context: ExecutionContext, step: Step) -> Sequence[str]:
    """Return what was answered in earlier turns of a thread where outside text was read."""
    if step.turn == 1 or not await context.read_outside_before(step.turn):
        return ()
    past = await context.ports.runs.past(context.thread, step.turn)
    return [text for turn in past for text in (turn.answer, *turn.replies) if text]
