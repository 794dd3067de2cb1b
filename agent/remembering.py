"""What a green tool gave is given again, for as long as the tool allows it: same person, same question."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from agent.errors import StoreUnavailable
from agent.ids import thread_parts
from agent.lifecycle import Failed, Succeeded
from agent.plan import canonical_json, digest_of
from agent.ports import ResultCache, ResultKey
from agent.tools.registry import CallContext, Colour, Tool
from sandbox.script import Json

REMEMBERED_BYTES = 256 * 1024
"""A bigger output is fetched anew each time."""

_log = logging.getLogger(__name__)


async def remembered_call(
    tool: Tool,
    context: CallContext,
    args: Mapping[str, Json],
    cache: ResultCache | None,
    call: Callable[[], Awaitable[Succeeded | Failed]],
) -> Succeeded | Failed:
    """Return what the tool gave before, or what `call` gives now; only success is kept.

    A cache that cannot be reached is as good as an empty one.
    """
    if cache is None or tool.colour is not Colour.GREEN or tool.cache_seconds <= 0:
        return await call()
    key = ResultKey(
        tenant=thread_parts(context.thread).tenant,
        author=context.author,
        tool=tool.name,
        version=tool.version,
        arguments=digest_of(args),
    )
    try:
        known = await cache.find(key)
    except StoreUnavailable:
        known = None
    if known is not None:
        return Succeeded(value=known.value, age_seconds=known.age_seconds)
    outcome = await call()
    if isinstance(outcome, Succeeded) and len(canonical_json(outcome.value).encode()) <= REMEMBERED_BYTES:
        try:
            await cache.keep(key, outcome.value, tool.cache_seconds)
        except StoreUnavailable:
            _log.info("what %s gave is not remembered: the database is out of reach", tool.name)
    return outcome
