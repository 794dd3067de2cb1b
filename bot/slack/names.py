"""The names of people and channels, for models and people to read."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from agent.card_facts import shown_arguments
from agent.ids import ChannelId, ThreadId, UserId, thread_parts
from bot.errors import BotError
from bot.ports import ApprovalView, RunView
from bot.slack.membership import Principals
from sandbox.script import Json

_log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 600.0
TIMEOUT_SECONDS = 3.0
"""Nothing waits longer for names."""

ASKED_AGAIN_SECONDS = 60.0
"""The pause before Slack is asked again for names that it did not tell."""

MOST_IDS = 20
"""Of one request or turn that are named."""

_MOST_THREADS = 1000

_ID = re.compile(r"(?<![A-Za-z0-9])[CGUW](?=[A-Z]{0,14}[0-9])[A-Z0-9]{3,14}(?![A-Za-z0-9])")
"""What may be the id of a person or a channel."""

_MENTION = re.compile(r"<(?:@(?=[UW])|#(?=[CG]))([A-Z0-9]{2,20})(?:\|([^<>|]{0,100}))?>")
"""A mention of a person or a channel, with the label behind its id."""

_MARKUP = re.compile(r"[\[\]()<>*_~`|\\!#@]")


class SlackDirectory:
    """The `Directory` of `agent/ports.py`."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals

    async def names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        """Return id -> name of those that Slack tells in time."""
        requests = {
            asked: asyncio.create_task(self._name(thread, asked), name=f"name of {asked}")
            for asked in dict.fromkeys(ids)
        }
        if not requests:
            return {}
        try:
            done, _ = await asyncio.wait(requests.values(), timeout=TIMEOUT_SECONDS)
        finally:
            for request in requests.values():
                request.cancel()
            await asyncio.gather(*requests.values(), return_exceptions=True)
        return {asked: name for asked, request in requests.items() if request in done and (name := request.result())}

    async def name_of(self, thread: ThreadId) -> str | None:
        """Return the name of the thread's channel, empty for a direct message; None when Slack does not tell it."""
        _, channel, _ = thread_parts(thread)
        if channel.startswith("D"):
            return ""
        return (await self.names(thread, [channel])).get(channel)

    async def _name(self, thread: ThreadId, asked: str) -> str:
        """Return the name; empty when Slack does not tell it, or for a private channel other than the thread's own."""
        tenant, here, _ = thread_parts(thread)
        try:
            if asked.startswith(("U", "W")):
                return (await self._principals.person(tenant, UserId(asked), max_age_seconds=MAX_AGE_SECONDS)).name
            if asked.startswith("D"):
                return ""
            channel = await self._principals.channel(ChannelId(asked), max_age_seconds=MAX_AGE_SECONDS)
        except BotError as error:
            _log.info("Slack does not tell the name of %s: %s", asked, error)
            return ""
        return channel.name if channel is not None and (channel.public or asked == here) else ""


class StableNames:
    """The names beside ids in a thread: the same at each look, so that messages do not flicker."""

    def __init__(self, directory: SlackDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        #: Thread -> id -> when Slack was last asked, and the name; empty when it did not tell.
        self._known: dict[ThreadId, dict[str, tuple[float, str]]] = {}

    async def of(self, view: ApprovalView) -> Mapping[str, str]:
        """Return id -> name of those in the arguments, without the ids that Slack does not know or tell in time."""
        return await self._names(view.request.thread, tuple(ids_in(shown_arguments(view.asked))))

    async def in_run(self, run: RunView) -> RunView:
        """Return the turn with names in place of the mentions that models wrote."""
        texts = [run.answer, *run.replies, *(text for node in run.nodes for text in (node.title, node.detail))]
        texts += [text for view in run.approvals for text in _texts_of(view)]
        if not (ids := tuple(mentioned_in(texts))):
            return run
        names = await self._names(run.thread, ids)
        return replace(
            run,
            answer=named(run.answer, names),
            replies=tuple(named(reply, names) for reply in run.replies),
            nodes=tuple(
                replace(node, title=named(node.title, names), detail=named(node.detail, names)) for node in run.nodes
            ),
            approvals=tuple(_named_view(view, names) for view in run.approvals),
        )

    async def in_text(self, thread: ThreadId, text: str) -> str:
        """Return a text of this thread with names in place of mentions."""
        ids = tuple(mentioned_in([text]))
        return named(text, await self._names(thread, ids)) if ids else text

    async def in_view(self, view: ApprovalView) -> ApprovalView:
        """Return the request with names in place of mentions, but in its arguments."""
        ids = tuple(mentioned_in(_texts_of(view)))
        return _named_view(view, await self._names(view.request.thread, ids)) if ids else view

    async def _names(self, thread: ThreadId, ids: Sequence[str]) -> Mapping[str, str]:
        known, now = self._known.pop(thread, {}), self._clock()
        self._known[thread] = known
        never = (now - ASKED_AGAIN_SECONDS - 1, "")
        looks = {asked: known.get(asked, never) for asked in ids}
        missing = [asked for asked, (at, name) in looks.items() if not name and now - at > ASKED_AGAIN_SECONDS]
        if missing:
            told = await self._directory.names(thread, missing)
            known.update({asked: (now, told.get(asked, "")) for asked in missing})
            if len(self._known) > _MOST_THREADS:
                self._known.pop(next(iter(self._known)))
        return {asked: name for asked in ids if (name := known[asked][1])}


def _texts_of(view: ApprovalView) -> Sequence[str]:
    return (view.request.title, *view.request.blocks, *view.waiting)


def _named_view(view: ApprovalView, names: Mapping[str, str]) -> ApprovalView:
    request = view.request
    blocks = tuple(named(title, names) for title in request.blocks)
    return replace(
        view,
        request=replace(request, title=named(request.title, names), blocks=blocks),
        waiting=tuple(named(title, names) for title in view.waiting),
    )


def mentioned_in(texts: Iterable[str]) -> Iterator[str]:
    """Yield the ids of the people and channels that texts mention, each once, MOST_IDS at most (pure)."""
    ids = dict.fromkeys(found[1] for text in texts for found in _MENTION.finditer(text))
    return islice(ids, MOST_IDS)


def named(text: str, names: Mapping[str, str]) -> str:
    """Return the text with names in place of mentions: `<@U1>` becomes `@Ada`, `<#C1>` becomes `#ops` (pure).

    A mention without a name keeps the label that it has, or its id. None of it is a mention any more.
    """

    def name(found: re.Match[str]) -> str:
        target = found[1]
        # A name is any text that somebody chose: nothing in it may be a link or formatting.
        words = _MARKUP.sub(" ", names.get(target) or found[2] or target)
        return f"{'@' if target[0] in 'UW' else '#'}{' '.join(words.split()) or target}"

    return _MENTION.sub(name, text)


def ids_in(args: Mapping[str, Json]) -> Iterator[str]:
    """Yield what may be ids of people and channels in arguments, each once, MOST_IDS at most (pure)."""
    found: set[str] = set()
    for text in _texts(args):
        for match in _ID.finditer(text):
            if match[0] not in found:
                found.add(match[0])
                yield match[0]
            if len(found) == MOST_IDS:
                return


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for part in value.values():
                yield from _texts(part)
        case list() | tuple():
            for part in value:
                yield from _texts(part)
        case _:
            return
