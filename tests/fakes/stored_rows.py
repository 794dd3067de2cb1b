"""Fills a thread through the stores, for tests that read the rows by SQL."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from agent.approval import ApprovalKind, Decision
from agent.events import PlanPacked, RecordedAnswer, SummarizedCall
from agent.ids import ApprovalId, Digest, NodeId, Tenant, ToolName, UserId, thread_parts
from agent.packing.packing import Fusion, Reason, Split
from agent.plan.operations import Cancel, Skip
from agent.plan.outcomes import Failed, NodeState, Succeeded, outcome_json
from agent.ports import Choice, Reflection, ResultKey, RunStatus, Summary
from bot.ports import Kind, Post, PostedMessage, Slot
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.rows import (
    ADA,
    GRACE,
    THREAD,
    a_message,
    a_request,
    an_add,
    attempt,
    changed,
    planned,
    seconds,
)

TEAM = Tenant(thread_parts(THREAD).tenant)


async def messages(stores: Stores) -> None:
    """Take in a message of every kind; the first is in a turn, and a stop comes last."""
    kinds = (Kind.MENTION, Kind.REPLY, Kind.DIRECT, Kind.COMMAND)
    for number, kind in enumerate(kinds):
        await stores.inbox.accept(a_message(kind.value, f"{number}.0", kind=kind))
    await stores.runs.begin(THREAD, 1)
    [first, *_] = await stores.mailbox.untaken(THREAD)
    await stores.mailbox.taken(THREAD, 1, [first.id], reply="hello", error="plan_invalid")
    await stores.inbox.accept(a_message("!stop", "stop:Ev9", kind=Kind.STOP, event_id="Ev9"))


async def operations(stores: Stores) -> None:
    """Log an operation of every kind."""
    kinds = [an_add("a"), an_add("b", "a"), Cancel(id=NodeId("b"), why="stopped")]
    await stores.log.append(THREAD, 1, ADA, [*kinds, Skip(id=NodeId("c"), because=NodeId("a"), why="unmet")])


async def progress(stores: Stores) -> None:
    """Note an event of every kind."""
    await stores.runs.begin(THREAD, 1)
    whole = replace(
        attempt("p", 1),
        logs="printed",
        calls=(SummarizedCall(tool="http_get", args="{}", ok=True, milliseconds=2.5),),
        of=Digest("e" * 64),
        answers=(RecordedAnswer(call='["http_get",{"url":"u"}]', value={"status": 200}),),
    )
    split = Split(before=NodeId("a"), after=NodeId("c"), reason=Reason.FAN_OUT, detail="more")
    for event in (
        planned("a"),
        planned("b", "a"),
        planned("p"),
        PlanPacked(turn=1, fusions=(Fusion(steps=(NodeId("a"), NodeId("b"))),), splits=(split,)),
        changed("a", NodeState.RUNNING, seconds(1)),
        changed("a", NodeState.SUCCEEDED, seconds(2), Succeeded(value={"x": "ä"})),
        changed("b", NodeState.FAILED, seconds(3), Failed(error="timeout", message="m")),
        changed("p", NodeState.RUNNING, seconds(1)),
        whole,
        attempt("p", 2, "ok"),
    ):
        stores.progress.note(THREAD, event)
    await stores.progress.flush()


async def questions(stores: Stores) -> None:
    """Ask a question of every kind, and decide some of them."""
    for kind in ApprovalKind:
        await stores.approvals.ask(a_request(kind.value, kind=kind, blocks=("After",)))
    ways = {ApprovalKind.APPROVE: Decision.APPROVED, ApprovalKind.BUDGET: Decision.STOP}
    for kind, decision in ways.items():
        asked = ApprovalId(kind.value)
        await stores.approvals.decide(TEAM, asked, version=1, by=GRACE, decision=decision, reason="because")
    await stores.approvals.withdraw(THREAD, ApprovalId(ApprovalKind.ASK.value), "answered in the thread")
    await stores.approvals.extend(THREAD, ApprovalId(ApprovalKind.BUDGET.value), {"from": {}})


async def words_of_people(stores: Stores) -> None:
    """Edit a call and approve it with a comment, ask for changes to another, do a third by hand, claim a fourth."""
    for name in ("edited", "changed", "done", "claimed"):
        await stores.approvals.ask(a_request(name, node=NodeId(name)))
    edited, changed, done, claimed = map(ApprovalId, ("edited", "changed", "done", "claimed"))
    args: Mapping[str, Json] = {"channel": "#ops", "text": "ä"}
    await stores.approvals.edit(TEAM, edited, version=1, by=UserId("U0ADA"), args=args, place="C1")
    yes, changes, by_hand = Decision.APPROVED, Decision.CHANGES, Decision.BY_HAND
    await stores.approvals.decide(TEAM, edited, version=2, by=GRACE, decision=yes, reason="go")
    await stores.approvals.decide(TEAM, changed, version=1, by=GRACE, decision=changes, reason="in #ops")
    await stores.approvals.decide(TEAM, done, version=1, by=GRACE, decision=by_hand, result={"ts": 1.5})
    await stores.approvals.claim(TEAM, claimed, by=GRACE)


async def red_calls(stores: Stores) -> None:
    """Start two red calls, and finish one."""
    for node in ("done", "started"):
        await stores.ledger.start(THREAD, NodeId(node), Digest("d" * 64), 1)
    await stores.ledger.finish(THREAD, NodeId("done"), 1, outcome_json(Succeeded(value={"ok": True})))


async def runs(stores: Stores) -> None:
    """Leave a turn in every status that the executor sets, one of them with an early reflection and an answer."""
    for turn, status in enumerate((RunStatus.PLANNING, RunStatus.RUNNING, RunStatus.WAITING), start=1):
        await stores.runs.begin(THREAD, turn)
        await stores.runs.set_status(THREAD, turn, status)
    await stores.runs.reflected(THREAD, 3, Reflection(choice=Choice.REPLAN, failed=(NodeId("a"),)))
    await stores.runs.finish(THREAD, 3, RunStatus.DONE, "the answer", "internal")
    await stores.posted.settle(THREAD, 3)


async def posts(stores: Stores) -> None:
    """Note a message in every place."""
    await stores.posted.begin(THREAD, 1, Slot(Post.REPLY, "0"))
    for post in Post:
        slot = Slot(post, "q1" if post is Post.CARD else "")
        await stores.posted.post(THREAD, 1, slot, PostedMessage("1.5", Digest("f" * 64)))


async def values(stores: Stores) -> None:
    """Keep an artifact, a remembered result and a summary."""
    await stores.artifacts.put(THREAD, "a.txt", "grün".encode(), "text/plain; charset=utf-8")
    key = ResultKey(
        tenant=TEAM, author=UserId("U0ADA"), tool=ToolName("http_get"), version="1", arguments=Digest("c" * 64)
    )
    await stores.results.keep(key, {"b": 1, "a": "ä"}, 60)
    await stores.summaries.keep(THREAD, Summary(upto_turn=2, text="so far"))


DEEDS: dict[str, Callable[[Stores], Awaitable[None]]] = {
    deed.__name__: deed
    for deed in (messages, operations, progress, questions, words_of_people, red_calls, runs, posts, values)
}
"""Name -> a function that writes through the stores."""
