"""A language model that reads masks in place of personal data, such as `[email 1]`, and whose masks are resolved again.

All that a thread holds is real: requests, plans, results, answers. Each text on its way to the model is masked, and
each mask in what the model writes becomes the datum again, if that stood in the very dialogue that it answers. A
dialogue shows what its author may see, so a mask gives nobody more; any other mask stays one, and a plan with it is
refused (`agent/reading/validation.py`).
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from agent.budget.usage import account
from agent.ids import Digest, ThreadId, ToolName
from agent.limits import Role
from agent.llm.personal_data import Datum, PersonalData
from agent.llm.tool_search import Embedder
from agent.plan.operations import canonical_json, digest_of
from agent.plan.outcomes import Failed, Succeeded, outcome_json
from agent.plan.references import strings_in, with_texts
from agent.policy.rules import matches_tool
from agent.ports import UNKNOWN_MASK, AgentModel, ChatMessage, LanguageModel, Masks, OfferedTool
from agent.roles import SubagentRole
from sandbox.script import Json

_AT_ONCE = 20_000
"""Characters; longer texts are looked through in a thread, where they hold nobody up."""

_LONGEST_MASK = 60
_LOOKED_THROUGH = 4 * 1024 * 1024
_MOST_DATA = 10_000

_EVERYTHING = ("*", Digest("*"))
"""Stands among the data of a thread of which everything is masked."""

_THREADS_KEPT = 200

_CUT = re.compile(r"(?:\\n|\n)\[\.\.\. \d{1,12} characters left out \.\.\.\](?:\\n|\n)")
_PIECE_ENDS = re.compile(r"[\s\"]")
_PIECE_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A text and the data in it."""

    text: str
    data: Sequence[Datum]

    def value(self, datum: Datum) -> str:
        return self.text[datum.start : datum.end]


class _Model(LanguageModel, AgentModel, Protocol):
    """A model as all roles ask it."""


class MaskedModel:
    """The `LanguageModel` and `AgentModel`, around others. Without `masks` numbers are those of a single dialogue.

    `only_known`: data are masked that have a number already, from a `PersonalResults`.
    """

    def __init__(
        self,
        model: _Model,
        data: PersonalData,
        masks: Masks | None = None,
        *,
        only_known: bool = False,
    ) -> None:
        self._model = model
        self._data = data
        self._masks = masks
        self._only_known = only_known
        kinds = "|".join(map(re.escape, data.kinds))
        self._mask = re.compile(rf"\\?\[({kinds}) ?(\d{{1,9}})\\?\]", re.IGNORECASE)
        self._begun = re.compile(r"\\?(?:\[[a-z][a-z0-9_ ]{0,40}\d{0,9}\\?|\[)?", re.IGNORECASE)
        #: The numbers of the threads that were masked last.
        self._numbers: dict[ThreadId, dict[tuple[str, str], int]] = {}

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer, its masks resolved."""
        masked, values = await self._masked(messages, account())
        return self._resolved(await self._model.complete(role, masked), values)

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text, its masks resolved; what may begin one waits for the next piece."""
        masked, values = await self._masked(messages, account())
        kept = ""
        async with aclosing(self._model.stream(role, masked)) as pieces:
            async for piece in pieces:
                text = self._resolved(kept + piece, values)
                begun = self._begins_mask(text)
                kept = text[begun:]
                if begun:
                    yield text[:begun]
        if kept:
            yield kept

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Return the answer of the model of a role, the masks in its text and its calls resolved."""
        masked, values = await self._masked(messages, account())
        answer = await self._model.respond(role, masked, tools)
        calls = tuple(replace(call, args=self._resolved_args(call.args, values)) for call in answer.calls)
        return replace(answer, text=self._resolved(answer.text, values), calls=calls)

    def _resolved_args(self, args: Mapping[str, Json], values: Mapping[tuple[str, int], str]) -> Mapping[str, Json]:
        resolved: Mapping[str, Json] = with_texts(args, lambda text: self._resolved(text, values))
        left = next((found[0] for _, text in strings_in(resolved) if (found := self._mask.search(text))), None)
        return resolved if left is None else {UNKNOWN_MASK: left}

    def _begins_mask(self, text: str) -> int:
        """Return where a mask begins that the text does not end; its length when none does."""
        bracket = text.rfind("[")
        for at in (bracket - 1, bracket, len(text) - 1):  # a backslash may stand before it
            if at >= max(0, len(text) - _LONGEST_MASK) and self._begun.fullmatch(text, at):
                return at
        return len(text)

    def _resolved(self, text: str, values: Mapping[tuple[str, int], str]) -> str:
        if not values:
            return text
        return self._mask.sub(lambda found: values.get((found[1].lower(), int(found[2])), found[0]), text)

    async def _masked(
        self, messages: Sequence[ChatMessage], thread: ThreadId | None
    ) -> tuple[Sequence[ChatMessage], Mapping[tuple[str, int], str]]:
        """Return the dialogue with masks, and what each of them stands for: kind and number -> datum."""
        written = [text for message in messages for text in _texts(message)]
        found = {text: await self._found(text) for text in dict.fromkeys(written)}
        numbers = await self._numbered(list(found.values()), thread)
        masked = {text: _with_masks(inside, numbers) for text, inside in found.items()}
        dialogue = [
            replace(
                message,
                text=masked[message.text],
                calls=tuple(replace(call, args=with_texts(call.args, masked.__getitem__)) for call in message.calls),
            )
            for message in messages
        ]
        return dialogue, {(kind, number): value for (kind, value), number in numbers.items()}

    async def _found(self, text: str) -> _Found:
        return self._find(text) if len(text) < _AT_ONCE else await asyncio.to_thread(self._find, text)

    def _find(self, text: str) -> _Found:
        # What only looks like a mask must not become a datum in an answer.
        plain = self._mask.sub(r"(\1 \2)", _without_pieces(text))
        return _Found(text=plain, data=self._data.find(plain))

    async def _numbered(self, found: Sequence[_Found], thread: ThreadId | None) -> Mapping[tuple[str, str], int]:
        """Return kind and datum -> number, of those that are to be masked."""
        wanted = list(dict.fromkeys((datum.kind, text.value(datum)) for text in found for datum in text.data))
        if self._masks is None or thread is None:
            return {} if self._only_known else _in_order(wanted)
        known = self._numbers.pop(thread, {})
        missing = {(kind, _digest(kind, value)): (kind, value) for kind, value in wanted if (kind, value) not in known}
        if missing:
            numbers = await self._numbers_of(thread, list(missing), self._masks)
            known = known | {missing[datum]: number for datum, number in numbers.items() if datum in missing}
        self._numbers[thread] = known
        if len(self._numbers) > _THREADS_KEPT:
            del self._numbers[next(iter(self._numbers))]
        return {datum: known[datum] for datum in wanted if datum in known}

    async def _numbers_of(
        self, thread: ThreadId, data: Sequence[tuple[str, Digest]], masks: Masks
    ) -> Mapping[tuple[str, Digest], int]:
        if self._only_known:
            known = await masks.numbers(thread, [_EVERYTHING, *data], new=False)
            if _EVERYTHING not in known:
                return known
        return await masks.numbers(thread, data, new=True)


class MaskedEmbedder:
    """Makes vectors of texts without their personal data: each is only said to be there."""

    def __init__(self, embedder: Embedder, data: PersonalData) -> None:
        self._embedder = embedder
        self._data = data

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return a vector for each text. Raises as the embedder does."""
        return await self._embedder.embed([await asyncio.to_thread(self._without, text) for text in texts])

    def _without(self, text: str) -> str:
        for datum in reversed(self._data.find(text)):
            text = f"{text[: datum.start]}[{datum.kind}]{text[datum.end :]}"
        return text


