"""The one connection of a process to an MCP server: opened when it is needed, and anew after it broke.

It imports FastMCP, which takes a second or more; whoever needs it imports it in a thread.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import anyio
import mcp_types
from fastmcp import Client
from mcp import MCPError
from mcp.client.session import ClientRequestContext
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    REQUEST_TIMEOUT,
    URL_ELICITATION_REQUIRED,
)
from pydantic import ValidationError

from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, Colour, InputRequired, ToolError
from infra.tools.mcp.bounds import Line
from infra.tools.mcp.elicitation import HeldCall, asked_by, responses_in
from infra.tools.mcp.http import TOKEN_REFUSED, Bearer, HttpTransport
from infra.tools.mcp.pins import Definition, printable
from infra.tools.mcp.settings import McpServer
from infra.tools.mcp.stdio import StdioTransport
from sandbox.script import Json

LISTED_SECONDS = 60.0
"""How long a list of tools counts for a green call; a red one asks for it anew."""

AGAIN_SECONDS = 5.0
"""How long nobody tries to connect after it failed."""

_LEAST_MESSAGE_BYTES = 1024 * 1024
"""What a message may come to at least: a list of tools is longer than a result."""

_ASKS = frozenset({URL_ELICITATION_REQUIRED, MISSING_REQUIRED_CLIENT_CAPABILITY})
"""Codes of errors by which a server says that it wants what the client does not offer."""

_NOT_DONE = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, *_ASKS})
"""Codes of errors by which a server says that it has done nothing."""

_CLOSED = (anyio.ClosedResourceError, anyio.BrokenResourceError)

_PAGES = 50
_ROUNDS = 10
_ROUND_PAUSE = 0.25
_WORDS = 500

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# FastMCP writes to the standard error in its own way; what it says belongs into our log.
_of_fastmcp = logging.getLogger("fastmcp")
_of_fastmcp.handlers.clear()
_of_fastmcp.propagate = True
for _noisy in ("fastmcp", "mcp", "client", "httpx2"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


@dataclass(kw_only=True)
class _Open:
    """An open connection."""

    client: Client[Any]
    line: Line
    #: The server's own name -> the tool as it was listed last.
    tools: Mapping[str, Definition] = field(default_factory=dict[str, Definition])
    #: In the connection's `clock`.
    listed_at: float = 0.0
    #: Calls that wait for their answer.
    calls: int = 0
    #: The only call under way, where the server may hold it open and ask.
    held: HeldCall | None = None

    async def elicit(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the library's signature
        params: mcp_types.ElicitRequestParams,
    ) -> mcp_types.ElicitResult:
        """Answer a server that asks in the middle of a call; a question that belongs to no certain call is declined."""
        if self.held is None or self.calls != 1:
            return mcp_types.ElicitResult(action="decline")
        return self.held.answer(params)


class _TokenRefused(Exception):
    """The server did not take the person's token, and has done nothing."""


