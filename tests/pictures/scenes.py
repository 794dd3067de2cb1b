"""What the README's pictures show of boards and cards: a message each, built by the app's own builders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.approval import EDITED_BY, ApprovalKind, ApprovalPolicy, Decision, Escalation, Requirement, Vote
from agent.budget.budget import LimitExceeded, Measure, limit_exceeded_json
from agent.budget.usage import Scope, Spent
from agent.card_facts import CardFacts, Change, DryRun, Origin, OriginKind, Undoes, card_facts_json
from agent.grant import Anything, Grant, GrantId, GrantKind, OneOf
from agent.ids import ChannelId, ToolName, UserId
from agent.plan.operations import NodeKind
from agent.plan.outcomes import Failed, NodeState
from agent.ports import RunStatus
from agent.preview import Preview, previews
from agent.tool import Colour, Reversibility
from bot.blocks.board import board
from bot.cards.card import card
from bot.cards.group_card import group_card
from bot.cards.rules import listed
from bot.elements import Rendered
from bot.ports import ApprovalView, AttemptView, NodeView
from bot.slack.client import WebApi, open_client
from bot.slack.membership import Principals
from bot.tools.catalogue import slack_tools
from infra.tools.http import HttpRequestConfig, http_request
from sandbox.script import Json
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import GRACE, a_node, a_run, an_approval

SUMMARY = "payments answers 503 since 10:12 UTC: card network unreachable. search and orders are healthy."
RESTARTS = """\
def main(inputs):
    for host in inputs["hosts"]:
        tools.http_request(method="POST", url=f"https://ops.example.com/hosts/{host}/restart")
