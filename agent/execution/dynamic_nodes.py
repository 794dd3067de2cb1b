"""Unfolding: what a running plan learns about itself, stored as operations before it is acted on.

A condition that does not hold is a `skip` in the log; a template's items are adds. Both follow from
results that are committed, so a crash in between finds the same again, and the log takes a node once.
"""

import asyncio
from collections.abc import Sequence

from agent.errors import ArtifactMissing, DuplicateNode
from agent.execution.execution_context import ExecutionContext
from agent.execution.step import Step
from agent.ids import NodeId, ThreadId
from agent.limits import Limits
from agent.plan.artifacts import content_of, fits_inline, value_of
from agent.plan.operations import Add, Node, Skip, node_digest, nodes_added
from agent.plan.outcomes import ArtifactRef, Failed, NodeState, Outcome, Skipped, Succeeded, state_of
from agent.plan.references import references_in
from agent.plan.templates import about_item, items_of
from agent.tools.binding import bind_object
from agent.tools.call import kept_output
from sandbox.script import Json

UNMET = "its condition was not met"
"""Why a node is skipped whose `when` is false, zero, empty or null."""

_NAMED = 5


class DynamicNodes:
    """Unfolds the conditions and templates of one entry, as far as the limits let it."""

    def __init__(self, entry: ExecutionContext, limits: Limits) -> None:
        self._entry = entry
        self._limits = limits
        self._storing = asyncio.Lock()
        self._items: dict[NodeId, Sequence[NodeId]] = {}

    async def condition(self, step: Step) -> Skipped | Failed | None:
        """Return None when the node may run, else how it ends; that it is skipped is in the log by then."""
        if (skipped := self._entry.skipped.get(step.id)) is not None:
            return skipped
        when = step.node.when
        if not when or (step.node.for_each and about_item(when)):
            return None
        value = await self._value(step, when)
        if isinstance(value, Failed) or value.value:
            return value if isinstance(value, Failed) else None
        because = next(reference.node for _, reference in references_in(when))
        await self._entry.ports.log.append(
            step.thread, step.turn, step.author, [Skip(id=step.id, because=because, why=UNMET)]
        )
        self._entry.grown()
        return Skipped(because=because, why=UNMET)

    async def expand(self, step: Step) -> Failed | None:
        """Put a template's items into the log, once, and make it wait for them; or say why that cannot be."""
        value = await self._value(step, step.node.for_each)
        if isinstance(value, Failed):
            return value
        if not isinstance(value.value, list | tuple):
            return Failed(error="not_a_list", message=f"{step.node.for_each} is no list to go through")
        async with self._storing:  # one after the other: each counts what the others added
            items = await self._stored(step, value.value)
        if isinstance(items, Failed):
            return items
        self._items[step.id] = [each.id for each in items]
        self._entry.show(step.id, NodeState.RUNNING)
        # No await from here on: the feeder of the entry hears of the items before this node rests.
        self._entry.grown()
        self._entry.frontier.wait_for_items(step.id, self._items[step.id])
        return None

    async def gathered(self, step: Step) -> Outcome:
        """Return the list of the items' results; an item that its own condition left out is null in it."""
        outcomes = {each: self._entry.frontier.outcomes[each] for each in self._items[step.id]}
        undone = [f"{each} ({state_of(one).value})" for each, one in outcomes.items() if not _counts(one)]
        if undone:
            more = f" and {len(undone) - _NAMED} more" if len(undone) > _NAMED else ""
            message = f"{len(undone)} of {len(outcomes)} did not succeed: {', '.join(undone[:_NAMED])}{more}"
            return Failed(error="items_not_done", message=message)
        try:
            results = [await self._result(step.thread, each) for each in outcomes.values()]
        except ArtifactMissing:
            return Failed(error="artifact_missing", message="the result of an item is no longer kept")
        kept = kept_output(results)
        if isinstance(kept, Failed) or fits_inline(kept.value):
            return kept
        content = content_of(step.id, kept.value)
        ref = await self._entry.ports.artifacts.put(step.thread, content.name, content.content, content.media_type)
        return Succeeded(artifact=ref)

    async def _value(self, step: Step, reference: str) -> Succeeded | Failed:
        ports, outcomes = self._entry.ports, self._entry.frontier.outcomes
        bound = await bind_object(step.thread, {"value": reference}, outcomes, ports.artifacts)
        return bound if isinstance(bound, Failed) else Succeeded(value=bound["value"])

    async def _stored(self, step: Step, values: Sequence[Json]) -> Sequence[Node] | Failed:
        """Return the template's items, which are in the log by then. Limits hold for those that are not yet."""
        log = self._entry.ports.log
        logged = await log.after(step.thread, 0)
        known = nodes_added([each.operation for each in logged])
        stored = any(each.item_of == step.id for each in known.values())
        own = nodes_added([each.operation for each in logged if each.turn == step.turn])
        if not stored and (failed := self._too_many(step.node.for_each, len(values), len(own))) is not None:
            return failed
        items = items_of(step.node, values)
        taken = [each for each in items if each.id in known and node_digest(known[each.id]) != node_digest(each)]
        if taken:
            return _id_taken(taken[0].id)
        try:
            if not stored:
                await log.append(step.thread, step.turn, step.author, [Add(node=each) for each in items])
        except DuplicateNode as error:
            return _id_taken(error.node)
        return items

    def _too_many(self, over: str, count: int, own: int) -> Failed | None:
        """Return why a turn that has `own` nodes may not have one more for each of so many items."""
        if count > self._limits.fan_out:
            message = f"{over} has {count} items, more than {self._limits.fan_out}"
            return Failed(error="too_many_items", message=message)
        if count and count + own > self._limits.nodes_per_turn:
            message = (
                f"{over} has {count} items; with the {own} nodes that this turn has already "
                f"they are more than {self._limits.nodes_per_turn}"
            )
            return Failed(error="too_many_nodes", message=message)
        return None

    async def _result(self, thread: ThreadId, outcome: Outcome) -> Json:
        match outcome:
            case Succeeded(artifact=ArtifactRef() as ref):
                return value_of(await self._entry.ports.artifacts.get(thread, ref.digest), ref.media_type)
            case Succeeded(value=value):
                return value
            case _:
                return None


def _id_taken(id: str) -> Failed:
    return Failed(error="id_taken", message=f"the thread already has a node {id!r}")


def _counts(outcome: Outcome) -> bool:
    return isinstance(outcome, Succeeded) or (isinstance(outcome, Skipped) and outcome.why == UNMET)
