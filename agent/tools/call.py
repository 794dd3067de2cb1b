"""Calls one tool: checks the arguments, bounds and retries the call, checks the output, and caches it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import cast

from agent.approval import WorldState
from agent.card_facts import DryRun
from agent.errors import StoreUnavailable
from agent.ids import thread_parts
from agent.plan.confidential import confidential_places, confidential_texts
from agent.plan.effects import Inverse
from agent.plan.json_schema import SchemaIssue, schema_issues
from agent.plan.json_values import at_most, fits, json_issue_in, plain_json, sanitized_text, truncated
from agent.plan.operations import digest_of
from agent.plan.outcomes import NOT_TRIED, OUTCOME_UNKNOWN, Failed, Succeeded
from agent.plan.references import with_texts
from agent.ports import ResultCache, ResultKey
from agent.redaction import SECRETS
from agent.tool import CallContext, Colour, InputRequired, Tool, TooLate, ToolError, WorldChanged
from sandbox.script import Json

TRANSIENT = frozenset({"timeout", "unreachable", "unavailable", "database_unreachable", "rate_limited"})
"""Codes of a `ToolError` after which a retryable tool is called again."""

CHECK_SECONDS = 10.0
"""The time that a tool has to check a call before people are asked about it."""

RETRY_AFTER_SECONDS = (0.2, 1.0)
OUTPUT_BYTES = 16 * 1024 * 1024
CACHED_BYTES = 256 * 1024
"""A larger output is not cached."""

_ELEMENTS_AT_ONCE = 2_000
"""A larger output is checked in a thread."""

_MESSAGE_CHARACTERS = 2000
_DRY_RUN_CHARACTERS = 1200
_CODE_CHARACTERS = 80

BEFORE_SECONDS = 3.0
"""The time that a tool has to read what a call is about to replace; later there is no taking it back."""

STATE_BYTES = 2048
"""The most that a precondition may return; it stands on a card and in every read of the thread's requests."""

_log = logging.getLogger(__name__)


async def call_tool(
    tool: Tool,
    context: CallContext,
    args: Mapping[str, Json],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    once: Callable[[], Awaitable[Succeeded | Failed]] | None = None,
) -> Succeeded | Failed:
    """Return the tool's whole output as an inline value, or how it failed. `once` is how each single call is made.

    Raises only CancelledError, InputRequired, TooLate and WorldChanged.

    Only a green tool that is `retryable` is called again.
    """
    if issues := await schema_issues(args, tool.arguments):
        message = "; ".join(f"{issue.pointer or '/'}: {issue_words(tool, issue)}" for issue in issues[:5])
        return Failed(error="bad_arguments", message=truncated(message, _MESSAGE_CHARACTERS))
    once = once or partial(call_once, tool, context, args)
    outcome = await once()
    for seconds in RETRY_AFTER_SECONDS[: tool.retries] if tool.retryable and tool.colour is Colour.GREEN else ():
        if not isinstance(outcome, Failed) or outcome.error not in TRANSIENT:
            break
        await pause(seconds)
        again = await once()
        if isinstance(again, Failed) and again.error == NOT_TRIED:
            break  # why the call before it failed says more
        outcome = again
    return outcome


