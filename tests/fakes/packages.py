"""Packages on a node executor: a sandbox that is real or told what to say, a scripted model, rows in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.events import AttemptEnded
from agent.execution.node_executor import NodeExecutor
from agent.ids import Digest, NodeId, ToolName, UserId
from agent.limits import Role
from agent.plan.operations import Node, NodeKind
from agent.plan.outcomes import Outcome
from agent.ports import Bound
from agent.tool import CallContext
from infra.dev.scripted_model.script import Script
from sandbox.script import CallTool, Job, Json, Limits, Sandbox, ScriptOutcome
from tests.fakes.planning import COUNT, NOW, THREAD, Pages, PlanningWorld, registry, sections
from tests.fakes.ports_in_memory import ArtifactsInMemory, AttemptsInMemory, ProgressInMemory

CONTEXT = CallContext(thread=THREAD, node=NodeId("p"), author=UserId("U1"), idempotency_key=Digest("k" * 64))


class ScriptedSandbox:
    """A Sandbox that ends every run as it is told; the last outcome repeats."""

    name = "scripted"
    dialect = "Any dialect."

    def __init__(self, *outcomes: ScriptOutcome) -> None:
        self._outcomes = outcomes
        self.jobs: list[Job] = []

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Note the job and end it."""
        self.jobs.append(job)
        return self._outcomes[min(len(self.jobs), len(self._outcomes)) - 1]

    async def close(self) -> None:
        """Nothing to give back."""


class Rig:
    """A node executor with a sandbox and a scripted model. `progress` outlives it, as rows do a process."""

    def __init__(
        self,
        world: PlanningWorld | None,
        sandbox: Sandbox,
        pages: Pages | None = None,
        progress: ProgressInMemory | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.world = world
        self.pages = pages or Pages()
        self.progress = progress or ProgressInMemory()
        self.paused: list[float] = []
        self.work = NodeExecutor(
            registry=registry(self.pages),
            sandbox=sandbox,
            artifacts=ArtifactsInMemory(),
            progress=self.progress,
            model=world.model if world else None,
            attempts=AttemptsInMemory(self.progress),
            script_limits=limits,
            clock=lambda: NOW,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    async def perform(self, package: Node, inputs: Mapping[str, Json] | None = None) -> Outcome:
        """Do the package's work."""
        bound = Bound(tool=ToolName("package"), args=inputs or {}, digest=Digest("d" * 64))
        return await self.work.perform(package, bound, CONTEXT)

    @property
    def attempts(self) -> list[AttemptEnded]:
        """The attempts noted so far."""
        return [event for event in self.progress.events if isinstance(event, AttemptEnded)]

    def crashes(self) -> Sequence[dict[str, str]]:
        """Return what the repair model was told, request by request."""
        assert self.world is not None
        return [sections(request.last) for request in self.world.asked(Role.REPAIR)]


def package(code: str = COUNT, tools: Sequence[str] = ("read_page",), **more: Any) -> Node:
    """Return a package node."""
    names = tuple(ToolName(tool) for tool in tools)
    return Node(id=NodeId("p"), kind=NodeKind.PACKAGE, title="Count errors", code=code, tools=names, **more)


def repair(answer: Any, times: int | None = None) -> Script:
    """Return what the repair model answers."""
    return Script(role="repair", answer=answer, times=times)


def fenced(code: str) -> str:
    """Return a model's answer with this script in it."""
    return f"The line was odd.\n\n```python\n{code}```\n"
