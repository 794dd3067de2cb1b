"""The files of one subagent: those it was given, those its team made, and those it writes, which are kept at once.

It reads them in part by the names it knows, and a lead hands them on.

A file is stored before what the subagent is told of it is a row of the journal. A process that dies in between leaves
the file, and the one that goes on writes the same text under the same name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from agent.errors import StoreUnavailable
from agent.plan.file_names import (
    FILES_GREP,
    FILES_READ,
    FILES_WRITE,
    NAME_CHARACTERS,
    WRITTEN_BYTES,
    WRITTEN_CALL_BYTES,
    WRITTEN_FILES,
    file_to_write,
)
from agent.plan.operations import HandedFile
from agent.plan.outcomes import ArtifactRef, Succeeded
from agent.plan.script_calls import DecidedCalls
from agent.ports import Artifacts, AskedCall, OfferedTool
from agent.subagents.journal import Journal
from agent.tool import CallContext
from agent.tools.output import files_kept
from sandbox.script import Json, ToolCallRefused

LENT = (FILES_READ, FILES_GREP)
"""The tools with which a subagent that has files of its own reads these, also where its role does not list them."""

FILE = "file"
"""The key of a journaled call that wrote a file."""

_REF = TypeAdapter(ArtifactRef)
_PUT_AFTER_SECONDS = (0.0, 0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """A file that a subagent wrote."""

    #: The number of the answer that wrote it.
    step: int
    ref: ArtifactRef


class SubagentFiles:
    """Writes the files of a subagent, and knows its own by name.

    `given` are the names of the files that it was given, as in `Bound.file_names`; `made` is what its calls that became
    nodes returned and kept.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        context: CallContext,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        given: Sequence[str] = (),
        made: Sequence[ArtifactRef] = (),
    ) -> None:
        self._artifacts = artifacts
        self._context = context
        self._pause = pause
        self._given = given
        self._made = {ref.name: ref for ref in made}
        self._writing = asyncio.Lock()
        #: Short name -> the newest file of that name.
        self._written: dict[str, WrittenFile] = {}

    def restore(self, journal: Journal) -> None:
        """Take in the files that earlier runs of the subagent wrote."""
        for step, _, content in journal.steps:
            if (stored := content.get(FILE)) is not None:
                ref = _REF.validate_python(stored)
                self._written[_short(ref.name)] = WrittenFile(step=step, ref=ref)

    @property
    def written(self) -> Sequence[ArtifactRef]:
        """The files that it wrote, in the order of their names' first appearance."""
        return [file.ref for file in self._written.values()]

    @property
    def names(self) -> Sequence[str]:
        """The names in the thread of its own files, each once."""
        return list(dict.fromkeys([*filter(None, self._given), *self._made, *(ref.name for ref in self.written)]))

    def path(self, name: str) -> str | None:
        """Return the name in the thread of one of its own files; None: it is none.

        `name` is that, the short one of a file that it wrote, or `File N`, as a file that it was given is headed.
        """
        if (index := self._index(name)) is not None:
            return self._given[index] or None
        if (found := self._written.get(name)) is not None:
            return found.ref.name
        return name if name in self.names else None

    def _index(self, name: str) -> int | None:
        """Return the index of a file that it was given, by its heading or its name."""
        headings = [heading(number) for number in range(1, len(self._given) + 1)]
        if name in headings:
            return headings.index(name)
        return self._given.index(name) if name and name in self._given else None

    def to_hand_on(self, name: str, calls: Sequence[AskedCall]) -> "int | HandedFile":
        """Return a file that a lead hands on: the index among those that it was given, or the file.

        Raises:
            ToolCallRefused: it has no such file, or a call of the same answer, `calls`, writes it.
        """
        if (index := self._index(name)) is not None:
            return index
        short = _short(name)
        if name not in self._made and any(
            call.name == FILES_WRITE and call.args.get("name") == short for call in calls
        ):
            raise ToolCallRefused(f"{name[:80]} is written in the same answer; hand it out in the next one")
        path = self.path(name)
        own = {ref.name: ref for ref in self.written}
        if path is None or (ref := own.get(path) or self._made.get(path)) is None:
            headings = (heading(number) for number in range(1, len(self._given) + 1))
            names = ", ".join(dict.fromkeys([*headings, *self._made, *own])) or "none"
            raise ToolCallRefused(f"you have no file {name[:80]!r} to hand out; you have: {names}")
        return HandedFile(name=ref.name, digest=ref.digest, size=ref.size)

    async def write(self, calls: Sequence[AskedCall], step: int, number: int) -> ArtifactRef:
        """Keep the file that one of an answer's calls writes; `number` is that of the call, from 1.

        Raises:
            ToolCallRefused: it cannot be kept, or another call of the same answer writes it, too: whichever came last
                would count.
        """
        args = calls[number - 1].args
        others = [
            call.args.get("name") for at, call in enumerate(calls, 1) if call.name == FILES_WRITE and at != number
        ]
        if args.get("name") in others:
            raise ToolCallRefused("another call of the same answer writes a file of this name; give each its own name")
        async with self._writing:
            sizes = {name: file.ref.size for name, file in self._written.items()}
            name, text = file_to_write(args, self._context.node, sizes, WRITTEN_CALL_BYTES)
            ref = await self._kept(name, text)
            self._written[name] = WrittenFile(step=step, ref=ref)
        return ref

    async def _kept(self, name: str, text: str) -> ArtifactRef:
        if (origin := self._context.origin()) is None:
            raise ToolCallRefused("no_files: files cannot be kept here")
        for seconds in _PUT_AFTER_SECONDS:
            await self._pause(seconds)
            try:
                (ref,) = await files_kept(self._context.thread, {name: text}, self._artifacts, origin)
            except StoreUnavailable:
                continue
            return ref
        raise ToolCallRefused("store_unavailable: the file could not be stored; nothing was kept")


def heading(number: int) -> str:
    """Return how a file is headed that a subagent was given; `number` from 1."""
    return f"File {number}"


def made_by(decided: DecidedCalls) -> Sequence[ArtifactRef]:
    """Return the files that the calls of a subagent returned and kept which became nodes, in their order."""
    ended = (decided.outcomes[position] for position in decided.nodes)
    refs = (ref for one in ended if isinstance(one, Succeeded) for ref in (one.artifact, *one.files))
    # An output that an earlier version stored is no file: it has no path.
    return [ref for ref in refs if ref is not None and "/" in ref.name]


def file_json(ref: ArtifactRef) -> Mapping[str, Json]:
    """Return a file as it is journaled."""
    return asdict(ref)


def files_write() -> OfferedTool:
    """Return the tool with which a subagent writes a file."""
    return OfferedTool(
        name=FILES_WRITE,
        description=(
            "Keep a text as a file of this thread. People find it under Files, later steps read it by the name that is "
            "returned. The same name once more replaces it. "
            f"At most {WRITTEN_FILES} files, {WRITTEN_CALL_BYTES} bytes each and {WRITTEN_BYTES} together."
        ),
        arguments={
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": NAME_CHARACTERS, "description": "Short, such as report.md."},
                "text": {"type": "string"},
            },
            "required": ["name", "text"],
            "additionalProperties": False,
        },
    )


def _short(name: str) -> str:
    return name.rpartition("/")[2]
