"""The board tells every step's state in words, its repairs, and what did not fit."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.budget.usage import Spent
from agent.ids import Digest, NodeId
from agent.packing.packing import Fusion, Reason, Split
from agent.plan.operations import NodeKind
from agent.plan.outcomes import Failed, NodeState, Rejected, Skipped
from agent.ports import RunStatus
from agent.runbooks import RunbookUsed
from bot import wording
from bot.blocks.board import MOST_TASKS, SELF_EVIDENT, board, board_title
from bot.elements import runbook_source
from bot.payloads import SET_ACTION
from bot.ports import AttemptView, NodeView, Post, PostedMessage, RunView, Slot
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import GRACE, a_node, a_run, an_approval

CRASH = AttemptView(attempt=1, kind="error", error="ValueError: no rows\n  File ...")


def task(*nodes: NodeView, at: int = -1) -> tuple[str, str, str]:
    """Return title, status and details of one node's task."""
    message: Any = board(a_run(nodes=nodes)).blocks[0]
    one = message["tasks"][at]
    details = one["details"]["elements"][0]["elements"][0]["text"] if "details" in one else ""
    return one["title"], one["status"], details


@pytest.mark.parametrize("state", NodeState)
def test_every_state_is_told_in_words_or_by_the_tasks_own_status(state: NodeState) -> None:
    title, status, details = task(a_node("a", state, outcome=None))
    told_by_status = {NodeState.PLANNED: "pending", NodeState.RUNNING: "in_progress", NodeState.SUCCEEDED: "complete"}
    assert told_by_status.get(state) == status or wording.STATES[state] in title
    assert state is NodeState.PLANNED or wording.STATES[state] in details


@pytest.mark.parametrize("state", NodeState)
@pytest.mark.parametrize("detail", ["", "page 3 of 7"])
def test_every_state_stands_in_the_words_beside_the_icon(state: NodeState, detail: str) -> None:
    title, _, details = task(a_node("a", state, outcome=None, detail=detail))
    assert wording.STATES[state] in f"{title} {details}"
    assert state in {NodeState.PLANNED, NodeState.SUCCEEDED} or detail in details


def test_waiting_for_approval_stands_in_the_title() -> None:
    assert task(a_node("a", NodeState.ASKING))[:2] == ("Step a · waiting for approval", "pending")


def test_planned_step_names_what_it_waits_for() -> None:
    nodes = (a_node("a", NodeState.RUNNING), a_node("b", NodeState.SUCCEEDED), a_node("c", depends_on=("a", "b", "x")))
    assert task(*nodes)[2] == "waits for Step a"


def test_repair_of_a_package_is_told_while_it_runs() -> None:
    node = a_node("a", NodeState.RUNNING, kind=NodeKind.PACKAGE, tool=None, attempts=(CRASH,))
    assert task(node)[2] == ("attempt 1 crashed: ValueError: no rows; rewritten, attempt 2 running\nscript · running")


def test_repaired_package_says_that_the_rewrite_worked() -> None:
    attempts = (CRASH, AttemptView(attempt=2, kind="ok", error=""))
    node = a_node("a", NodeState.SUCCEEDED, kind=NodeKind.PACKAGE, tool=None, attempts=attempts)
    assert task(node)[2] == (
        "attempt 1 crashed: ValueError: no rows; rewritten, attempt 2 worked\nscript · done in 1.2 s"
    )


def test_failure_is_told_in_our_words_never_in_the_tools() -> None:
    node = a_node("a", NodeState.FAILED, outcome=Failed(error="timeout", message="SECRET stack trace"))
    assert task(node)[2] == "http_get · failed: it took too long"
    odd = replace(node, outcome=Failed(error="E_WEIRD", message="SECRET"))
    assert task(odd)[2] == "http_get · failed: it didn't work"


def test_skipped_step_names_what_stood_in_its_way() -> None:
    first = a_node("a", NodeState.REJECTED, outcome=Rejected(by=GRACE, reason="not today"))
    second = a_node("b", NodeState.SKIPPED, outcome=Skipped(because=NodeId("a")))
    assert task(first, second, at=0)[2] == "http_get · rejected: not today"
    assert task(first, second)[2] == "skipped, because “Step a” ended as rejected"


def test_title_counts_the_states() -> None:
    nodes = (a_node("a", NodeState.SUCCEEDED), a_node("b", NodeState.ASKING), a_node("c"))
    assert board_title(a_run(nodes=nodes)) == "Running: 3 steps (1 planned, 1 waiting for approval, 1 done)"
    assert board_title(a_run(nodes=nodes[:1], status=RunStatus.DONE)) == "Done: 1 step, done"


def test_steps_that_do_not_fit_are_counted_and_the_telling_ones_stay() -> None:
    nodes = [a_node(f"n{number}", NodeState.SUCCEEDED) for number in range(100)]
    nodes[7] = a_node("n7", NodeState.ASKING)
    nodes[99] = a_node("n99", NodeState.FAILED)
    blocks: Any = board(a_run(nodes=tuple(nodes))).blocks
    ids = [card["task_id"] for card in blocks[0]["tasks"]]
    assert 30 < len(ids) <= MOST_TASKS
    assert {"n7", "n99"} <= set(ids)
    assert ids == sorted(ids, key=lambda name: int(name[1:]))
    assert blocks[1]["elements"][0]["text"] == f"Not shown here: {100 - len(ids)} steps, all done."


