"""Progress, and what people see of it."""

from dataclasses import replace

import pytest
from sqlalchemy import URL, text

from agent.errors import StoreUnavailable
from agent.events import PlanPacked, RecordedAnswer, SummarizedCall
from agent.ids import Digest, NodeId
from agent.packing.packing import Fusion, Reason, Split
from agent.plan.outcomes import Failed, NodeState, Succeeded
from agent.ports import RunStatus
from bot.ports import Post, PostedMessage, RunView, Slot
from infra.db.database import Database
from infra.stores.progress import PostgresProgress
from infra.stores.stores import Stores
from infra.worker.notifications import Notifier
from tests.fakes.rows import (
    ADA,
    GRACE,
    OTHER,
    THREAD,
    a_message,
    a_request,
    attempt,
    audited,
    changed,
    planned,
    seconds,
    tenant_of,
)


async def _view(stores: Stores) -> RunView:
    await stores.progress.flush()
    (view,) = await stores.run_views.unsettled(THREAD)
    return view


async def test_nodes_are_shown_in_plan_order_with_their_times(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    for event in (
        planned("b"),
        planned("a", "b"),
        changed("b", NodeState.RUNNING, seconds(1)),
        changed("b", NodeState.SUCCEEDED, seconds(3), Succeeded(value={"x": 1})),
        changed("a", NodeState.RUNNING, seconds(4)),
    ):
        stores.progress.note(THREAD, event)
    b, a = (await _view(stores)).nodes
    assert (b.id, b.state, b.started_at, b.ended_at) == ("b", NodeState.SUCCEEDED, seconds(1), seconds(3))
    assert b.outcome == Succeeded(value={"x": 1})
    assert (a.state, a.started_at, a.ended_at, a.depends_on) == (NodeState.RUNNING, seconds(4), None, ("b",))


async def test_the_same_state_again_keeps_its_time(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    stores.progress.note(THREAD, planned("a"))
    stores.progress.note(THREAD, changed("a", NodeState.RUNNING, seconds(1)))
    await stores.progress.flush()
    stores.progress.note(THREAD, planned("a", at=seconds(50)))
    stores.progress.note(THREAD, changed("a", NodeState.RUNNING, seconds(51)))
    stores.progress.note(THREAD, changed("a", NodeState.FAILED, seconds(52), Failed(error="timeout")))
    await stores.progress.flush()
    stores.progress.note(THREAD, changed("a", NodeState.FAILED, seconds(99), Failed(error="timeout")))
    (node,) = (await _view(stores)).nodes
    assert (node.started_at, node.ended_at) == (seconds(1), seconds(52))


async def test_attempts_are_read_back_with_everything_they_left(stores: Stores) -> None:
    call, answer = SummarizedCall(tool="t", args="{}", ok=True, milliseconds=1.5), RecordedAnswer(call="c", value=["é"])
    more = {"logs": "said \N{SNOWMAN}", "calls": (call,), "of": Digest("d"), "answers": (answer,)}
    whole, bare = replace(attempt("p", 1), **more), attempt("p", 2, "ok")
    for event in (planned("p"), attempt("other", 1), whole, bare):
        stores.progress.note(THREAD, event)
    await stores.progress.flush()
    assert await stores.attempts.of(THREAD, NodeId("p")) == [whole, bare]
    assert await stores.attempts.of(OTHER, NodeId("p")) == []
    package = await stores.attempts.package(THREAD, NodeId("p"))
    assert package is not None
    assert (package.title, package.attempts) == ("Step p", (whole, bare))
    assert await stores.attempts.package(THREAD, NodeId("missing")) is None


async def test_attempt_that_is_made_again_replaces_the_first(stores: Stores) -> None:
    for logs in ("first", "second"):
        stores.progress.note(THREAD, replace(attempt("p", 1), logs=logs))
        await stores.progress.flush()
    assert [ended.logs for ended in await stores.attempts.of(THREAD, NodeId("p"))] == ["second"]


async def test_calls_of_scripts_are_audited_once_each_without_their_arguments(
    stores: Stores, database: Database
) -> None:
    refused = SummarizedCall(tool="post", args='{"text":"secret"}', ok=False, milliseconds=1.0)
    first = replace(attempt("p", 1), calls=(SummarizedCall(tool="t", args="{}", ok=True, milliseconds=1.5), refused))
    for event in (first, first, replace(first, attempt=2, kind="ok"), attempt("p", 3)):
        stores.progress.note(THREAD, event)
        await stores.progress.flush()
    assert await audited(database) == ["called", "called"]
    async with database.begin() as connection:
        details = [*(await connection.execute(text("SELECT details FROM audit ORDER BY id"))).scalars()]
    assert [entry["attempt"] for entry in details] == [1, 2]
    assert details[0]["calls"] == [{"tool": "t", "ok": True}, {"tool": "post", "ok": False}]
    assert "secret" not in str(details)


async def test_attempts_are_shown_once_each(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    stores.progress.note(THREAD, planned("p"))
    for number, kind in ((1, "error"), (1, "error"), (2, "ok")):
        stores.progress.note(THREAD, attempt("p", number, kind))
    (node,) = (await _view(stores)).nodes
    assert [(view.attempt, view.kind) for view in node.attempts] == [(1, "error"), (2, "ok")]


async def test_views_are_notified_when_progress_is_committed(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    with stores.run_views.watch(THREAD) as news:
        stores.progress.note(THREAD, planned("a"))
        assert await news.wait(10)
    assert len((await _view(stores)).nodes) == 1


async def test_statuses_read_back_every_turns_nodes(stores: Stores) -> None:
    stores.progress.note(THREAD, planned("a", turn=1))
    stores.progress.note(THREAD, changed("a", NodeState.SUCCEEDED, outcome=Succeeded(value=7)))
    stores.progress.note(THREAD, planned("b", turn=2))
    stores.progress.note(OTHER, planned("c"))
    await stores.progress.flush()
    statuses = await stores.statuses.of(THREAD)
    assert [(node, status.state) for node, status in statuses.items()] == [
        ("a", NodeState.SUCCEEDED),
        ("b", NodeState.PLANNED),
    ]
    assert statuses[NodeId("a")].outcome == Succeeded(value=7)


async def test_statuses_of_turns_that_are_over_are_not_read_again(stores: Stores, database: Database) -> None:
    async def forget() -> None:
        async with database.begin() as connection:
            await connection.execute(text("UPDATE nodes SET state = 'planned', outcome = NULL WHERE node = 'a'"))

    async def states() -> list[tuple[str, str]]:
        await stores.progress.flush()
        return [(node, status.state.value) for node, status in (await stores.statuses.of(THREAD)).items()]

    done = Succeeded(value=7)
    stores.progress.note(THREAD, planned("a", turn=1))
    stores.progress.note(THREAD, changed("a", NodeState.SUCCEEDED, outcome=done))
    assert await states() == [("a", "succeeded")]
    await forget()
    assert await states() == [("a", "planned")], "the last turn may go on"
    stores.progress.note(THREAD, planned("b", turn=2))
    assert await states() == [("a", "planned"), ("b", "planned")], "a turn whose nodes have not ended is not over"
    stores.progress.note(THREAD, changed("a", NodeState.SUCCEEDED, outcome=done))
    stores.progress.note(THREAD, planned("c", turn=3))
    stores.progress.note(THREAD, changed("b", NodeState.SUCCEEDED, outcome=done))
    both = [("a", "succeeded"), ("b", "succeeded"), ("c", "planned")]
    assert await states() == both
    await forget()
    assert await states() == both


async def test_a_thousand_changes_at_once_are_all_written(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    for number in range(500):
        stores.progress.note(THREAD, planned(f"n{number}"))
        stores.progress.note(THREAD, changed(f"n{number}", NodeState.SUCCEEDED, outcome=Succeeded(value=number)))
    nodes = (await _view(stores)).nodes
    assert [node.id for node in nodes] == [f"n{number}" for number in range(500)]
    assert all(node.state is NodeState.SUCCEEDED for node in nodes)


async def test_event_that_no_row_takes_holds_up_no_other(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    for thread in (THREAD, OTHER):
        await stores.runs.begin(thread, 1)
    for name in ("a", "b", "c"):
        stores.progress.note(THREAD, planned(name))
    stores.progress.note(THREAD, changed("b", NodeState.SUCCEEDED, outcome=Succeeded(value=float("nan"))))
    stores.progress.note(THREAD, changed("c", NodeState.SUCCEEDED, outcome=Succeeded(value=1)))
    stores.progress.note(OTHER, planned("d"))
    states = {node.id: node.state for node in (await _view(stores)).nodes}
    assert states == {"a": NodeState.PLANNED, "b": NodeState.PLANNED, "c": NodeState.SUCCEEDED}
    assert list(await stores.statuses.of(OTHER)) == ["d"]
    assert "left out" in caplog.text


async def test_events_wait_in_order_while_the_database_is_away(database_url: URL, database: Database) -> None:
    away = Database(database_url.set(database="does_not_exist"))
    progress = PostgresProgress(away, Notifier())
    progress.note(THREAD, planned("a"))
    with pytest.raises(StoreUnavailable):
        await progress.flush()
    with pytest.raises(StoreUnavailable):
        await progress.flush()
    await progress.close()
    await away.close()


async def test_closing_writes_what_was_noted(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    stores.progress.note(THREAD, planned("a"))
    await stores.progress.close()
    (view,) = await stores.run_views.unsettled(THREAD)
    assert [node.id for node in view.nodes] == ["a"]


async def test_a_view_holds_all_of_a_turn(stores: Stores) -> None:
    await stores.inbox.accept(a_message("check", author=GRACE))
    await stores.runs.begin(THREAD, 1)
    assert [message.text for message in (await _view(stores)).requests] == ["check"]
    (message,) = await stores.mailbox.untaken(THREAD)
    await stores.mailbox.taken(THREAD, 1, [message.id], reply="ok")
    await stores.inbox.accept(a_message("more", ts="2.0"))
    await stores.approvals.ask(a_request())
    slot, card = Slot(Post.CARD, "q1"), PostedMessage("5.0", Digest("d1"))
    assert await stores.posted.begin(THREAD, 1, Slot(Post.BOARD))
    assert await stores.posted.begin(THREAD, 1, slot)
    assert not await stores.posted.begin(THREAD, 1, slot)
    await stores.posted.post(THREAD, 1, slot, card)
    await stores.runs.finish(THREAD, 1, RunStatus.DONE, "done")
    view = await _view(stores)
    assert (view.requester, view.status, view.answer, view.replies) == (GRACE, RunStatus.DONE, "done", ("ok",))
    assert [approval.request.id for approval in view.approvals] == ["q1"]
    assert view.posts == {slot: card}
    assert [message.text for message in view.requests] == ["check"]
    await stores.posted.settle(THREAD, 1)
    assert list(await stores.run_views.unsettled(THREAD)) == []


async def test_open_runs_are_found_by_person_and_channel(stores: Stores) -> None:
    await stores.inbox.accept(a_message("check"))
    await stores.runs.begin(THREAD, 1)
    await stores.approvals.ask(a_request())
    await stores.inbox.accept(a_message("older", ts="2.0", thread=OTHER))
    await stores.runs.begin(OTHER, 1)
    await stores.runs.finish(OTHER, 1, RunStatus.DONE, "x")
    team = tenant_of(THREAD)
    (mine,) = await stores.run_views.open_of(team, ADA)
    assert (mine.thread, mine.request, mine.waiting) == (THREAD, "check", 1)
    channel = a_message().channel
    assert [run.thread for run in await stores.run_views.open_in(team, channel)] == [THREAD]
    assert list(await stores.run_views.open_of(team, GRACE)) == []


async def test_how_a_plan_was_packed_is_kept_once_however_often_it_is_told(stores: Stores) -> None:
    await stores.runs.begin(THREAD, 1)
    a, b, c, d = (NodeId(letter) for letter in "abcd")
    fused, joins = Fusion(steps=(a, b)), Split(before=b, after=c, reason=Reason.JOIN, detail="x")
    again = Split(before=c, after=d, reason=Reason.FULL)
    for splits in ((joins,), (joins, again)):
        stores.progress.note(THREAD, PlanPacked(turn=1, fusions=(fused,), splits=splits))
        view = await _view(stores)
    assert (view.fusions, view.splits) == ((fused,), (joins, again))  # pyright: ignore[reportPossiblyUnbound]  # it ran