async def hopeless(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Failed | None:
    """Return how a call would certainly fail; None when it may succeed, or nobody can say in time."""
    if tool.check is None:
        return None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await tool.check(context, args)
    except ToolError as error:
        return _failed(error)
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: people are asked when it cannot check
        _log.warning("tool %s could not check its call: %s", tool.name, type(error).__name__)
    return None


async def dry_run(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> DryRun | None:
    """Return what the tool says that a call would do; None when it has no dry run. Takes as long as a call may."""
    if tool.dry_run is None:
        return None
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            outcome = await kept_output(await tool.dry_run(context, args))
    except ToolError as error:
        outcome = _failed(error)
    except TimeoutError:
        outcome = Failed(error="timeout", message=f"no answer within {tool.timeout_seconds:g} seconds")
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: people are asked without it
        _log.warning("the dry run of %s broke: %s", tool.name, type(error).__name__)
        outcome = Failed(error="tool_fault", message=f"the tool broke ({type(error).__name__})")
    hidden = [text for text in confidential_texts(args, confidential_places(tool.arguments)) if text]
    if isinstance(outcome, Failed):
        return DryRun(error=truncated(_without(outcome.message, hidden), _DRY_RUN_CHARACTERS))
    value = outcome.value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return DryRun(result=truncated(_without(text, hidden), _DRY_RUN_CHARACTERS) or "(empty)")


async def world_state(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> WorldState | None:
    """Return what a call is about to change as it is now; None when the tool has nothing to compare.

    A state that cannot be read, is no JSON, or is too large is one of its own: equal only to the same error.
    """
    if tool.precondition is None:
        return None
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            outcome = await kept_output(await tool.precondition(context, args))
    except ToolError as error:
        outcome = _failed(error)
    except TimeoutError:
        outcome = Failed(error="timeout", message="")
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: people read that the state is not known
        _log.warning("%s could not read what it is to change: %s", tool.name, type(error).__name__)
        outcome = Failed(error="tool_fault", message="")
    if isinstance(outcome, Failed):
        return {"unread": truncated(outcome.error, _CODE_CHARACTERS)}
    if outcome.value is None:
        return None
    if not fits(outcome.value, STATE_BYTES):
        return {"unread": "output_too_large"}
    hidden = [text for text in confidential_texts(args, confidential_places(tool.arguments)) if text]
    return {"read": with_texts(outcome.value, lambda text: _without(text, hidden))}


async def value_before(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return what a call is about to replace; None when its tool reads nothing, or could not in time."""
    if tool.undoing is None or tool.undoing.before is None:
        return None
    try:
        async with asyncio.timeout(BEFORE_SECONDS):
            return SECRETS.hide_in(await tool.undoing.before(context, args))
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: the call is as good without it
        _log.info("%s could not read what it is to replace: %s", tool.name, type(error).__name__)
        return None


def inverse_of(tool: Tool, context: CallContext, args: Mapping[str, Json], output: Json, before: Json) -> Inverse:
    """Return what takes the effect of a call back that ended with this output."""
    if tool.undoing is None:
        return None
    try:
        return tool.undoing.inverse(context, args, output, before)
    except Exception:  # noqa: BLE001 -- the boundary to a tool: the call had its effect, whatever comes of this
        _log.exception("%s could not say how to take its call back", tool.name)
        return None


def _without(text: str, hidden: Sequence[str]) -> str:
    """Return a text without confidential ones, as they are and as they stand in JSON; longer ones go first."""
    for secret in sorted({*hidden, *(json.dumps(words, ensure_ascii=False)[1:-1] for words in hidden)}, key=len)[::-1]:
        text = text.replace(secret, "(confidential)")
    return text


def issue_words(tool: Tool, issue: SchemaIssue) -> str:
    """Return how an argument does not fit; a tool with confidential arguments quotes none."""
    return "it does not fit the schema" if confidential_places(tool.arguments) else issue.message


def _failed(error: ToolError) -> Failed:
    message = truncated(SECRETS.hide(sanitized_text(str(error))), _MESSAGE_CHARACTERS)
    return Failed(error=SECRETS.hide(sanitized_text(error.code)), message=message)


def unless_in_doubt(colour: Colour, outcome: Succeeded | Failed) -> Succeeded | Failed:
    """Return what became of a call that ended otherwise than by the tool's own word.

    A red tool may have had its effect before it broke, hung or returned what nobody can keep: that is not known.
    """
    if colour is Colour.GREEN or isinstance(outcome, Succeeded):
        return outcome
    return Failed(error=OUTCOME_UNKNOWN, message=f"{outcome.message}; whether it took effect is not known")


async def call_once(tool: Tool, context: CallContext, args: Mapping[str, Json]) -> Succeeded | Failed:
    """Make one call whose arguments were checked. Returns and raises as `call_tool` does."""
    limit = asyncio.timeout(tool.timeout_seconds)
    try:
        async with limit:
            output: object = await tool.call(context, args)
    except ToolError as error:
        return _failed(error)
    except (TooLate, WorldChanged, InputRequired):
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        failed = Failed(error="tool_error", message="the tool was cancelled from within")
        return unless_in_doubt(tool.colour, failed)
    except Exception as error:  # noqa: BLE001 -- the boundary to a tool: whatever it raises ends this node only
        if isinstance(error, TimeoutError) and limit.expired():
            failed = Failed(error="timeout", message=f"no answer within {tool.timeout_seconds:g} seconds")
            return unless_in_doubt(tool.colour, failed)
        # The text may hold a secret (a DSN, a token) that no model should read, so it goes to the log only.
        _log.exception("tool %s broke", tool.name)
        failed = Failed(error="tool_fault", message=f"the tool broke ({type(error).__name__})")
        return unless_in_doubt(tool.colour, failed)
    return unless_in_doubt(tool.colour, await kept_output(output))


async def kept_output(output: object) -> Succeeded | Failed:
    """Return an output as an inline value with its text sanitized and without secrets, or why it cannot be kept.

    A large one is looked through in a thread, where it holds nobody up.
    """
    if at_most(output, _ELEMENTS_AT_ONCE):
        return _kept(output)
    return await asyncio.to_thread(_kept, output)


def _kept(output: object) -> Succeeded | Failed:
    if (issue := json_issue_in(output)) is not None:
        message = f"the output is not JSON that can be kept: {issue.pointer}: {issue.message}"
        return Failed(error="bad_output", message=message)
    value, size = plain_json(cast("Json", output))
    if size > OUTPUT_BYTES:
        return Failed(error="output_too_large", message=f"the output has {size} bytes, more than {OUTPUT_BYTES}")
    return Succeeded(value=SECRETS.hide_in(value))


async def cached_call(
    tool: Tool,
    context: CallContext,
    args: Mapping[str, Json],
    cache: ResultCache | None,
    call: Callable[[], Awaitable[Succeeded | Failed]],
) -> Succeeded | Failed:
    """Return the tool's cached output, or the outcome of `call`; only success is cached.

    The cache holds results of green tools per author and arguments. One that cannot be reached counts as empty.
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
    if isinstance(outcome, Succeeded) and fits(outcome.value, CACHED_BYTES):
        try:
            await cache.keep(key, outcome.value, tool.cache_seconds)
        except StoreUnavailable:
            _log.info("the result of %s is not cached: the database is out of reach", tool.name)
    return outcome
