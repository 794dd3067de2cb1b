"""What the README's pictures show: one message or modal each, built by the app's own builders from a small story."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.approval import ApprovalKind, ApprovalPolicy, Decision
from agent.budget.budget import LimitExceeded, Measure, limit_exceeded_json
from agent.budget.usage import Scope, Spent
from agent.events import AttemptEnded, SummarizedCall
from agent.ids import NodeId, ToolName
from agent.plan.operations import NodeKind
from agent.plan.outcomes import Failed, NodeState
from agent.ports import RunStatus
from agent.tool import Colour
from bot.blocks.board import board
from bot.blocks.card import card
from bot.blocks.details import details
from bot.blocks.elements import Block, Rendered
from bot.ports import AttemptView, NodeView, PackageView
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import GRACE, THREAD, a_node, a_run, an_approval

SUMMARY = "payments answers 503 since 10:12 UTC: card network unreachable. search and orders are healthy."
CODE = """\
def main(inputs):
    rows = tools.read_access_log()["entries"]
    failed = [row for row in rows if row["status"] >= 500]
    return {"error_rate": len(failed) / len(rows)}
"""
CRASH = AttemptView(attempt=1, kind="error", error="KeyError: 'entries'")
WORKED = AttemptView(attempt=2, kind="ok", error="")
COSTLY = limit_exceeded_json(LimitExceeded(scope=Scope.RUN, measure=Measure.COST, used=2_520_000, most=2_500_000))
SECOND_PERSON = ApprovalPolicy(self_approval=False)


def _step(id: str, title: str, state: NodeState, **rest: Any) -> NodeView:
    return a_node(id, state, title=title, **rest)


def _script(state: NodeState, *attempts: AttemptView) -> NodeView:
    return _step(
        "rate", "Work out the error rate per service", state, kind=NodeKind.PACKAGE, tool=None, attempts=attempts
    )


def _post(state: NodeState, **rest: Any) -> NodeView:
    return _step(
        "post",
        "Post the summary to #incidents",
        state,
        tool=ToolName("slack_post_message"),
        colour=Colour.RED,
        outcome=None,
        **rest,
    )


def _running() -> Rendered:
    nodes = (
        _step("search", "Check search", NodeState.SUCCEEDED),
        _step("orders", "Check orders", NodeState.RUNNING),
        _step("payments", "Check payments", NodeState.FAILED, outcome=Failed(error="unreachable")),
        _script(NodeState.RUNNING, CRASH),
        _post(NodeState.ASKING),
        _step("tell", "Tell what was posted", NodeState.PLANNED, depends_on=("post",)),
    )
    spent = Spent(model_calls=2, input_tokens=3900, output_tokens=640, cost_micros=2300, work_milliseconds=6_400)
    return board(a_run(nodes=nodes, spent=spent))


def _done() -> Rendered:
    nodes = (
        _step("search", "Check search", NodeState.SUCCEEDED),
        _script(NodeState.SUCCEEDED, CRASH, WORKED),
        _post(NodeState.SUCCEEDED, ended_at=NOON + timedelta(seconds=0.4)),
    )
    spent = Spent(model_calls=4, input_tokens=8100, output_tokens=1280, cost_micros=4600)
    run = a_run(nodes=nodes, status=RunStatus.DONE, spent=spent, ended_at=NOON + timedelta(seconds=21))
    return board(run)


def _asked(kind: ApprovalKind, title: str, *behind: str, **rest: Any) -> Rendered:
    question = an_approval(kind=kind, title=title, blocks=behind, **rest)
    *_, last = card(question, SECOND_PERSON)
    return last


def messages() -> Mapping[str, Rendered]:
    """Return picture name -> message; every kind of question has its card, under the kind's own name."""
    post = {"channel": "#incidents", "text": SUMMARY}
    return {
        "board": _running(),
        "board-done": _done(),
        ApprovalKind.APPROVE.value: _asked(
            ApprovalKind.APPROVE, "Post the summary to #incidents", "Tell what was posted", args=post
        ),
        "decided": _asked(
            ApprovalKind.APPROVE,
            "Post the summary to #incidents",
            args=post,
            decision=Decision.APPROVED,
            by=GRACE,
            at=NOON,
        ),
        ApprovalKind.UNKNOWN.value: _asked(ApprovalKind.UNKNOWN, "Post the summary to #incidents", args=post),
        ApprovalKind.ROUNDS.value: _asked(
            ApprovalKind.ROUNDS, "", "Look at the logs of payments", "Compare with yesterday"
        ),
        ApprovalKind.SET_ASIDE.value: _asked(ApprovalKind.SET_ASIDE, ""),
        ApprovalKind.BUDGET.value: _asked(
            ApprovalKind.BUDGET, "", "Look at the logs of payments", args={"breaches": [COSTLY], "currency": "$"}
        ),
        ApprovalKind.ASK.value: _asked(
            ApprovalKind.ASK, "Which of the two payment databases do you mean: live or archive?"
        ),
    }


def modal() -> Block:
    """Return the modal of a script's first attempt."""
    crash = AttemptEnded(
        node=NodeId("rate"),
        attempt=1,
        kind="error",
        code=CODE,
        error="KeyError: 'entries'",
        traceback='File "script.py", line 2, in main\n    rows = tools.read_access_log()["entries"]',
        milliseconds=41.0,
        at=NOON,
        logs="",
        calls=(SummarizedCall(tool="read_access_log", args="{}", ok=True, milliseconds=12.0),),
    )
    ok = replace(crash, attempt=2, kind="ok", error="", traceback="")
    package = PackageView(
        thread=THREAD, node=NodeId("rate"), title="Work out the error rate per service", attempts=(crash, ok)
    )
    return details(package, 1)


MODAL = "details"
NAMES = frozenset({*messages(), MODAL})
