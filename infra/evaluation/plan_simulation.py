"""Simulates a plan in the world of a goal: the calls it makes, in which node and order, and which need an approval.

The judge reads plans with code of its own. It shares none with the planner's checks, the packing and the executor, so
that their mistakes show. It takes a plan's edges from `depends_on` alone: a node that reads a result without waiting
for it is an error.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, TypeAlias, cast

from agent.plan.file_names import FILES_WRITE
from infra.evaluation.goal import Ended, Goal
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ToolCallRefused

Written: TypeAlias = Mapping[str, Json]
"""A node of a plan in its JSON form."""

_REFERENCE = re.compile(r"(\$)?\$\{([A-Za-z0-9][A-Za-z0-9_|-]*)(?:#([^{}]*+))?\}")
_LIMITS = Limits(wall_seconds=20.0)
_TRUE, _FALSE = object(), object()
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "in": lambda part, whole: part in whole,
    "not_in": lambda part, whole: part not in whole,
}
_ORDERS = frozenset({"lt", "le", "gt", "ge"})


class _LeftOut(Exception):
    """A node does not run: its condition is not met, or none of the nodes succeeded whose result it takes."""


class _Unready(Exception):
    """A node reads the result of a node that it does not wait for."""


@dataclass(frozen=True, kw_only=True)
class SimulatedCall:
    """A tool call that the plan made, or work that it gave to a subagent."""

    node: str
    #: Of work: the role.
    tool: str
    args: Mapping[str, Json]
    #: The goal's step or work that this fulfils; None: the goal does not expect it.
    step: str | None
    #: Whether a script made the call, or a lead handed out the work.
    scripted: bool
    #: Whether it is work of a subagent.
    work: bool = False


@dataclass(kw_only=True)
class Simulation:
    """The calls, results and failures of a plan."""

    #: In the order they were made.
    calls: list[SimulatedCall] = field(default_factory=list[SimulatedCall])
    #: Node -> every node that it waits for, directly or not.
    before: dict[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    #: Nodes that ran after an approval.
    approvals: set[str] = field(default_factory=set[str])
    #: Node -> its result.
    results: dict[str, Json] = field(default_factory=dict[str, Json])
    #: Node -> why it failed.
    failures: dict[str, str] = field(default_factory=dict[str, str])
    #: Node -> the result it read without waiting for it, in words.
    unready: dict[str, str] = field(default_factory=dict[str, str])
    #: Node -> seconds from the start until it ended.
    ended: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def seconds(self) -> float:
        """How long the plan takes when every node starts as soon as it can."""
        return max(self.ended.values(), default=0.0)


async def simulation_of(
    operations: Sequence[Written], goal: Goal, needs_approval: Callable[[Written], bool], sandbox: Sandbox
) -> Simulation:
    """Simulate the operations; `needs_approval` decides for a node. Every approval is given."""
    simulator = _Simulator(goal, needs_approval, sandbox)
    cancelled = {str(operation["id"]) for operation in operations if operation["op"] == "cancel"}
    nodes = {str(operation["id"]): operation for operation in operations if operation["op"] == "add"}
    for node in _in_order(nodes, goal.earlier.keys()):
        if node not in cancelled:
            await simulator.run_node(node, nodes[node])
    return simulator.seen


def _needs(written: Written) -> Iterator[tuple[str, str]]:
    """Yield the nodes a node waits for, each with the end state it waits for."""
    for dependency in cast("Sequence[Json]", written.get("depends_on") or []):
        if isinstance(dependency, Mapping):
            yield str(dependency["id"]), str(dependency["on"])
        else:
            yield str(dependency), "succeeded"


def _in_order(nodes: Mapping[str, Written], ended: AbstractSet[str]) -> Iterator[str]:
    """Yield each node after those it waits for; leaves out nodes that wait for an unknown node or for themselves."""
    left = dict(nodes)
    done = set(ended)
    while ready := [node for node, written in left.items() if done.issuperset(need for need, _ in _needs(written))]:
        for node in ready:
            del left[node]
            done.add(node)
            yield node


def _is_of_item(condition: Json) -> bool:
    shown = json.dumps(condition)
    return "${item" in shown or "${index" in shown


class _Simulator:
    def __init__(self, goal: Goal, needs_approval: Callable[[Written], bool], sandbox: Sandbox) -> None:
        self._goal = goal
        self._needs_approval = needs_approval
        self._sandbox = sandbox
        self._steps_made: set[str] = set()
        self.seen = Simulation()
        for node, earlier in goal.earlier.items():
            self.seen.before[node] = frozenset()
            self._end(node, earlier)

    async def run_node(self, node: str, written: Written) -> None:
        """Run one node, unless a dependency ended in another state than the node waits for."""
        seen = self.seen
        needs = list(_needs(written))
        direct = {need for need, _ in needs}
        seen.before[node] = direct.union(*(seen.before.get(need, ()) for need in direct))
        begins = max((seen.ended[need] for need in direct if need in seen.ended), default=0.0)
        if not all(self._ended_as(need, on) for need, on in needs):
            return
        # A template needs no approval itself: each item does, as the node it becomes.
        if self._needs_approval({key: value for key, value in written.items() if key != "for_each"}):
            seen.approvals.add(node)
        seen.ended[node] = begins
        try:
            seen.results[node] = await self._result(node, written)
        except _Unready as error:
            seen.unready[node] = str(error)
            seen.failures[node] = str(error)
        except _LeftOut:
            return
        except ToolCallRefused as error:
            seen.failures[node] = str(error)

    def _ended_as(self, need: str, on: str) -> bool:
        succeeded, failed = need in self.seen.results, need in self.seen.failures
        return {"succeeded": succeeded, "failed": failed, "finished": True}[on]

    async def _result(self, node: str, written: Written) -> Json:
        condition = written.get("when")
        of_item = _is_of_item(condition)
        if condition and not of_item and not self._holds(node, condition, {}):
            raise _LeftOut
        joined = condition.get("all") if isinstance(condition, Mapping) else None
        for term in takewhile(lambda term: not _is_of_item(term), joined if isinstance(joined, list) else ()):
            if not self._holds(node, term, {}):  # of an `if` around the loop, which is asked before the list is read
                raise _LeftOut
        if "for_each" not in written:
            return await self._run(node, written, {})
        items = self._filled(node, written["for_each"], {})
        if not isinstance(items, list):
            raise ToolCallRefused("for_each is no list")
        owns: list[Mapping[str, Json]] = [{"item": item, "index": index} for index, item in enumerate(items)]
        return await self._items(
            node, written, [own for own in owns if not of_item or self._holds(node, condition, own)]
        )

    async def _items(self, node: str, written: Written, owns: Sequence[Mapping[str, Json]]) -> Json:
        """Run a template's items, concurrently by the simulated clock; the template fails if one of them does."""
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
        if written["kind"] == "subagent":
            given = {key: written[key] for key in ("instruction", "inputs", "files") if key in written}
            args = cast("Mapping[str, Json]", self._filled(node, given, own))
            return self._worked(node, str(written.get("role", "")), args, own)

        async def call(tool: str, args: Mapping[str, Json]) -> Json:
            if tool == FILES_WRITE:  # no call of a tool: it stays in the script's own world
                return {"name": args.get("name"), "size": len(str(args.get("text", "")).encode())}
            return self._called(node, tool, args, scripted=True)

        tools = frozenset([FILES_WRITE, *(str(tool) for tool in cast("Sequence[Json]", written.get("tools") or []))])
        inputs = cast("Mapping[str, Json]", self._filled(node, written.get("inputs") or {}, own))
        job = Job(code=str(written.get("code", "")), inputs=inputs, tools=tools, limits=_LIMITS)
        outcome = await self._sandbox.run(job, call)
        if outcome.kind is not OutcomeKind.OK:
            message = outcome.error.message if outcome.error else ""
            raise ToolCallRefused(f"{outcome.kind.value}: {message}")
        return outcome.result

    def _called(self, node: str, tool: str, args: Mapping[str, Json], *, scripted: bool) -> Json:
        """Return the result of a call in the goal's world."""
        steps = self._goal.steps
        fitting = [name for name, step in steps.items() if step.is_made_by(tool, args)]
        name = next((name for name in fitting if name not in self._steps_made), None)
        self.seen.calls.append(SimulatedCall(node=node, tool=tool, args=args, step=name, scripted=scripted))
        if name is None:
            raise ToolCallRefused(f"{tool} knows nothing of {json.dumps(args)[:200]}")
        self._steps_made.add(name)
        step = steps[name]
        self.seen.ended[node] += step.seconds
        if step.fails:
            raise ToolCallRefused(step.fails)
        return step.gives

    def _worked(self, node: str, role: str, args: Mapping[str, Json], own: Mapping[str, Json]) -> Json:
        """Return what a subagent returns in the goal's world; what it hands out is worked on by then."""
        work = self._goal.work
        left = [name for name, one in work.items() if one.role == role and not one.of and name not in self._steps_made]
        named = f"{node}-{own['index']}" if own else node
        name = named if named in left else next(iter(left), None)
        self.seen.calls.append(SimulatedCall(node=node, tool=role, args=args, step=name, scripted=False, work=True))
        if name is None:
            raise ToolCallRefused(f"{role} has nothing to say to {json.dumps(args)[:200]}")
        self._steps_made.add(name)
        for worker, one in ((worker, one) for worker, one in work.items() if one.of == name):
            self.seen.calls.append(
                SimulatedCall(node=node, tool=one.role, args={}, step=worker, scripted=True, work=True)
            )
            self._end(worker, one)
        self.seen.ended[node] += work[name].seconds
        if work[name].fails:
            raise ToolCallRefused(work[name].fails)
        return work[name].gives

    def _end(self, node: str, how: Ended) -> None:
        """Note how a node ended that the plan does not run."""
        if how.fails:
            self.seen.failures[node] = how.fails
        else:
            self.seen.results[node] = how.gives

    def _holds(self, node: str, term: Json, own: Mapping[str, Json]) -> bool:
        if isinstance(term, str):
            return bool(self._filled(node, term, own))
        [(name, inside)] = cast("Mapping[str, Json]", term).items()
        if name == "not":
            return not self._holds(node, inside, own)
        terms = cast("Sequence[Json]", inside)
        if name in ("all", "any"):
            wanted = name == "any"
            return wanted if any(self._holds(node, inner, own) is wanted for inner in terms) else not wanted
        left, right = (self._filled(node, side, own) for side in terms)
        try:
            if name in _ORDERS and isinstance(left, list | tuple):
                raise TypeError
            return _COMPARISONS[name](_marked(left), _marked(right))
        except TypeError as error:
            raise ToolCallRefused(f"{name} cannot compare {left!r} and {right!r}"[:300]) from error

    def _one_that_ran(self, node: str, targets: Sequence[str]) -> str:
        for target in targets:
            if target not in self.seen.before[node]:
                raise _Unready(f"it reads {target} and does not wait for it")
        if (ran := next((target for target in targets if target in self.seen.results), None)) is None:
            raise _LeftOut
        return ran

    def _filled(self, node: str, value: Json, own: Mapping[str, Json]) -> Json:
        """Return the value with every reference replaced by its target."""
        match value:
            case str():
                return self._filled_text(node, value, own)
            case Mapping():
                return {key: self._filled(node, item, own) for key, item in value.items()}
            case list() | tuple():
                return [self._filled(node, item, own) for item in value]
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
        if "|" in target:
            target = self._one_that_ran(node, target.split("|"))
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


def _marked(value: Json) -> object:
    """Return the value with booleans that are no numbers."""
    match value:
        case bool():
            return _TRUE if value else _FALSE
        case Mapping():
            return {key: _marked(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_marked(inner) for inner in value]
        case _:
            return value
