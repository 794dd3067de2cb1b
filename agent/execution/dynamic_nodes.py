"""Conditions and templates: what a running plan learns about itself.

Both are stored as operations before they are acted on: an unmet condition as a `skip`, a template's items as adds.
They follow from committed results alone, so after a crash the same is found again, and the log takes a node once.
"""

from collections.abc import Sequence

from agent.errors import ArtifactMissing, ContentUnavailable, DuplicateNode
from agent.execution.execution_context import ExecutionContext
from agent.execution.step import Step
from agent.ids import NodeId
from agent.limits import Limits
from agent.plan.conditions import Condition, before_items
from agent.plan.operations import Add, Skip, nodes_added
from agent.plan.outcomes import ArtifactRef, Failed, Outcome, Skipped, Succeeded, state_of
from agent.plan.references import references_in
from agent.plan.templates import items_of
from agent.tools.binding import bind_object, check_met
from agent.tools.call import OUTPUT_BYTES, kept_output
from agent.tools.output import gone, output_of
from sandbox.script import Json

UNMET = "its condition was not met"
"""Why a node is skipped whose `when` is not met."""

_NAMED = 5


async def check_condition(step: Step, context: ExecutionContext) -> Skipped | Failed | None:
    """Return None when the node may run, else how it ends. The log has its skip by then."""
    when = before_items(step.node.when) if step.node.for_each else step.node.when
    if not when:
        return None
    if (failed := await context.foreign(step)) is not None:
        return failed
    met = await check_met(step.thread, when, context.frontier.outcomes, context.ports.artifacts)
    if isinstance(met, Failed):
        return met
    if met:
        return None
    because = _about(when, step, context)
    skip = Skip(id=step.id, because=because, why=UNMET)
    await context.ports.log.append(step.thread, step.turn, step.author, [skip])
    context.parking.wake.set()
    return Skipped(because=because, why=UNMET)


async def expand(step: Step, context: ExecutionContext) -> Sequence[NodeId] | Failed:
    """Return the ids of a template's items, which are in the log by then, or why there can be none."""
    value = await _value(step, step.node.for_each, context)
    if isinstance(value, Failed):
        return value
    if not isinstance(value.value, list | tuple):
        return Failed(error="not_a_list", message=f"{step.node.for_each} is no list to go through")
    async with context.expanding:
        return await _stored_items(step, value.value, context)


async def gather(items: Sequence[NodeId], context: ExecutionContext) -> Outcome:
    """Return the list of the items' results; an item that its own condition left out is null in it."""
    outcomes = {item: context.frontier.outcomes[item] for item in items}
    undone = [f"{item} ({state_of(outcome).value})" for item, outcome in outcomes.items() if not _counts(outcome)]
    if undone:
        more = f" and {len(undone) - _NAMED} more" if len(undone) > _NAMED else ""
        message = f"{len(undone)} of {len(outcomes)} did not succeed: {', '.join(undone[:_NAMED])}{more}"
        return Failed(error="items_not_done", message=message)
    size = sum(ref.size for outcome in outcomes.values() if (ref := _artifact(outcome)) is not None)
    if size > OUTPUT_BYTES:
        message = f"the items' results come to {size} bytes together, more than {OUTPUT_BYTES}"
        return Failed(error="output_too_large", message=message)
    try:
        return await kept_output([await _result(outcome, context) for outcome in outcomes.values()])
    except ArtifactMissing as missing:
        return Failed(error="artifact_missing", message=gone(missing))
    except ContentUnavailable:
        return Failed(error="store_unavailable", message="the store of files cannot be reached; nothing is lost")


def _about(when: Condition, step: Step, context: ExecutionContext) -> NodeId:
    """Return the node that the condition is about: the first that it names, or the template of an item's own."""
    named = [node for _, reference in references_in(when) for node in reference.nodes]
    succeeded = (node for node in named if isinstance(context.frontier.outcomes.get(node), Succeeded))
    return next(succeeded, named[0] if named else step.node.item_of or step.id)


async def _value(step: Step, reference: str, context: ExecutionContext) -> Succeeded | Failed:
    if (failed := await context.foreign(step)) is not None:
        return failed
    outcomes, artifacts = context.frontier.outcomes, context.ports.artifacts
    bound = await bind_object(step.thread, {"value": reference}, outcomes, artifacts)
    return bound if isinstance(bound, Failed) else Succeeded(value=bound["value"])


async def _stored_items(step: Step, values: Sequence[Json], context: ExecutionContext) -> Sequence[NodeId] | Failed:
    """Store the template's items unless the log has them. Limits hold only for those that it has not."""
    log = context.ports.log
    logged = await log.after(step.thread, 0)
    known = nodes_added([entry.operation for entry in logged])
    stored = any(node.item_of == step.id for node in known.values())
    of_turn = nodes_added([entry.operation for entry in logged if entry.turn == step.turn])
    if not stored and (failed := too_many(step.node.for_each, len(values), len(of_turn), context.limits)) is not None:
        return failed
    items = items_of(step.node, values)
    for item in items:
        if item.id in known and known[item.id].digest != item.digest:
            return id_taken(item.id)
    try:
        if not stored:
            await log.append(step.thread, step.turn, step.author, [Add(node=item) for item in items])
    except DuplicateNode as error:
        return id_taken(error.node)
    return [item.id for item in items]


def too_many(over: str, count: int, of_turn: int, limits: Limits) -> Failed | None:
    """Return why a turn that has `of_turn` nodes may not get `count` items more."""
    if count > limits.fan_out:
        return Failed(error="too_many_items", message=f"{over} has {count} items, more than {limits.fan_out}")
    if count and count + of_turn > limits.nodes_per_turn:
        message = (
            f"{over} has {count} items; with the {of_turn} nodes that this turn has already "
            f"they are more than {limits.nodes_per_turn}"
        )
        return Failed(error="too_many_nodes", message=message)
    return None


async def _result(outcome: Outcome, context: ExecutionContext) -> Json:
    if not isinstance(outcome, Succeeded):
        return None
    return await output_of(context.thread, outcome, context.ports.artifacts)


def _artifact(outcome: Outcome) -> ArtifactRef | None:
    return outcome.artifact if isinstance(outcome, Succeeded) else None


def id_taken(id: str) -> Failed:
    return Failed(error="id_taken", message=f"the thread already has a node {id!r}")


def _counts(outcome: Outcome) -> bool:
    return isinstance(outcome, Succeeded) or (isinstance(outcome, Skipped) and outcome.why == UNMET)