def test_each_look_has_its_own_block_id() -> None:
    first: Any = board(a_run(nodes=(a_node("a"),)))
    same: Any = board(a_run(nodes=(a_node("a"),)))
    other: Any = board(a_run(nodes=(a_node("a", NodeState.RUNNING),)))
    assert first == same
    assert first.digest != other.digest
    assert first.blocks[0]["block_id"] != other.blocks[0]["block_id"]


def test_footer_says_time_tokens_and_cost() -> None:
    spent = Spent(model_calls=2, input_tokens=4000, output_tokens=210, cost_micros=3100, work_milliseconds=12_300)
    running = a_run(nodes=(a_node("a"),), spent=spent)
    assert footer(running) == "12.3 s of work so far · 2 model calls · 4,210 tokens · $0.0031"
    ended = replace(running, status=RunStatus.DONE, ended_at=NOON + timedelta(seconds=185))
    assert footer(ended) == "Took 3 min 5 s · 2 model calls · 4,210 tokens · $0.0031"
    assert len(board(a_run(nodes=(a_node("a"),))).blocks) == 1


def footer(run: RunView) -> str:
    [*_, last] = [block for block in board(run).blocks if block["type"] == "context"]
    shown: Any = last
    return shown["elements"][0]["text"]


def script(id: str, state: NodeState = NodeState.SUCCEEDED, *attempts: AttemptView) -> NodeView:
    made = attempts or (AttemptView(attempt=1, kind="ok", error=""),)
    return a_node(id, state, kind=NodeKind.PACKAGE, tool=None, attempts=made)


def elements(*nodes: NodeView) -> Any:
    """Return the elements of the board's row, but for the button that sets a result."""
    rows: Any = [block for block in board(a_run(nodes=nodes)).blocks if block["type"] == "actions"]
    return [one for one in rows[0]["elements"] if one["action_id"] != SET_ACTION] if rows else []


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.DONE])
@pytest.mark.parametrize("state", NodeState)
def test_a_result_can_be_set_as_soon_as_a_step_has_ended(state: NodeState, status: RunStatus) -> None:
    unfinished = {NodeState.PLANNED, NodeState.RUNNING, NodeState.ASKING, NodeState.UNKNOWN}
    nodes = (a_node("a", state), a_node("b", NodeState.RUNNING))
    assert _actions(a_run(nodes=nodes, status=status)) == ([] if state in unfinished else [SET_ACTION])


def test_no_result_is_set_while_only_items_of_a_step_have_ended() -> None:
    nodes = (a_node("a", NodeState.RUNNING), a_node("a-0", NodeState.SUCCEEDED), a_node("a-1", NodeState.RUNNING))
    assert _actions(a_run(nodes=nodes)) == []


def _actions(run: RunView) -> list[str]:
    blocks: Any = board(run).blocks
    return [one["action_id"] for block in blocks if block["type"] == "actions" for one in block["elements"]]


def test_finished_script_has_a_button_for_its_details() -> None:
    [button] = elements(script("a"), a_node("b", NodeState.SUCCEEDED))
    assert (button["text"]["text"], button["value"]) == ("Script details: Step a", "a")


def test_finished_subagent_has_a_button_that_calls_it_what_it_is() -> None:
    subagent = replace(script("b"), kind=NodeKind.SUBAGENT)
    assert [one["text"]["text"] for one in elements(script("a"), subagent)] == [
        "Script details: Step a",
        "Subagent details: Step b",
    ]
    [menu] = elements(*(script(f"s{number}") for number in range(3)), subagent)
    assert menu["placeholder"]["text"] == "Details of a step…"


def test_script_that_runs_or_never_ran_has_no_details_yet() -> None:
    never = a_node("b", NodeState.SKIPPED, kind=NodeKind.PACKAGE, tool=None, outcome=Skipped(because=NodeId("a")))
    assert elements(script("a", NodeState.RUNNING, CRASH), never) == []


def test_many_scripts_share_a_menu_with_the_crashed_ones_first() -> None:
    many = [script(f"s{number}") for number in range(30)]
    [menu] = elements(*many, script("odd", NodeState.FAILED, CRASH))
    values = [option["value"] for option in menu["options"]]
    assert (menu["type"], len(values), values[:2]) == ("static_select", 12, ["odd", "s0"])
    assert menu["placeholder"]["text"] == f"Details of a script… (12 of {len(many) + 1})"
    [menu] = elements(*many[:4])
    assert menu["placeholder"]["text"] == "Details of a script…"


def test_board_with_details_is_no_larger_than_one_without() -> None:
    long = [replace(script(f"s{number}"), title="t" * 300) for number in range(60)]
    assert len(str(board(a_run(nodes=long)).blocks)) < 10_000