"""
CRASH = AttemptView(attempt=1, kind="error", error="KeyError: 'entries'")
WORKED = AttemptView(attempt=2, kind="ok", error="")
TICKET: Mapping[str, Json] = {
    "by": "tickets",
    "questions": {
        "ticket": {
            "message": "Who gets it, and how urgent is it?",
            "schema": {
                "type": "object",
                "properties": {
                    "team": {"type": "string", "enum": ["payments", "search"], "description": "Who looks after it."},
                    "urgent": {"type": "boolean", "default": False},
                },
                "required": ["team"],
            },
        }
    },
}
COSTLY = limit_exceeded_json(LimitExceeded(scope=Scope.RUN, measure=Measure.COST, used=2_520_000, most=2_500_000))
ADAS = Origin(kind=OriginKind.PERSON, what="U0ADA")
PLANS = Origin(kind=OriginKind.PLAN)
LOOKED = Origin(kind=OriginKind.STEP, what="Check payments")
API = WebApi(open_client(""))
POST, DELETE = (
    next(tool for tool in slack_tools(API, Principals(API)) if tool.name == name)
    for name in ("slack_post_message", "slack_delete_message")
)
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
    ended = NOON + timedelta(seconds=21)
    run = a_run(nodes=nodes, status=RunStatus.DONE, spent=spent, ended_at=ended, can_undo=True)
    return board(run)


def _asked(kind: ApprovalKind, title: str, *behind: str, **rest: Any) -> Rendered:
    policy = rest.pop("policy", SECOND_PERSON)
    *_, last = card(asked_view(kind, title, *behind, **rest), policy, previews_of=_previews)
    return last


def asked_view(kind: ApprovalKind, title: str, *behind: str, **rest: Any) -> ApprovalView:
    """Return a request by Ada with what its card shows; `rest` are fields of the request, its record and its view."""
    tool, facts = rest.pop("tool", POST.name), card_facts_json(rest.pop("facts", CardFacts()))
    if "edited_by" in rest:
        facts[EDITED_BY] = rest.pop("edited_by")
    of_view = {key: rest.pop(key) for key in ("to_come", "votes", "places", "frozen", "script") if key in rest}
    of_record = {key: rest.pop(key) for key in ("edited", "result", "claimed_by", "reason") if key in rest}
    question = an_approval(kind=kind, title=title, blocks=behind, **rest)
    asked = replace(question.request, tool=tool, facts=facts)
    return replace(question, request=asked, record=replace(question.record, **of_record), progress=(9, 14), **of_view)


def _previews(tool: ToolName, args: Mapping[str, Json]) -> Sequence[Preview]:
    found = next((known for known in (POST, SEND, DELETE) if known.name == tool), None)
    return previews(args, None if found is None else found.preview)


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
        ApprovalKind.INPUT.value: _asked(
            ApprovalKind.INPUT,
            "Open a ticket about payments",
            "Tell the ticket's number",
            tool=ToolName("tickets_create"),
            args=TICKET,
        ),
        ApprovalKind.CONNECT.value: _asked(
            ApprovalKind.CONNECT,
            "List my open tickets",
            "Sum up what is urgent",
            tool=ToolName("tickets_list"),
            args={"by": "Example Tickets", "account": "tickets"},
        ),
        ApprovalKind.SET_ASIDE.value: _asked(ApprovalKind.SET_ASIDE, ""),
        ApprovalKind.BUDGET.value: _asked(
            ApprovalKind.BUDGET, "", "Look at the logs of payments", args={"breaches": [COSTLY], "currency": "$"}
        ),
        ApprovalKind.ASK.value: _asked(
            ApprovalKind.ASK, "Which of the two payment databases do you mean: live or archive?"
        ),
        **_states(post),
        **_ends(post),
        "rules": listed([standing_rule()], [standing_rule().id]),
    }


def _states(post: Mapping[str, Json]) -> Mapping[str, Rendered]:
    """Return the cards of open requests that somebody or something has a hand in."""
    title = "Post the summary to #incidents"
    two = Requirement(stages=(replace(SECOND_PERSON, quorum=2),))
    asked_of = frozenset({UserId("U0LINUS")})
    later = Requirement(
        escalation=Escalation(after_minutes=30, users=asked_of), escalated=True, escalated_to=("C0OPS",)
    )
    return {
        "ahead": _asked(ApprovalKind.APPROVE, title, args=post, to_come=2),
        "claimed": _asked(ApprovalKind.APPROVE, title, args=post, claimed_by=GRACE),
        "quorum": _asked(
            ApprovalKind.APPROVE,
            title,
            args=post,
            requirement=two,
            votes=(Vote(by=GRACE, stage=0),),
            policy=two.current,
        ),
        "escalated": _asked(
            ApprovalKind.APPROVE, title, args=post, requirement=later, places=("C0OPS",), policy=later.current
        ),
        "frozen": _asked(ApprovalKind.APPROVE, title, args=post, frozen=True),
        "changed": _asked(
            ApprovalKind.APPROVE,
            "Set the banner of the status page",
            tool=SEND.name,
            args={
                "method": "PUT",
                "url": "https://status.example.com/api/banner",
                "json": {"text": "Payments is back"},
            },
            facts=CardFacts(
                state={"read": {"status": 200, "etag": '"v8"'}},
                change=Change(was={"read": {"status": 200, "etag": '"v7"'}}, approved=True),
            ),
        ),
        "undo": _asked(
            ApprovalKind.APPROVE,
            "Undo: Post the summary to #incidents",
            tool=DELETE.name,
            args={"channel": "#incidents", "ts": "1777896000.000100"},
            facts=CardFacts(
                reversibility=Reversibility.COMPENSABLE,
                state={"read": {"channel": "#incidents", "text": SUMMARY, "replies": 0}},
                undoes=Undoes(title="Post the summary to #incidents", by=GRACE, at=NOON),
            ),
        ),
        "outside": _asked(
            ApprovalKind.APPROVE,
            title,
            args={"channel": "#incidents", "text": "The page says: all clear, please disregard earlier warnings."},
            facts=CardFacts(outside={"text": ("Read the provider's status page",)}),
        ),
        "script": _asked(
            ApprovalKind.APPROVE, "Restart what is unhealthy", tool=ToolName(NodeKind.PACKAGE), args={}, script=RESTARTS
        ),
        "too-long": _asked(ApprovalKind.APPROVE, title, args={"channel": "#incidents", "text": "words " * 60_000}),
    }


def _ends(post: Mapping[str, Json]) -> Mapping[str, Rendered]:
    """Return the cards of requests that are decided."""
    title = "Post the summary to #incidents"
    edited = {"channel": "#incidents", "text": "payments answers 503 since 10:12 UTC. We are on it."}
    return {
        name: _asked(ApprovalKind.APPROVE, title, args=post, decision=decision, at=NOON, **rest)
        for name, decision, rest in (
            ("edited", Decision.APPROVED, {"by": GRACE, "edited": edited, "edited_by": GRACE}),
            ("rejected", Decision.REJECTED, {"by": GRACE, "reason": "not before the provider confirms it"}),
            ("changes", Decision.CHANGES, {"by": GRACE, "reason": "say since when, and that we are on it"}),
            ("by-hand", Decision.BY_HAND, {"by": GRACE, "result": "I posted it myself, with a picture"}),
            ("expired", Decision.EXPIRED, {}),
        )
    }


def standing_rule() -> Grant:
    """Return a rule for notices to one channel."""
    return Grant(
        id=GrantId("rule"),
        kind=GrantKind.RULE,
        channel=ChannelId("C0OPS"),
        tool=POST.name,
        conditions={"channel": OneOf(values=("#incidents",)), "text": Anything()},
        made_by=GRACE,
        made_at=NOON,
        expires_at=NOON + timedelta(days=7),
        most_uses=20,
        uses=3,
    )


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
