"""What the README's pictures show of forms: a modal each, built by the app's own builders from the same small story."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.approval import ApprovalKind, Decision
from agent.card_facts import CardFacts
from agent.events import AttemptEnded, SummarizedCall
from agent.grant import PlannedCall
from agent.ids import ChannelId, NodeId, ToolName
from bot.blocks.details import details
from bot.cards import rules
from bot.cards.confidential import confidential_values
from bot.cards.decision_forms import (
    Listed,
    ListedCall,
    approve_all_form,
    by_hand_form,
    changes_form,
    comment_form,
    edit_form,
    input_form,
    planned_arguments,
    short_arguments,
)
from bot.cards.edit_form import ArgumentField, fields_of
from bot.elements import Block
from bot.payloads import Answer
from bot.ports import PackageView, PastCall
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import ADA, GRACE, THREAD
from tests.pictures.scenes import POST, SUMMARY, TICKET, asked_view, messages, standing_rule

CODE = """\
def main(inputs):
    rows = tools.read_access_log()["entries"]
    failed = [row for row in rows if row["status"] >= 500]
    return {"error_rate": len(failed) / len(rows)}
"""

ASKED = asked_view(
    ApprovalKind.APPROVE, "Post the summary to #incidents", args={"channel": "#incidents", "text": SUMMARY}
)
INPUT = asked_view(ApprovalKind.INPUT, "Open a ticket about payments", args=TICKET)
ANSWER = Answer(
    approval=ASKED.request.id, version=1, decision=Decision.APPROVED, user=GRACE, channel=ChannelId("C0OPS")
)


def forms() -> Mapping[str, Block]:
    """Return picture name -> modal."""
    return {
        "details": _details(),
        "form-comment": comment_form(ASKED, ANSWER, [Decision.APPROVED, Decision.REJECTED]),
        "form-changes": changes_form(ASKED, ANSWER),
        "form-edit": edit_form(ASKED, ANSWER, _fields(), approves=True),
        "form-by-hand": by_hand_form(ASKED, ANSWER),
        "form-input": input_form(INPUT, ANSWER),
        "form-together": _together(),
        "form-confidential": _confidential(),
        "form-rule": rules.first_page(
            POST.name, standing_rule().conditions, {"channel": ["#incidents"], "text": ["a", "b", "c"]}, ""
        ),
        "form-rule-preview": rules.second_page(standing_rule(), _past(), ""),
    }


def _details() -> Block:
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


def _fields() -> Sequence[ArgumentField]:
    return fields_of(POST.arguments, ASKED.args) or ()


def _together() -> Block:
    call = PlannedCall(
        thread=THREAD,
        turn=1,
        node=NodeId("tell"),
        title="Tell the team how it ended",
        tool=POST.name,
        author=ADA,
        args={"channel": "#ops", "text": "payments is back: ${check#/body}"},
    )
    arguments = planned_arguments(call.args, {NodeId("check"): "Check payments again"}) or ""
    asked = Listed(view=ASKED, arguments=short_arguments(ASKED.args))
    return approve_all_form(ANSWER, [asked], [ListedCall(call=call, arguments=arguments)])


def _confidential() -> Block:
    view = asked_view(
        ApprovalKind.APPROVE,
        "Give the new colleague access",
        tool=ToolName("edit_access"),
        args={"member": "linus", "token": "an example of a token"},
        facts=CardFacts(confidential=("/token",)),
    )
    return confidential_values(view.request)


def _past() -> Sequence[PastCall]:
    texts = ("search is slow again", "orders answer 503", "payments is back")
    asked = [
        asked_view(
            ApprovalKind.APPROVE,
            "Post to #incidents",
            args={"channel": "#incidents", "text": text},
            decision=Decision.APPROVED,
            by=GRACE,
            at=NOON,
        )
        for text in texts
    ]
    return [PastCall(request=view.request, record=view.record) for view in asked]


NAMES = frozenset({*messages(), *forms()})
"""All pictures."""
