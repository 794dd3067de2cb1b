"""What happens in a run of a plan file, as JSON objects: one per line on stdout, `event` first."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from agent.events import AttemptEnded, NodeChanged, NodePlanned, PlanPacked, RunEvent
from agent.ids import NodeId
from agent.lifecycle import Outcome, outcome_json, state_of
from agent.plan import Add, operation_json
from agent.ports import Question, Standing
from sandbox.script import Json


def event_line(event: RunEvent) -> Mapping[str, Json]:
    """Return a change of a node: `planned` with its operation, `changed`, a package's `attempt`, a plan `packed`."""
    match event:
        case NodePlanned(node=node):
            return {
                "event": "planned",
                "node": node.id,
                "at": event.at.isoformat(),
                "colour": event.colour.value,
                "operation": operation_json(Add(node=node)),
            }
        case PlanPacked():
            return {
                "event": "packed",
                "fusions": [list(each.steps) for each in event.fusions],
                "splits": [str(each) for each in event.splits],
            }
        case NodeChanged(node=node, outcome=outcome):
            said: dict[str, Json] = {"detail": event.detail} if event.detail else {}
            ended: dict[str, Json] = {"outcome": outcome_json(outcome)} if outcome is not None else {}
            return {
                "event": "changed",
                "node": node,
                "at": event.at.isoformat(),
                "state": event.state.value,
                **said,
                **ended,
            }
        case AttemptEnded(node=node):
            return {
                "event": "attempt",
                "node": node,
                "at": event.at.isoformat(),
                "attempt": event.attempt,
                "kind": event.kind,
                "error": event.error,
                "traceback": event.traceback,
                "code": event.code,
                "milliseconds": event.milliseconds,
            }
        case _:
            assert_never(event)


def question_line(question: Question) -> Mapping[str, Json]:
    """Return a question to a person: exactly what will run if the answer is yes."""
    return {"event": "question", **_asked(question)}


def decision_line(question: Question, standing: Standing) -> Mapping[str, Json]:
    """Return how a question was decided."""
    return {"event": "decision", "node": question.node, "id": standing.id, "decision": standing.decision.value}


def end_line(outcomes: Mapping[NodeId, Outcome], unanswered: Sequence[Question]) -> Mapping[str, Json]:
    """Return how the run ended: `finished`, or `parked` with the questions it waits for."""
    return {
        "event": "ended",
        "status": "parked" if unanswered else "finished",
        "nodes": {node: state_of(outcome).value for node, outcome in outcomes.items()},
        "open": [_asked(question) for question in unanswered],
    }


def _asked(question: Question) -> dict[str, Json]:
    return {
        "node": question.node,
        "id": question.id,
        "kind": question.kind.value,
        "title": question.title,
        "tool": question.tool,
        "args": question.args,
        "digest": question.digest,
        "blocks": list(question.blocks),
    }
