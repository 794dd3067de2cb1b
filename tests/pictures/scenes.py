"""What the README's pictures show: one message or modal each, built by the app's own builders from a small story."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.approval import ApprovalKind, ApprovalPolicy, Decision
from agent.budget.budget import LimitExceeded, Measure, limit_exceeded_json
from agent.budget.usage import Scope, Spent
from agent.card_facts import CardFacts, DryRun, Origin, OriginKind, card_facts_json
from agent.events import AttemptEnded, SummarizedCall
from agent.ids import NodeId, ToolName
from agent.plan.operations import NodeKind
from agent.plan.outcomes import Failed, NodeState
from agent.ports import RunStatus
from agent.preview import Preview, previews
from agent.tool import Colour, Reversibility
from bot.blocks.board import board
from bot.blocks.card import card
from bot.blocks.details import details
from bot.blocks.elements import Block, Rendered
from bot.blocks.group_card import group_card
from bot.ports import AttemptView, NodeView, PackageView
from bot.slack.channels import Channels
from bot.slack.client import WebApi, open_client
from bot.slack.membership import Principals
from bot.tools.post_message import slack_post_message
from infra.tools.http import HttpRequestConfig, http_request
from sandbox.script import Json
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
ADAS = Origin(kind=OriginKind.PERSON, what="U0ADA")
PLANS = Origin(kind=OriginKind.PLAN)
LOOKED = Origin(kind=OriginKind.STEP, what="Check payments")
API = WebApi(open_client(""))
POST = slack_post_message(API, Channels(Principals(API)))
SEND = http_request(HttpRequestConfig())
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
    tool, facts = rest.pop("tool", POST.name), card_facts_json(rest.pop("facts", CardFacts()))
    question = an_approval(kind=kind, title=title, blocks=behind, **rest)
    asked = replace(question.request, tool=tool, facts=facts)
    shown = replace(question, request=asked, progress=(9, 14))
    *_, last = card(shown, SECOND_PERSON, previews_of=_previews)
    return last


def _previews(tool: ToolName, args: Mapping[str, Json]) -> Sequence[Preview]:
    return previews(args, {POST.name: POST, SEND.name: SEND}[tool].preview if tool in (POST.name, SEND.name) else None)


def _plan(**origins: Sequence[Origin]) -> Mapping[str, Sequence[Origin]]:
    return origins


def messages() -> Mapping[str, Rendered]:
    """Return picture name -> message; every kind of question has its card, under the kind's own name."""
    post = {"channel": "#incidents", "text": SUMMARY}
    return {
        "board": _running(),
        "board-done": _done(),
        ApprovalKind.APPROVE.value: _asked(
            ApprovalKind.APPROVE,
            "Post the summary to #incidents",
            "Tell what was posted",
            args=post,
            facts=CardFacts(
                reversibility=Reversibility.COMPENSABLE, origins=_plan(channel=[ADAS], text=[PLANS, LOOKED])
            ),
        ),
        "approve-request": _asked(
            ApprovalKind.APPROVE,
            "Close the two stale incidents",
            "Tell the team",
            "Update the status page",
            tool=SEND.name,
            args={
                "method": "POST",
                "url": "https://status.example.com/api/incidents/close",
                "json": [
                    {"id": 311, "name": "search is slow", "since": "2026-05-01"},
                    {"id": 320, "name": "orders answer 503", "since": "2026-05-03"},
                ],
            },
            facts=CardFacts(
                origins=_plan(method=[PLANS], url=[ADAS], json=[LOOKED]),
                dry_run=DryRun(result="2 incidents would close"),
            ),
        ),
        "approve-edit": _asked(
            ApprovalKind.APPROVE,
            "Give the new colleague access",
            tool=ToolName("edit_access"),
            args={
                "old_members": "ada\ngrace\n",
                "new_members": "ada\ngrace\nlinus\n",
                "token": "an example of a token",
            },
            facts=CardFacts(
                reversibility=Reversibility.REVERSIBLE,
                origins=_plan(old_members=[LOOKED], new_members=[PLANS], token=[LOOKED]),
                confidential=("/token",),
            ),
        ),
        "shared": _shared(),
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


def _shared() -> Rendered:
    """Return the card of three equal steps, one of which is decided."""
    hosts = ("web-01", "web-02", "web-03")
    args = [{"method": "POST", "url": f"https://ops.example.com/hosts/{host}/restart"} for host in hosts]
    asked = [
        an_approval(id=f"restart-{host}", title=f"Restart {host}", args=given)
        for host, given in zip(hosts, args, strict=True)
    ]
    views = [replace(view, request=replace(view.request, tool=SEND.name)) for view in asked]
    decided = replace(views[0].record, decision=Decision.APPROVED, by=GRACE, at=NOON)
    return group_card([replace(views[0], record=decided), *views[1:]], SECOND_PERSON)


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
