"""Short-term memory: what a model is reminded of from a thread's earlier turns, within a budget of tokens.

The newest turns are a dialogue; what does not fit is folded into a running summary, which a model
writes once per overflow and which is stored. When there is no model, or it is away, the oldest
turns are left out until it is back.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    trim_messages,  # pyright: ignore[reportUnknownVariableType]  # one of its options is untyped
)

from agent.errors import ModelUnavailable
from agent.ids import ThreadId, thread_parts
from agent.limits import BYTES_PER_TOKEN, MemoryLimits, Role
from agent.llm.prompts import EARLIER, summary_message, system_message
from agent.llm.transcript import Names, mentioned, turns_dialogue
from agent.plan.json_values import sanitized_text, truncated
from agent.ports import ChatMessage, Directory, LanguageModel, Message, PastTurn, Runs, Summaries, Summary

_log = logging.getLogger(__name__)

_NAMES_ASKED = 50
_FOLDED_AT_ONCE = 4
"""A summary is written from this many times its budget's tokens at most; longer pasts take several."""


DEFAULT_LIMITS = MemoryLimits()


class Memory:
    """Reminds models of a thread. Without `summaries` or a model nothing is summed up."""

    def __init__(
        self,
        *,
        runs: Runs,
        model: LanguageModel | None = None,
        summaries: Summaries | None = None,
        directory: Directory | None = None,
        limits: MemoryLimits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self._runs = runs
        self._model = model
        self._summaries = summaries
        self._directory = directory

    async def past(self, thread: ThreadId, before_turn: int) -> Sequence[ChatMessage]:
        """Return the ended turns before `before_turn`, oldest first: a summary, then a dialogue."""
        summary = None if self._summaries is None else await self._summaries.newest(thread)
        told = 0 if summary is None else summary.upto_turn
        turns = [self._clipped(each) for each in await self._runs.past(thread, before_turn) if each.turn > told]
        names = await self.names(thread, [message for each in turns for message in each.requests])
        shown = self._newest(turns, names, self.limits.dialogue_tokens)
        if len(shown) < len(turns):
            # Half of the room stays free, so that the next turns do not overflow at once.
            kept = self._newest(turns, names, self.limits.dialogue_tokens // 2)
            folded = await self._fold(thread, summary, turns[: len(turns) - len(kept)], names)
            if folded is not None:
                summary, shown = folded, kept
        return [*_opening(summary), *turns_dialogue(shown, names)]

    async def names(self, thread: ThreadId, messages: Sequence[Message]) -> Names:
        """Return the names of the people and channels in messages; whose is not known keeps the id."""
        if self._directory is None:
            return {}
        ids = [thread_parts(thread).channel, *mentioned(messages)]
        return await self._directory.names(thread, ids[:_NAMES_ASKED])

    def _clipped(self, turn: PastTurn) -> PastTurn:
        most = self.limits.message_characters
        each_most = min(most, self.limits.turn_characters // (len(turn.requests) + 1))
        requests = tuple(replace(each, text=truncated(each.text, each_most)) for each in turn.requests)
        replies = (truncated("\n\n".join(each for each in turn.replies if each), most),)
        return replace(turn, requests=requests, answer=truncated(turn.answer, most), replies=replies)

    def _newest(self, turns: Sequence[PastTurn], names: Names, tokens: int) -> Sequence[PastTurn]:
        """Return the newest turns that fit, the very newest in any case."""
        messages = [_langchain(each) for each in turns_dialogue(turns, names)]
        kept = trim_messages(messages, max_tokens=tokens, token_counter=_tokens, strategy="last", start_on="human")
        return turns[len(turns) - max(1, len(kept) // 2) :]

    async def _fold(
        self, thread: ThreadId, summary: Summary | None, turns: Sequence[PastTurn], names: Names
    ) -> Summary | None:
        """Return the summary with these turns in it, stored; None when it could not be written."""
        if self._model is None or self._summaries is None:
            return None
        left = list(turns)
        while left:
            some = self._oldest(left, names)
            try:
                text = await self._model.complete(
                    Role.SUMMARY,
                    [
                        system_message(Role.SUMMARY),
                        summary_message("" if summary is None else summary.text, some, names, self._words),
                    ],
                )
            except ModelUnavailable as error:
                _log.warning("the past of %s is not summed up: %s", thread, error)
                return None
            text = truncated(sanitized_text(text).strip(), self.limits.summary_characters)
            summary = Summary(upto_turn=some[-1].turn, text=text)
            await self._summaries.keep(thread, summary)
            left = left[len(some) :]
        return summary

    def _oldest(self, turns: Sequence[PastTurn], names: Names) -> Sequence[PastTurn]:
        """Return as many of the oldest turns as one summary is written from, one at least."""
        messages = [_langchain(each) for each in turns_dialogue(turns, names)]
        most = self.limits.tokens * _FOLDED_AT_ONCE
        kept = trim_messages(messages, max_tokens=most, token_counter=_tokens, strategy="first")
        return turns[: max(1, len(kept) // 2)]

    @property
    def _words(self) -> int:
        """How long the model is told a summary may be: a word is about six characters with its space."""
        return max(30, self.limits.summary_characters // 8)


def _opening(summary: Summary | None) -> Sequence[ChatMessage]:
    return [] if summary is None else [ChatMessage(by="human", text=f"## {EARLIER}\n{summary.text}")]


def _langchain(said: ChatMessage) -> BaseMessage:
    return HumanMessage(said.text) if said.by == "human" else AIMessage(said.text)


def _tokens(messages: Sequence[BaseMessage]) -> int:
    return sum(4 + len(str(each.text).encode(errors="replace")) // BYTES_PER_TOKEN for each in messages)
