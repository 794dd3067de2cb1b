"""Which arguments of a red call hold text that strangers wrote, and where it comes from."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from agent.errors import ArtifactMissing
from agent.execution.execution_context import ExecutionContext
from agent.execution.step import Step
from agent.ids import NodeId
from agent.plan.json_values import truncated
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Outcome, Succeeded
from agent.plan.outside_text import MOST_CHARACTERS, repeats, texts_of, words_in
from agent.plan.references import BadReference, pieces, references_in
from agent.ports import Message, Run
from sandbox.script import Json

SCRIPT = "script"
"""The name under which a script's own text is marked."""

EARLIER_TURNS = "an earlier turn of this thread"
A_CANVAS = "the canvas"
MEMORY = "memory"
FORGOTTEN = "what was forgotten meanwhile"
_MOST_SOURCES = 4
"""Of one argument that are named."""

_TITLE_CHARACTERS = 80
_MOST_BYTES = 4 * MOST_CHARACTERS + 4
"""Of an artifact: more characters than are looked through."""


async def outside_arguments(
    context: ExecutionContext, step: Step, messages: Sequence[Message]
) -> Mapping[str, Sequence[str]]:
    """Return argument -> the titles of the steps whose outside text it holds, by reference or in the plan's words.

    What a person wrote in this turn is theirs, wherever else it stands.
    """
    run = await context.ports.runs.read(context.thread, step.turn)
    remembered, forgotten = await _remembered(context, run)
    told = {**await _told(context, run), **remembered}
    before = await _texts_before(context, step)
    said = [message.text for message in messages]
    found: dict[str, Sequence[str]] = {}
    for name, value in _written(step).items():
        titles = [context.sources.title(node) for node in _referred(context, value)]
        if words := _own_words(value, said):
            titles += await asyncio.to_thread(_repeated, words, told)
            titles += [FORGOTTEN] if forgotten else []
            titles += [EARLIER_TURNS] if await asyncio.to_thread(repeats, words, before) else []
        titles += [step.node.title] if name == SCRIPT and _reads_outside(context, step.node) else []
        if unique := [truncated(title, _TITLE_CHARACTERS) for title in dict.fromkeys(titles)]:
            found[name] = unique[:_MOST_SOURCES]
    return found


async def _told(context: ExecutionContext, run: Run) -> Mapping[str, Sequence[str]]:
    """Return title -> the outside texts that a step returned, or that stand in a canvas shown as a runbook."""
    told: dict[str, list[str]] = {}
    for node in await context.outside_nodes():
        texts = await _texts(context, context.frontier.outcomes[node])
        told.setdefault(context.sources.title(node), []).extend(texts)
    for book in run.runbooks:
        if book.canvas:
            told.setdefault(f"{A_CANVAS} {book.source}", []).append(book.shown)
    return told


async def _remembered(context: ExecutionContext, run: Run) -> tuple[Mapping[str, Sequence[str]], bool]:
    """Return title -> the facts of strangers' text that models were shown, and whether one of them is gone.

    Any words may repeat one that is gone, or that says something else by now.
    """
    shown = {told.fact for told in run.recalled if told.outside}
    if not shown:
        return {}, False
    facts = () if context.ports.facts is None else await context.ports.facts.noted(context.thread, list(shown))
    standing = [fact for fact in facts if fact.outside]
    told: dict[str, list[str]] = {}
    for fact in standing:
        told.setdefault(f"{MEMORY}, from {', '.join(fact.outside)}", []).append(fact.text)
    return told, len(standing) < len(shown)


async def _texts(context: ExecutionContext, outcome: Outcome) -> Sequence[str]:
    """Return the texts of an outcome, those of an artifact whole, as far as they are looked through."""
    ref = outcome.artifact if isinstance(outcome, Succeeded) else None
    if ref is None:
        return list(texts_of(outcome, keys=True))
    try:
        content = await context.ports.artifacts.get(context.thread, ref.digest)
    except ArtifactMissing:
        return [ref.head]
    text = await asyncio.to_thread(content[:_MOST_BYTES].decode, errors="replace")
    return [text]


def _written(step: Step) -> Mapping[str, Json]:
    """Return what the plan wrote for a step's work; of a script also its code, in which nothing is a reference."""
    if step.node.kind is not NodeKind.PACKAGE:
        return step.written
    code = step.node.code.replace("${", "$${")
    return {**step.written, SCRIPT: [code, step.written[SCRIPT]] if SCRIPT in step.written else code}


def _reads_outside(context: ExecutionContext, node: Node) -> bool:
    """Return whether a script that people are asked about reads outside text itself, and may pass it on."""
    return any(map(context.ports.work.outside, node.tools))


def _referred(context: ExecutionContext, value: Json) -> Iterator[NodeId]:
    """Yield the nodes that a value takes and that hold outside text; of several in one reference the one it takes."""
    outcomes = context.frontier.outcomes
    for _, reference in references_in(value):
        taken = next((node for node in reference.nodes if isinstance(outcomes.get(node), Succeeded)), None)
        yield from (node for node in reference.nodes if taken in (None, node) and context.is_outside(node))


def _own_words(value: Json, said: Collection[str]) -> str:
    """Return the words of a value that the plan wrote and no person did."""
    written = (piece for text in words_in(value) for piece in _literals(text))
    return "\n".join(words for words in written if not any(words.strip() in text for text in said))


def _literals(text: str) -> Sequence[str]:
    """Return a text without its references; a key may hold what is none."""
    try:
        return [piece for piece in pieces(text) if isinstance(piece, str)]
    except BadReference:
        return [text]


def _repeated(words: str, told: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return list(islice((title for title, texts in told.items() if repeats(words, texts)), _MOST_SOURCES))


async def _texts_before(context: ExecutionContext, step: Step) -> Sequence[str]:
    """Return what was answered in earlier turns of a thread where outside text was read."""
    if step.turn == 1:
        return ()
    past = await context.ports.runs.past(context.thread, step.turn)
    if not any(turn.outside for turn in past) and not await context.read_outside_before(step.turn):
        return ()
    return [text for turn in past for text in (turn.answer, *turn.replies) if text]