class McpConnection:
    """Calls a server's tools as they were pinned. Whatever the server does, only its own calls fail.

    With a `bearer` it is one person's: each call shows the token of its author's account.
    """

    def __init__(
        self, server: McpServer, clock: Callable[[], float] = time.monotonic, bearer: Bearer | None = None
    ) -> None:
        self._server = server
        self._bearer = bearer
        self._clock = clock
        self._open: _Open | None = None
        #: Held while it is opened or listed.
        self._lock = asyncio.Lock()
        self._failed: tuple[float, str] | None = None

    async def listed(self) -> Sequence[Definition]:
        """Return the tools that the server offers now.

        Raises:
            ToolError: it cannot be reached, or sends what it may not.
        """
        try:
            return [*(await self._ready(anew=True)).tools.values()]
        except _TokenRefused:
            raise ToolError("unauthorized", f"the MCP server {self._name} does not take this account") from None

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way."""
        return not self._lock.locked() and (self._open is None or self._open.calls == 0)

    async def check(self, context: CallContext, pinned: Definition, *, anew: bool) -> None:
        """Return when the server offers the tool as it was pinned; `anew` asks it.

        Raises:
            ToolError: it does not, or cannot be reached.
            InputRequired: as `call`.
        """

        async def checked() -> None:
            self._check_pin(await self._ready(anew=anew), pinned)

        await self._as_author(context, checked)

    async def _as_author(self, context: CallContext, act: Callable[[], Awaitable[_Result]]) -> _Result:
        """Act with the token of the author's account; once more with another one if the server refuses that."""
        if self._bearer is None:
            return await act()
        self._bearer.token = await context.token()
        try:
            return await act()
        except _TokenRefused:
            self._bearer.token = await context.token(self._bearer.token)
        try:
            return await act()
        except _TokenRefused:
            said = f"the MCP server {self._name} does not take the account of the person who asked; nothing was done"
            raise ToolError("unauthorized", said) from None

    async def call(
        self, context: CallContext, pinned: Definition, args: Mapping[str, Json], colour: Colour
    ) -> mcp_types.CallToolResult:
        """Call a tool. Nothing is sent when it is not as it was pinned.

        Raises:
            ToolError: it failed; of a red one `outcome_unknown` where it may have had its effect.
            TooLate: see `CallContext.check_not_late`.
            InputRequired: it asks people, or the author must connect their account first.
        """
        return await self._as_author(context, lambda: self._called(context, pinned, args, colour))

    async def _called(
        self, context: CallContext, pinned: Definition, args: Mapping[str, Json], colour: Colour
    ) -> mcp_types.CallToolResult:
        opened = await self._ready(anew=colour is Colour.RED)
        self._check_pin(opened, pinned)
        seconds = self._server.config.call_seconds
        opened.calls += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(opened, context, pinned.name, args, colour)
        except TimeoutError as error:
            opened.line.changed = True  # the next call asks first whether it still answers
            raise self._lost(colour, "timeout", f"gave no answer within {seconds:g} s") from error
        except MCPError as error:
            opened.line.changed = True  # it may know us no longer: the next call asks first, and connects anew then
            if error.code == TOKEN_REFUSED and self._bearer is not None:
                raise _TokenRefused from error
            if opened.line.fault:
                raise self._lost(colour, "cut_off", f"was cut off: {opened.line.fault}") from error
            if opened.line.ended or error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
                raise self._lost(colour, "unreachable", "broke the connection off") from error
            if colour is Colour.RED and error.code not in _NOT_DONE:
                raise self._lost(colour, "tool_error", f"failed: {_words(error.message)}") from error
            code = "input_required" if error.code in _ASKS else "tool_error"
            said = f"the MCP server {self._name} answered with an error: {_words(error.message)}"
            raise ToolError(code, said) from error
        except (ValidationError, ValueError) as error:
            raise self._lost(colour, "bad_answer", "gave an answer that is none") from error
        except (RuntimeError, OSError, *_CLOSED) as error:
            if opened.line.fault:
                raise self._lost(colour, "cut_off", f"was cut off: {opened.line.fault}") from error
            raise self._lost(colour, "unreachable", "broke the connection off") from error
        finally:
            opened.calls -= 1

    async def close(self) -> None:
        """End the connection, and the server's process if it has one."""
        async with self._lock:
            await self._drop()

    @property
    def _name(self) -> str:
        return self._server.name

    def _lost(self, colour: Colour, code: str, what: str) -> ToolError:
        """Return the error of a call that was sent and has no answer."""
        if colour is Colour.RED:
            return ToolError(OUTCOME_UNKNOWN, f"the MCP server {self._name} {what}; whether it did it is not known")
        return ToolError(code, f"the MCP server {self._name} {what}")

    async def _answer(
        self, opened: _Open, context: CallContext, name: str, args: Mapping[str, Json], colour: Colour
    ) -> mcp_types.CallToolResult:
        given = context.given
        state = given.state or None if given is not None else None
        responses = responses_in(given) if given is not None and not _holds_calls(opened) else None
        held = HeldCall.of(self._name, given) if _holds_calls(opened) and colour is Colour.GREEN else None
        for _ in range(_ROUNDS):
            if colour is Colour.RED:
                context.check_not_late()
            opened.held = held
            try:
                answer = await opened.client.session.call_tool(
                    name,
                    dict(args),
                    progress_callback=_showing(context.note_detail),
                    input_responses=responses,
                    request_state=None if _holds_calls(opened) else state,
                    allow_input_required=True,
                )
            except MCPError:
                if held is not None:
                    held.check()
                raise
            finally:
                opened.held = None
            if held is not None:
                held.check()
            if isinstance(answer, mcp_types.CallToolResult):
                return answer
            if answer.input_requests:
                raise InputRequired(asked_by(self._name, answer.input_requests, answer.request_state))
            state, responses = answer.request_state, None
            await asyncio.sleep(_ROUND_PAUSE)
        raise self._lost(colour, "input_required", f"gave no result in {_ROUNDS} rounds")

    def _check_pin(self, opened: _Open, pinned: Definition) -> None:
        offered = opened.tools.get(pinned.name)
        if offered is not None and offered.digest == pinned.digest:
            return
        what = "no longer offers it" if offered is None else "describes it otherwise now"
        raise ToolError(
            "tool_changed",
            f"{pinned.name} is not as it was pinned: the MCP server {self._name} {what}. An operator looks at it with "
            f"`greenlight mcp pin {self._name}`; until then it is refused.",
        )

    async def _ready(self, *, anew: bool) -> _Open:
        """Return an open connection whose list of tools is fresh enough."""
        async with self._lock:
            opened = self._open
            if opened is not None and not opened.line.ended:
                if not anew and self._is_fresh(opened):
                    return opened
                try:
                    await self._list(opened)
                except ToolError as error:
                    self._check_token(error)
                    # One that hangs or broke is ended, and started anew; one that is busy with a call may be slow.
                    if opened.calls and not opened.line.ended:
                        raise
                else:
                    return opened
            await self._drop()
            self._open = await self._connected()
            return self._open

    def _is_fresh(self, opened: _Open) -> bool:
        return not opened.line.changed and self._clock() - opened.listed_at < LISTED_SECONDS

    async def _connected(self) -> _Open:
        if self._failed is not None and self._clock() < self._failed[0]:
            raise ToolError("unreachable", self._failed[1])
        line = Line()
        config = self._server.config
        message_bytes = max(config.result_bytes * 5 // 4, _LEAST_MESSAGE_BYTES)
        if config.command:
            transport = StdioTransport(self._server, line, message_bytes=message_bytes)
        else:
            transport = HttpTransport(self._server, line, message_bytes=message_bytes, bearer=self._bearer)
        client = Client(
            transport, name=self._name, init_timeout=0, log_handler=_ignore, message_handler=_noting_changes(line)
        )
        opened = _Open(client=client, line=line)
        transport.elicitation_callback = opened.elicit
        try:
            async with asyncio.timeout(config.connect_seconds):
                await opened.client.__aenter__()
            await self._list(opened)
        except ToolError as error:
            await self._end(opened)
            self._check_token(error)
            self._failed = (self._clock() + AGAIN_SECONDS, str(error))
            raise
        except (TimeoutError, OSError, RuntimeError, MCPError, ValueError, *_CLOSED) as error:
            await self._end(opened)
            self._check_token(error)
            message = f"the MCP server {self._name} {self._why_not(error, line)}"
            self._failed = (self._clock() + AGAIN_SECONDS, message)
            raise ToolError("unreachable", message) from error
        except BaseException:
            await self._end(opened)
            raise
        self._failed = None
        _log.info("connected to the MCP server %s (%s)", self._name, opened.client.protocol_version)
        return opened

    def _check_token(self, error: Exception) -> None:
        """Return when it was not because of the token that the server cannot be used."""
        if self._bearer is not None and self._bearer.token and self._bearer.refused == self._bearer.token:
            raise _TokenRefused from error

    def _why_not(self, error: Exception, line: Line) -> str:
        if line.fault:
            return f"was cut off: {line.fault}"
        cause = error if isinstance(error, TimeoutError) else error.__cause__ or error
        match cause:
            case TimeoutError():
                return f"did not get ready within {self._server.config.connect_seconds:g} s"
            case FileNotFoundError() | PermissionError():
                return f"cannot be started: {cause.strerror}"
            case _:
                return (
                    "cannot be started, or does not speak the protocol"
                    if self._server.config.command
                    else ("cannot be reached, or does not speak the protocol")
                )

    async def _list(self, opened: _Open) -> None:
        """Ask for the tools.

        Raises:
            ToolError: there is no answer, or more than there may be.
        """
        config = self._server.config
        listed: dict[str, Definition] = {}
        opened.listed_at = self._clock()
        opened.line.changed = False  # from here on: it may change while it is listed
        cursor: str | None = None
        try:
            async with asyncio.timeout(config.connect_seconds):
                for _ in range(_PAGES):
                    page = await opened.client.session.list_tools(params=_page(cursor))
                    listed.update((tool.name, _definition(tool)) for tool in page.tools)
                    if len(listed) > config.tools:
                        raise ToolError(
                            "bad_answer", f"the MCP server {self._name} offers more than {config.tools} tools"
                        )
                    if (cursor := page.next_cursor) is None:
                        break
        except (TimeoutError, MCPError, ValueError, RuntimeError, OSError, *_CLOSED) as error:
            opened.line.changed = True
            what = f"was cut off: {opened.line.fault}" if opened.line.fault else "did not say which tools it offers"
            raise ToolError("unreachable", f"the MCP server {self._name} {what}") from error
        opened.tools = listed

    async def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await self._end(opened)

    async def _end(self, opened: _Open) -> None:
        opened.line.end()
        # The connection may have ended in an error that whoever called has heard of already.
        with suppress(RuntimeError, OSError, MCPError, ValueError, *_CLOSED):
            await opened.client.close()


def _holds_calls(opened: _Open) -> bool:
    """Return whether the server speaks a protocol in which it asks while it holds a call open."""
    return (opened.client.protocol_version or "") < "2026"


def _page(cursor: str | None) -> mcp_types.PaginatedRequestParams | None:
    return None if cursor is None else mcp_types.PaginatedRequestParams(cursor=cursor)


def _definition(tool: mcp_types.Tool) -> Definition:
    hints = tool.annotations.model_dump(mode="json", by_alias=True, exclude_none=True) if tool.annotations else {}
    return Definition(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        schema=cast("Mapping[str, Json]", tool.input_schema),
        output_schema=cast("Mapping[str, Json] | None", tool.output_schema),
        hints=cast("Mapping[str, Json]", hints),
    )


def _words(message: str) -> str:
    return printable(message[:_WORDS])


def _showing(note_detail: Callable[[str], None]) -> ProgressFnT:
    # Its numbers only: its words are text from outside.
    async def show(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        if math.isfinite(progress) and total is not None and math.isfinite(total) and total > 0:
            note_detail(f"{min(max(progress / total, 0.0), 1.0):.0%}")
        elif math.isfinite(progress):
            note_detail(f"{progress:g}")

    return show


async def _ignore(_message: mcp_types.LoggingMessageNotificationParams) -> None:
    """Take no notice: a server's log is its own."""


def _noting_changes(line: Line) -> Callable[[mcp_types.ServerNotification | Exception], Coroutine[Any, Any, None]]:
    async def note(message: mcp_types.ServerNotification | Exception) -> None:
        line.changed = line.changed or isinstance(message, mcp_types.ToolListChangedNotification)

    return note