class PersonalResults:
    """Gives the data in results of certain tools their numbers, so that they are masked wherever they stand."""

    def __init__(self, data: PersonalData, masks: Masks, tools: Sequence[str]) -> None:
        self._data = data
        self._masks = masks
        self._tools = tools

    async def __call__(self, thread: ThreadId, tool: ToolName, outcome: Succeeded | Failed) -> None:
        """Take in how a call ended. Of too much, everything in the thread is masked from then on.

        Raises:
            StoreUnavailable: the numbers could not be stored.
        """
        if not any(matches_tool(name, tool) for name in self._tools):
            return
        text = canonical_json(outcome_json(outcome))
        wanted = [_EVERYTHING]
        if len(text) <= _LOOKED_THROUGH:
            found = self._data.find(text) if len(text) < _AT_ONCE else await asyncio.to_thread(self._data.find, text)
            values = {(datum.kind, text[datum.start : datum.end]) for datum in found}
            wanted = [(kind, _digest(kind, value)) for kind, value in sorted(values)]
        if wanted:
            await self._masks.numbers(thread, wanted if len(wanted) <= _MOST_DATA else [_EVERYTHING], new=True)


def _texts(message: ChatMessage) -> Iterator[str]:
    yield message.text
    for call in message.calls:
        yield from (text for _, text in strings_in(call.args))


def _without_pieces(text: str) -> str:
    """Return a text without the words at the marks where it was cut: one may be a piece of a datum."""
    kept: list[str] = []
    done = 0
    for cut in _CUT.finditer(text):
        before = text[max(done, cut.start() - _PIECE_CHARACTERS) : cut.start()]
        start = cut.start() - len(_PIECE_ENDS.split(before)[-1])
        behind = text[cut.end() : cut.end() + _PIECE_CHARACTERS]
        kept += (text[done:start], cut[0])
        done = cut.end() + len(_PIECE_ENDS.split(behind, maxsplit=1)[0])
    return "".join((*kept, text[done:]))


def _with_masks(found: _Found, numbers: Mapping[tuple[str, str], int]) -> str:
    pieces: list[str] = []
    done = 0
    for datum in found.data:
        if (number := numbers.get((datum.kind, found.value(datum)))) is not None:
            pieces += (found.text[done : datum.start], f"[{datum.kind} {number}]")
            done = datum.end
    return "".join((*pieces, found.text[done:]))


def _in_order(wanted: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
    counted: dict[str, int] = {}
    numbers: dict[tuple[str, str], int] = {}
    for kind, value in wanted:
        counted[kind] = numbers[kind, value] = counted.get(kind, 0) + 1
    return numbers


def _digest(kind: str, value: str) -> Digest:
    return Digest(digest_of([kind, value]))
