"""Calls of scripts and subagents while a plan runs: stored as nodes before they start, read back once they ended.

A suspended script or subagent is rows: it waits for the nodes of its calls as a template waits for its items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.approval import ApprovalKind, Decision
from agent.card_facts import Origin, OriginKind
from agent.errors import ArtifactMissing, DuplicateNode
from agent.execution.dynamic_nodes import id_taken, too_many
from agent.execution.execution_context import ExecutionContext
from agent.execution.precondition import call_of
from agent.execution.step import Step
from agent.ids import Digest, NodeId
from agent.plan.operations import Add, Node, NodeKind, nodes_added
from agent.plan.outcomes import Failed, Outcome, Succeeded
from agent.plan.script_calls import DecidedCalls, Suspended, call_nodes
from agent.plan.sources import OutputSources
from agent.tool import Colour
from agent.tools.output import output_of
from sandbox.script import Json


async def calls_of(step: Step, context: ExecutionContext) -> Sequence[Node]:
    """Return the nodes of the calls of a script or subagent, in the order of the log."""
    logged = await context.ports.log.after(step.thread, 0)
    return _calls(step, nodes_added([entry.operation for entry in logged]))


async def decided_calls(calls: Sequence[Node], step: Step, context: ExecutionContext) -> DecidedCalls | Failed:
    """Return what became of the step's calls, which all ended; a value that is a file is inline besides."""
    outcomes: dict[Digest, Outcome] = {}
    nodes: dict[Digest, Node] = {}
    edited: dict[Digest, Mapping[str, Json]] = {}
    for call in calls:
        position, outcome = call.position or Digest(""), context.frontier.outcomes[call.id]
        if isinstance(outcome, Succeeded):
            try:
                value = await output_of(context.thread, outcome, context.ports.artifacts)
                outcome = Succeeded(value=value, artifact=outcome.artifact, files=outcome.files)
            except ArtifactMissing:
                return Failed(error="artifact_missing", message=f"the result of {call.id} is no longer kept")
        outcomes[position], nodes[position] = outcome, call
        of_subagent = step.node.kind is NodeKind.SUBAGENT and isinstance(outcome, Succeeded | Failed)
        if of_subagent and (ran_with := await _edited(replace(step, node=call), context)) is not None:
            edited[position] = ran_with
    return DecidedCalls(outcomes=outcomes, nodes=nodes, edited=edited)


async def _edited(call: Step, context: ExecutionContext) -> Mapping[str, Json] | None:
    """Return the arguments with which a call ran that a person edited; None: with its own, or it never ran."""
    known = context.parking.known.items()
    records = [record for request, record in known if call.asks(ApprovalKind.APPROVE, request)]
    approved = [record for record in records if record.decision is Decision.APPROVED]
    if not approved or all(record.edited is None for record in records):
        return None
    bound = await context.bind(call)
    ran = None if isinstance(bound, Failed) else call_of(bound, approved[-1].digest, records)
    return None if ran is None or isinstance(bound, Failed) or ran.args == bound.args else ran.args


async def ask_about(suspended: Suspended, step: Step, context: ExecutionContext) -> Sequence[Node] | Failed:
    """Store a node for each call of a suspended run; return them, or why there cannot be these."""
    async with context.expanding:
        logged = await context.ports.log.after(step.thread, 0)
        known = _calls(step, nodes_added([entry.operation for entry in logged]))
        of_turn = nodes_added([entry.operation for entry in logged if entry.turn == step.turn])
        made = call_nodes(step.node, known, suspended)
        over = f"the calls of {step.id}"
        if (failed := too_many(over, len(made), len(of_turn), context.limits)) is not None:
            return failed
        try:
            await context.ports.log.append(step.thread, step.turn, step.author, [Add(node=node) for node in made])
        except DuplicateNode as error:
            return id_taken(error.node)
    return made


def _calls(step: Step, nodes: Mapping[NodeId, Node]) -> Sequence[Node]:
    return [node for node in nodes.values() if node.item_of == step.id and node.position is not None]


def script_origins(step: Step, context: ExecutionContext) -> Mapping[str, Sequence[Origin]]:
    """Return argument -> what worked it out, for the call of a script or subagent; empty for every other node."""
    if step.node.position is None or step.node.item_of is None:
        return {}
    origin = Origin(kind=OriginKind.STEP, what=context.sources.title(step.node.item_of))
    return dict.fromkeys(step.written, (origin,))


async def script_outside(step: Step, context: ExecutionContext) -> Mapping[str, Sequence[str]]:
    """Return argument -> the title of the script or subagent that made a call and had seen text of strangers.

    Nobody knows which of the arguments hold what it read, so all of them count.
    """
    package = step.node.item_of
    if step.node.position is None or package is None:
        return {}
    work, ended = context.ports.work, context.frontier.outcomes
    sources = OutputSources()
    logged = await context.ports.log.after(step.thread, 0)
    nodes = nodes_added([entry.operation for entry in logged])
    for entry in logged:
        if isinstance(entry.operation, Add):
            sources.add(entry.author, entry.operation.node)
    read = {source.tool for source in sources.into(package)}
    call = replace(step.node, kind=NodeKind.TOOL, require_human_approval=False)
    read |= {tool for tool in nodes[package].tools if work.colour(replace(call, tool=tool)) is Colour.GREEN}
    told = (node.id for node in nodes.values() if node.item_of == package and node.id in ended)
    read |= {source.tool for node in told for source in sources.of(node)}
    if not any(map(work.outside, read)):
        return {}
    return {name: (sources.title(package),) for name in step.written}
