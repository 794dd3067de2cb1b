"""A journal of a fuzz run, line by line, and the work that writes it."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from agent.events import NodeChanged, RunEvent
from agent.ids import NodeId, ThreadId
from agent.plan.operations import Node, digest_of
from agent.plan.outcomes import Failed, Outcome, Succeeded, outcome_json
from agent.ports import Bound, Progress
from agent.tool import CallContext
from sandbox.script import Json
from tests.fakes.work import FakeWork


class What(StrEnum):
    """A node's work started, took its red effect, or its end was shown to people."""

    STARTED = "started"
    EFFECT = "effect"
    SHOWN = "shown"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line. `inputs` is what the node saw of its dependencies, `outcome` how it was shown to end."""

    what: What
    node: NodeId
    digest: str = ""
    inputs: Mapping[str, Json] | None = None
    outcome: Mapping[str, Json] | None = None

    def text(self) -> str:
        """Return the line for a file."""
        return json.dumps({key: value for key, value in vars(self).items() if value is not None})


def line_from(text: str) -> Line:
    """Read what `Line.text` wrote."""
    values: dict[str, Any] = json.loads(text)
    return Line(what=What(values.pop("what")), **values)


class Journal(Protocol):
    """Where lines go."""

    def write(self, line: Line) -> None:
        """Add a line; it is there when this returns."""
        ...


class Pages:
    """A journal in memory."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, line: Line) -> None:
        """Add a line."""
        self.lines.append(line)


class NotedProgress:
    """A Progress that also writes down how nodes were shown to end."""

    def __init__(self, progress: Progress, journal: Journal) -> None:
        self._progress = progress
        self._journal = journal

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Pass the event on."""
        if isinstance(event, NodeChanged) and event.outcome is not None:
            self._journal.write(Line(what=What.SHOWN, node=event.node, outcome=outcome_json(event.outcome)))
        self._progress.note(thread, event)

    async def flush(self) -> None:
        """Pass it on."""
        await self._progress.flush()


def fuzz_work(journal: Journal, step: Callable[[], Awaitable[None]]) -> FakeWork:
    """Return the work of fuzz nodes: `steps` pauses, a red's effect in their middle, then success or failure."""

    async def perform(node: Node, bound: Bound, context: CallContext) -> Outcome:
        inputs = bound.args["inputs"]
        steps = node.args["steps"]
        assert isinstance(inputs, Mapping)
        assert isinstance(steps, int)
        journal.write(Line(what=What.STARTED, node=node.id, digest=bound.digest, inputs=inputs))
        for _ in range(steps):
            await step()
        if node.require_human_approval:
            journal.write(Line(what=What.EFFECT, node=node.id, digest=bound.digest))
        for _ in range(steps):
            await step()
        if node.args["fails"]:
            return Failed(error="fuzz", message=node.id)
        return Succeeded(value=expected_value(node, inputs))

    return FakeWork({"fuzz": perform})


def expected_value(node: Node, inputs: Mapping[str, Json]) -> Json:
    """Return the one value that belongs to this node with these inputs; others go through its list."""
    count = node.args["list"]
    assert isinstance(count, int)
    items: list[Json] = [{"yes": number % 2 == 0} for number in range(count)]
    return {"node": node.id, "inputs": digest_of(inputs), "yes": node.args["yes"], "list": items}


def shown(lines: Sequence[Line]) -> Mapping[NodeId, Mapping[str, Json]]:
    """Return node -> the end people were shown."""
    return {line.node: line.outcome for line in lines if line.outcome is not None}
