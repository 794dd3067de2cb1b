"""Calls one tool: arguments against its schema, timeout, retries, and an output that can be kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from agent.lifecycle import Failed, Succeeded
from agent.plan import canonical_json
from agent.schemas import misfits
from agent.tools.registry import CallContext, Colour, Tool, ToolError
from agent.values import flaw_in, mended, mended_text, trimmed
from sandbox.script import Json

TRANSIENT = frozenset({"timeout", "unreachable", "unavailable", "database_unreachable", "rate_limited"})
"""Codes of a `ToolError` after which a retryable tool is tried again."""

RETRY_AFTER_SECONDS = (0.2, 1.0)
OUTPUT_BYTES = 16 * 1024 * 1024
_MESSAGE_CHARACTERS = 2000

_log = logging.getLogger(__name__)


async def call_tool(
    tool: Tool,
    context: CallContext,
    args: Mapping[str, Json],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Succeeded | Failed:
    """Return the tool's whole output as an inline value, or how it failed. Raises only CancelledError.

    Only a green tool that says so is tried again.
    """
    wrong = misfits(args, tool.arguments)
    if wrong:
        places = "; ".join(f"{each.pointer or '/'}: {each.message}" for each in wrong[:5])
        return Failed(error="bad_arguments", message=trimmed(places, _MESSAGE_CHARACTERS))
    outcome = await _try(tool, context, args)
    if tool.retryable and tool.colour is Colour.GREEN:
        for seconds in RETRY_AFTER_SECONDS:
            if not isinstance(outcome, Failed) or outcome.error not in TRANSIENT:
                break
            await pause(seconds)
            outcome = await _try(tool, context, args)
    return outcome


async def _try(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Succeeded | Failed:
    limit = asyncio.timeout(tool.timeout_seconds)
    try:
        async with limit:
            output: object = await tool.call(context, args)
    except ToolError as error:
        return Failed(error=mended_text(error.code), message=trimmed(mended_text(str(error)), _MESSAGE_CHARACTERS))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return Failed(error="tool_error", message="the tool was cancelled from within")
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: whatever it raises ends this node only
        if isinstance(error, TimeoutError) and limit.expired():
            return _timed_out(tool)
        # The text may hold what no model should read (a DSN, a token), so it stays in the log.
        _log.exception("tool %s broke", tool.name)
        return Failed(error="tool_fault", message=f"the tool broke ({type(error).__name__})")
    return kept_output(output)


def _timed_out(tool: Tool) -> Failed:
    message = f"no answer within {tool.timeout_seconds:g} seconds"
    if tool.colour is not Colour.GREEN:
        message += "; whether it took effect is not known"
    return Failed(error="timeout", message=message)


def kept_output(output: object) -> Succeeded | Failed:
    """Return an output as an inline value with its text mended, or why it cannot be kept."""
    if (flaw := flaw_in(output)) is not None:
        return Failed(
            error="bad_output", message=f"the output is not JSON that can be kept: {flaw.pointer}: {flaw.message}"
        )
    value = mended(output)  # pyright: ignore[reportArgumentType] -- without a flaw it is Json
    size = len(canonical_json(value).encode())
    if size > OUTPUT_BYTES:
        return Failed(error="output_too_large", message=f"the output has {size} bytes, more than {OUTPUT_BYTES}")
    return Succeeded(value=value)
