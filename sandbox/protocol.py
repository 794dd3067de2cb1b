"""The wire between host and runner, pure: JSON lines, and the messages in them as types.

Every byte on the runner's side may be forged by the script. A message is only ever a wish (a call)
or the script's own ending; nothing here carries authority.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from sandbox.errors import ProtocolViolation
from sandbox.script import Job, Json
from sandbox.traces import ScriptFrame
from sandbox.values import (
    NESTING,
    TOO_DEEP,
    VALUES,
    NotJson,
    TooLarge,
    clean_text,
    decoded,
    inputs_text,
    json_text,
    parsed,
    shape_of,
)

NAME_CHARACTERS = 200
ENVELOPE_VALUES = 32
"""What a message holds besides the script's own values, at most."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The runner waits for its job."""

    python: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """The script wants a tool called."""

    #: The script's own number. It may repeat.
    id: int
    tool: str
    positional: Sequence[Json]
    named: Mapping[str, Json]
    #: As its shape counts them.
    values: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of `main`."""

    value: Json
    #: In bytes of JSON.
    size: int


@dataclass(frozen=True, kw_only=True)
class OversizedResult:
    """`main` returned more than the limit; the runner did not send it."""

    #: In bytes of JSON.
    size: int


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The script ended with an exception, or did not compile."""

    kind: Literal["error", "syntax"]
    type: str
    message: str
    frames: tuple[ScriptFrame, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the script is, sent shortly before its time is over."""

    frames: tuple[ScriptFrame, ...]


Message: TypeAlias = Ready | Call | Result | OversizedResult | Raised | Place


class LineSplitter:
    """Cuts a byte stream into lines, with a cap on what it holds."""

    def __init__(self, line_bytes: int) -> None:
        self._line_bytes = line_bytes
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now.

        Raises:
            ProtocolViolation: a line is longer than allowed.
        """
        *ended, rest = data.split(b"\n")
        lines: list[bytes] = []
        for piece in ended:
            self._hold(piece)
            lines.append(b"".join(self._pieces))
            self._pieces.clear()
            self._held = 0
        if rest:
            self._hold(rest)
        return lines

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._line_bytes:
            raise ProtocolViolation(f"a line of more than {self._line_bytes} bytes")
        self._pieces.append(piece)


def read_message(line: bytes, mark: str) -> Message:
    """Read one line of the runner.

    An ending must carry the run's own `mark`, so that writing to every open descriptor ends no run.

    Raises:
        ProtocolViolation: it is not a message of this protocol.
    """
    text = decoded(line)
    try:
        shape = shape_of(text, VALUES + ENVELOPE_VALUES)
        if shape.depth > NESTING + 2:
            raise NotJson(TOO_DEEP)
        value = parsed(text)
    except NotJson as error:
        raise ProtocolViolation(f"a line that is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise ProtocolViolation("a line that is not an object")
    match value:
        case {"op": "result" | "too_large" | "raised"} if value.get("mark") != mark:
            raise ProtocolViolation("an ending without the mark of this run")
        case {"op": "call", "args": [_, *_]}:
            pass  # its arguments lie one level deeper than all others
        case _ if shape.depth > NESTING + 1:
            raise ProtocolViolation(f"a value in a message is {TOO_DEEP}")
        case _:
            pass
    match value:
        case {"op": "call", "id": int(id), "tool": str(tool), "args": [*positional], "kwargs": Mapping() as named}:
            names = cast("Mapping[str, Json]", named)
            return Call(id=id, tool=tool, positional=positional, named=names, values=shape.values)
        case {"op": "result", "value": result}:
            return Result(value=result, size=len(line) - len(f'{{"op":"result","mark":"{mark}","value":}}'))
        case {"op": "too_large", "size": int(size)} if size >= 0:
            return OversizedResult(size=size)
        case {"op": "raised", "kind": kind, "type": str(type), "message": str(message)}:
            frames = _frames(value.get("frames"))
            return Raised(
                kind="syntax" if kind == "syntax" else "error",
                type=clean_text(type)[:NAME_CHARACTERS],
                message=message,
                frames=frames,
            )
        case {"op": "where"}:
            return Place(frames=_frames(value.get("frames")))
        case {"op": "ready", "python": str(python)}:
            return Ready(python=python[:NAME_CHARACTERS])
        case _:
            raise ProtocolViolation(f"an unknown message {str(value.get('op'))[:NAME_CHARACTERS]!r}")


def _frames(value: Json) -> tuple[ScriptFrame, ...]:
    if not isinstance(value, list):
        return ()
    found: list[ScriptFrame] = []
    for frame in value[:1000]:
        match frame:
            case [int(line), str(function)]:
                found.append(ScriptFrame(line=line, function=function[:NAME_CHARACTERS]))
            case _:
                pass
    return tuple(found)


def job_line(job: Job, mark: str) -> bytes:
    """Return the line that starts the script. `mark` is printed on stderr after the last log line,
    and stands in the message that says how the script ended.

    Raises:
        NotJson: the inputs have no JSON form, or are nested over `NESTING`.
        TooLarge: code and inputs are over `limits.line_bytes`.
    """
    limits = job.limits
    inputs = inputs_text(job)
    rest = {
        "code": clean_text(job.code),
        "mark": mark,
        "wall_seconds": limits.wall_seconds,
        "cpus": limits.cpus,
        "line_bytes": limits.line_bytes,
        "result_bytes": limits.result_bytes,
    }
    line = f'{{"inputs":{inputs},{json_text(rest, limits.line_bytes)[1:]}\n'.encode()
    if len(line) > limits.line_bytes:
        raise TooLarge(len(line), limits.line_bytes)
    return line


def answer_line(id: int, *, ok: bool, text: str, error: str, rejected: bool = False) -> bytes:
    """Return the line that answers a call; `text` is the output's JSON as `CallHandler` made it."""
    if ok:
        return f'{{"id":{id},"ok":true,"value":{text}}}\n'.encode()
    refusal: dict[str, Json] = {"id": id, "ok": False, "error": error}
    if rejected:
        refusal["rejected"] = True
    return json.dumps(refusal, separators=(",", ":")).encode() + b"\n"
