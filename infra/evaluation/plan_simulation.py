"""Simulates a plan in the world of a goal: the calls it makes, from which node, behind which others, and who is asked.

This is the judge's own reading of a plan. It shares no code with the planner's checks, the packing and the
executor, so that their mistakes show. It takes a plan's edges from `depends_on` alone: a node that reads a
result it does not wait for reads nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from infra.evaluation.goal import Goal
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ToolCallRefused

Written: TypeAlias = Mapping[str, Json]
"""A node of a plan in its JSON form."""

_REFERENCE = re.compile(r"(\$)?\$\{([A-Za-z0-9][A-Za-z0-9_-]*)(?:#([^}]*))?\}")
_LIMITS = Limits(wall_seconds=20.0)


class _Unready(Exception):
    """A node reads the result of another that it does not wait for."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One tool call."""

    node: str
    tool: str
    args: Mapping[str, Json]
    #: The goal's step that it is.
    step: str | None
    #: Whether a script made it.
    scripted: bool


@dataclass(kw_only=True)
class Simulation:
    """What came of a plan. `before` are the nodes each node waits for, at any distance. `ended` are seconds."""

    made: list[Made] = field(default_factory=list[Made])
    before: dict[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    asked: set[str] = field(default_factory=set[str])
    results: dict[str, Json] = field(default_factory=dict[str, Json])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    unready: dict[str, str] = field(default_factory=dict[str, str])
    ended: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def seconds(self) -> float:
        """How long it takes when everything starts as soon as it can."""
        return max(self.ended.values(), default=0.0)


async def simulation_of(
    operations: Sequence[Written], goal: Goal, asks: Callable[[Written], bool], sandbox: Sandbox
) -> Simulation:
    """Simulate the operations; `asks` returns whether a person is asked before a node runs. Everything is approved."""
    simulator = _Simulator(goal, asks, sandbox)
    cancelled = {str(each["id"]) for each in operations if each["op"] == "cancel"}
    nodes = {str(each["id"]): each for each in operations if each["op"] == "add"}
    for node in _in_order(nodes):
        if node not in cancelled:
            await simulator.run_node(node, nodes[node])
    return simulator.seen


def _needs(written: Written) -> Iterator[tuple[str, str]]:
    """Yield the nodes a node waits for, and the end it waits for."""
    for each in cast("Sequence[Json]", written.get("depends_on") or []):
        if isinstance(each, Mapping):
            yield str(each["id"]), str(each["on"])
        else:
            yield str(each), "succeeded"


def _in_order(nodes: Mapping[str, Written]) -> Iterator[str]:
    """Yield each node behind those it waits for; what waits for nothing that exists, or for itself, never comes."""
    left = dict(nodes)
    done: set[str] = set()
    while ready := [node for node, each in left.items() if done.issuperset(need for need, _ in _needs(each))]:
        for node in ready:
            del left[node]
            done.add(node)
            yield node


class _Simulator:
    def __init__(self, goal: Goal, asks: Callable[[Written], bool], sandbox: Sandbox) -> None:
        self._goal = goal
        self._asks = asks
        self._sandbox = sandbox
        self._met: set[str] = set()
        self.seen = Simulation()

    async def run_node(self, node: str, written: Written) -> None:
        """Run one node, unless what it waits for ended otherwise."""
        seen = self.seen
        needs = list(_needs(written))
        direct = {need for need, _ in needs}
        seen.before[node] = direct.union(*(seen.before.get(need, ()) for need in direct))
        begins = max((seen.ended[need] for need in direct if need in seen.ended), default=0.0)
        if not all(self._ended_as(need, on) for need, on in needs):
            return
        # A template is not asked about: each of its items is, as the node it becomes.
        if self._asks({key: each for key, each in written.items() if key != "for_each"}):
            seen.asked.add(node)
        seen.ended[node] = begins
        try:
            seen.results[node] = await self._result(node, written)
        except _Unready as error:
            seen.unready[node] = str(error)
            seen.failures[node] = str(error)
        except ToolCallRefused as error:
            seen.failures[node] = str(error)

    def _ended_as(self, need: str, on: str) -> bool:
        succeeded, failed = need in self.seen.results, need in self.seen.failures
        return {"succeeded": succeeded, "failed": failed, "finished": True}[on]

    async def _result(self, node: str, written: Written) -> Json:
        condition = str(written.get("when", ""))
        of_item = "${item" in condition or "${index" in condition
        if condition and not of_item and not self._filled(node, condition, {}):
            raise ToolCallRefused("its condition does not hold")
        if "for_each" not in written:
            return await self._run(node, written, {})
        items = self._filled(node, written["for_each"], {})
        if not isinstance(items, list):
            raise ToolCallRefused("for_each is no list")
        owns: list[Mapping[str, Json]] = [{"item": item, "index": index} for index, item in enumerate(items)]
        return await self._items(
            node, written, [own for own in owns if not of_item or self._filled(node, condition, own)]
        )

    async def _items(self, node: str, written: Written, owns: Sequence[Mapping[str, Json]]) -> Json:
        """Run a template's items, at the same time as far as the clock is concerned; one that fails fails it."""
        began = self.seen.ended[node]
        ends, results, refusals = [began], list[Json](), list[ToolCallRefused]()
        for own in owns:
            self.seen.ended[node] = began
            try:
                results.append(await self._run(node, written, own))
            except ToolCallRefused as refusal:
                refusals.append(refusal)
            ends.append(self.seen.ended[node])
        self.seen.ended[node] = max(ends)
        if refusals:
            raise refusals[0]
        return results

    async def _run(self, node: str, written: Written, own: Mapping[str, Json]) -> Json:
        if written["kind"] == "tool":
            args = cast("Mapping[str, Json]", self._filled(node, written.get("args") or {}, own))
            return self._called(node, str(written["tool"]), args, scripted=False)

        async def call(tool: str, args: Mapping[str, Json]) -> Json:
            return self._called(node, tool, args, scripted=True)

        tools = frozenset(str(each) for each in cast("Sequence[Json]", written.get("tools") or []))
        inputs = cast("Mapping[str, Json]", self._filled(node, written.get("inputs") or {}, own))
        job = Job(code=str(written.get("code", "")), inputs=inputs, tools=tools, limits=_LIMITS)
        outcome = await self._sandbox.run(job, call)
        if outcome.kind is not OutcomeKind.OK:
            message = outcome.error.message if outcome.error else ""
            raise ToolCallRefused(f"{outcome.kind.value}: {message}")
        return outcome.result

    def _called(self, node: str, tool: str, args: Mapping[str, Json], *, scripted: bool) -> Json:
        """Answer a call as the goal's world does."""
        fitting = [each for each in self._goal.steps.values() if each.is_made_by(tool, args)]
        step = next((each for each in fitting if each.name not in self._met), None)
        made = Made(node=node, tool=tool, args=args, step=step.name if step else None, scripted=scripted)
        self.seen.made.append(made)
        if step is None:
            raise ToolCallRefused(f"{tool} knows nothing of {json.dumps(args)[:200]}")
        self._met.add(step.name)
        self.seen.ended[node] += step.seconds
        if step.fails:
            raise ToolCallRefused(step.fails)
        return step.gives

    def _filled(self, node: str, value: Json, own: Mapping[str, Json]) -> Json:
        """Return the value with every reference replaced by what it refers to."""
        match value:
            case str():
                return self._filled_text(node, value, own)
            case Mapping():
                return {key: self._filled(node, each, own) for key, each in value.items()}
            case list() | tuple():
                return [self._filled(node, each, own) for each in value]
            case _:
                return value

    def _filled_text(self, node: str, text: str, own: Mapping[str, Json]) -> Json:
        whole = _REFERENCE.fullmatch(text)
        if whole and not whole[1]:
            return self._referred(node, whole[2], whole[3] or "", own)

        def put(found: re.Match[str]) -> str:
            if found[1]:
                return found[0][1:]
            value = self._referred(node, found[2], found[3] or "", own)
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

        return _REFERENCE.sub(put, text)

    def _referred(self, node: str, target: str, pointer: str, own: Mapping[str, Json]) -> Json:
        if target in own:
            value = own[target]
        elif target not in self.seen.before[node]:
            raise _Unready(f"it reads {target} and does not wait for it")
        elif target in self.seen.results:
            value = self.seen.results[target]
        else:
            value = {"state": "failed", "error": "tool_error", "message": self.seen.failures.get(target, "")}
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            try:
                value = value[int(key)] if isinstance(value, list) else cast("Mapping[str, Json]", value)[key]
            except (LookupError, ValueError, TypeError) as error:
                raise ToolCallRefused(f"{target} has nothing at {pointer}") from error
        return value