def test_a_packed_step_says_of_what_and_the_board_why_others_stay_apart() -> None:
    fused = Fusion(steps=(NodeId("fetch"), NodeId("clean"), NodeId("extract")))
    splits = (
        Split(before=NodeId("extract"), after=NodeId("one"), reason=Reason.FAN_OUT),
        Split(before=NodeId("extract"), after=NodeId("two"), reason=Reason.FAN_OUT),
        Split(before=NodeId("one"), after=NodeId("join"), reason=Reason.JOIN),
        Split(before=NodeId("two"), after=NodeId("join"), reason=Reason.JOIN),
        Split(before=NodeId("join"), after=NodeId("post"), reason=Reason.RED),
        Split(before=NodeId("gone"), after=NodeId("cancelled"), reason=Reason.FULL),
    )
    nodes = tuple(a_node(name) for name in ("extract", "one", "two", "join", "post"))
    shown = json.dumps(board(a_run(nodes=nodes, fusions=(fused,), splits=splits)).blocks, ensure_ascii=False)
    assert "packed: fetch -> clean -> extract" in shown
    told = (
        "Kept apart: Step one, Step two (several steps need the same result and run side by side); "
        "Step join (joins several sources, which run side by side)"
    )
    assert told in shown
    assert "a person is asked first" not in shown


def test_a_board_links_the_picture_of_its_plan_only_where_there_is_one() -> None:
    def small_print(address: str) -> str:
        posts = {Slot(Post.PICTURE): PostedMessage(address, Digest("d"))}
        return json.dumps(board(a_run(nodes=(a_node("a"),), posts=posts)).blocks)

    assert "<https://a/b?c&amp;d|Picture of the plan>" in small_print("https://a/b?c&d")
    assert "Picture" not in small_print("")


def thought(run: RunView, seconds: float) -> str:
    """Return the title of the board so many seconds after noon."""
    return board(run, now=NOON + timedelta(seconds=seconds)).text


def test_a_board_that_waits_for_the_model_alone_says_for_how_long() -> None:
    planning = a_run(status=RunStatus.PLANNING)
    assert [thought(planning, seconds) for seconds in (9, 10, 29, 61, 119, 150)] == [
        "Planning: no steps yet",
        "Thinking for 10 s: no steps yet",
        "Thinking for 20 s: no steps yet",
        "Thinking for 1 min: no steps yet",
        "Thinking for 1 min 30 s: no steps yet",
        "Thinking for 2 min 30 s: no steps yet",
    ]
    ended = a_run(nodes=(a_node("a", NodeState.SUCCEEDED),))
    assert thought(ended, 11) == "Running: 1 step, done"
    assert thought(ended, 11.2) == "Thinking for 10 s: 1 step, done"
    assert thought(replace(planning, status=RunStatus.DONE), 60) == "Done: no steps"


@pytest.mark.parametrize(
    "run",
    [
        a_run(nodes=(a_node("a", NodeState.RUNNING),)),
        a_run(nodes=(a_node("a", NodeState.SUCCEEDED), a_node("b"))),
        a_run(status=RunStatus.WAITING, nodes=(a_node("a", NodeState.SUCCEEDED),)),
        a_run(nodes=(a_node("a", NodeState.SUCCEEDED),), approvals=(an_approval(),)),
        a_run(status=RunStatus.PLANNING, replies=("Which one?",)),
    ],
    ids=["a step runs", "a step is planned", "people", "a card", "a reply"],
)
def test_a_board_that_waits_for_anything_else_does_not_think(run: RunView) -> None:
    assert "Thinking" not in thought(run, 60)


def test_footer_says_how_many_tokens_were_cached() -> None:
    spent = Spent(model_calls=2, input_tokens=4000, output_tokens=210, cached_tokens=1900)
    assert footer(a_run(nodes=(a_node("a"),), spent=spent)).endswith("4,210 tokens (1,900 cached)")


@pytest.mark.parametrize(
    ("canvas", "channel", "shown"),
    [
        ("", "C1", "*a*"),
        ("https://a.example/docs/F1?a&b", "C1", "canvas <https://a.example/docs/F1?a&amp;b|*a*>, pinned in <#C1>"),
        ("https://a.example/docs/F1", "D1", "canvas <https://a.example/docs/F1|*a*>"),
        ("F1", "", "canvas *a*"),
        ("https://a.example/|<!channel>", "", "canvas *a*"),
    ],
    ids=["a file", "a canvas", "in a direct message", "without a link", "a link that breaks out"],
)
def test_a_runbook_is_shown_with_where_it_is_from(canvas: str, channel: str, shown: str) -> None:
    source = runbook_source(RunbookUsed(name="a", source="*a*", canvas=canvas), channel)
    assert source.replace("\N{ZERO WIDTH SPACE}", "") == shown


@pytest.mark.parametrize("reason", Reason)
def test_a_board_stands_whatever_the_reason_that_keeps_steps_apart(reason: Reason) -> None:
    split = Split(before=NodeId("a"), after=NodeId("b"), reason=reason)
    shown = json.dumps(board(a_run(nodes=(a_node("a"), a_node("b")), splits=(split,))).blocks)
    assert ("Kept apart: Step b (" in shown) == (reason not in SELF_EVIDENT)
