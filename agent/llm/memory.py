"""Memory as models see it: a thread's earlier turns, within a budget of tokens, and facts from beyond the thread.

The newest turns are a dialogue. When they are too many or too long, a model folds the older ones into a running
summary, which is stored. Without a model, or while it is away, the oldest turns are left out.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    trim_messages,  # pyright: ignore[reportUnknownVariableType]  # one of its options is untyped
)

from agent.errors import ModelUnavailable
from agent.facts import Fact
from agent.ids import ThreadId, UserId, thread_parts
from agent.limits import BYTES_PER_TOKEN, MemoryLimits, Role
from agent.llm.prompts import EARLIER, summary_message, system_message
from agent.llm.recall import Recall, recalled
from agent.llm.transcript import Names, ShownNode, deciders, mentioned, turns_dialogue
from agent.plan.json_values import sanitized_text, truncated
from agent.ports import ChatMessage, Directory, LanguageModel, Message, PastTurn, Run, Runs, Summaries, Summary

_log = logging.getLogger(__name__)

_NAMES_ASKED = 50

_FOLDED_AT_ONCE = 4
"""The most that one summary is written from, in budgets of tokens; a longer past takes several."""

DEFAULT_LIMITS = MemoryLimits()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A thread's earlier turns and names for models. Without `summaries` or a model it writes no summary."""

    runs: Runs
    #: Of every call for a thread, where all of its people may use the same tools.
    system: ChatMessage = field(default_factory=system_message)
    model: LanguageModel | None = None
    summaries: Summaries | None = None
    directory: Directory | None = None
    #: None: nothing is remembered beyond threads.
    recall: Recall | None = None
    limits: MemoryLimits = DEFAULT_LIMITS

    async def past(
        self, thread: ThreadId, before_turn: int, system: ChatMessage | None = None
    ) -> Sequence[ChatMessage]:
        """Return the ended turns before `before_turn`, oldest first: a summary, then a dialogue.

        `system` is the system message of the call that they are for; a summary is written under the same.
        """
        summary = None if self.summaries is None else await self.summaries.newest(thread)
        folded_turn = 0 if summary is None else summary.upto_turn
        turns = [self._clipped(turn) for turn in await self.runs.past(thread, before_turn, folded_turn)]
        names = await self.names(thread, [message for turn in turns for message in turn.requests])
        shown = self._newest(turns, names, 1)
        if len(shown) < len(turns):
            # Half of the budget stays free, so that the next turns do not overflow at once.
            kept = self._newest(turns, names, 2)
            folded = await self._fold(thread, summary, turns[: len(turns) - len(kept)], names, system or self.system)
            if folded is not None:
                summary, shown = folded, kept
        return [*_opening(summary), *turns_dialogue(shown, names)]

    async def names(
        self,
        thread: ThreadId,
        messages: Sequence[Message],
        nodes: Sequence[ShownNode] = (),
        people: Iterable[UserId] = (),
    ) -> Names:
        """Return the known names of the people and channels in messages, of those who decided, and of `people`."""
        if self.directory is None:
            return {}
        ids = [thread_parts(thread).channel, *mentioned(messages), *deciders(nodes), *people]
        return await self.directory.names(thread, ids[:_NAMES_ASKED])

    async def facts(self, thread: ThreadId, turn: int, author: UserId, messages: Sequence[Message]) -> Sequence[Fact]:
        """Return the facts that fit a person's messages, and note that the turn's plan is made with them."""
        if self.recall is None:
            return ()
        facts = await self.recall.fitting(thread, author, messages)
        if facts:
            await self.runs.recalled(thread, turn, recalled(author, facts))
        return facts

    async def facts_again(self, run: Run, author: UserId | None = None) -> Sequence[Fact]:
        """Return the facts that the turn's plan was made with: for one person, or for everybody who asked."""
        return () if self.recall is None else await self.recall.again(run, author)

    def _clipped(self, turn: PastTurn) -> PastTurn:
        most = self.limits.message_characters
        request_most = min(most, self.limits.turn_characters // (len(turn.requests) + 1))
        requests = tuple(replace(request, text=truncated(request.text, request_most)) for request in turn.requests)
        replies = (truncated("\n\n".join(filter(None, turn.replies)), most),)
        return replace(turn, requests=requests, answer=truncated(turn.answer, most), replies=replies)

    def _newest(self, turns: Sequence[PastTurn], names: Names, share: int) -> Sequence[PastTurn]:
        """Return the newest turns that fit into a `share`-th of the budget, and at least the newest one."""
        turns, tokens = turns[-(self.limits.turns // share) :], self.limits.dialogue_tokens // share
        messages = _langchain_messages(turns, names)
        kept = trim_messages(messages, max_tokens=tokens, token_counter=_tokens, strategy="last", start_on="human")
        return turns[len(turns) - max(1, len(kept) // 2) :]

    async def _fold(
        self,
        thread: ThreadId,
        summary: Summary | None,
        turns: Sequence[PastTurn],
        names: Names,
        system: ChatMessage,
    ) -> Summary | None:
        """Return the summary with these turns in it, stored; None when there is no model to write it."""
        if self.model is None or self.summaries is None:
            return None
        left = list(turns)
        while left:
            oldest = self._oldest(left, names)
            question = summary_message("" if summary is None else summary.text, oldest, names, self._words)
            try:
                text = await self.model.complete(Role.SUMMARY, [system, question])
            except ModelUnavailable as error:
                _log.warning("the earlier turns of %s are not summarized: %s", thread, error)
                return None
            text = truncated(sanitized_text(text).strip(), self.limits.summary_characters)
            summary = Summary(upto_turn=oldest[-1].turn, text=text)
            await self.summaries.keep(thread, summary)
            left = left[len(oldest) :]
        return summary

    def _oldest(self, turns: Sequence[PastTurn], names: Names) -> Sequence[PastTurn]:
        """Return as many of the oldest turns as one summary is written from, at least one."""
        messages = _langchain_messages(turns, names)
        most = self.limits.tokens * _FOLDED_AT_ONCE
        kept = trim_messages(messages, max_tokens=most, token_counter=_tokens, strategy="first")
        return turns[: max(1, len(kept) // 2)]

    @property
    def _words(self) -> int:
        """The most words of a summary: a word is about six characters with its space."""
        return max(30, self.limits.summary_characters // 8)


def _opening(summary: Summary | None) -> Sequence[ChatMessage]:
    return [] if summary is None else [ChatMessage(by="human", text=f"## {EARLIER}\n{summary.text}")]


def _langchain_messages(turns: Sequence[PastTurn], names: Names) -> list[BaseMessage]:
    return [
        HumanMessage(message.text) if message.by == "human" else AIMessage(message.text)
        for message in turns_dialogue(turns, names)
    ]


def _tokens(messages: Sequence[BaseMessage]) -> int:
    return sum(4 + len(str(message.text).encode(errors="replace")) // BYTES_PER_TOKEN for message in messages)
