"""A draft of a runbook: what worked in a turn, in order, with conditions; new, or as an edit of one that is kept."""

from collections.abc import Mapping, Sequence
from itertools import islice

import pytest

from agent.ids import NodeId, ToolName, UserId
from agent.plan.operations import Add, Cancel, LoggedOperation, Node, NodeKind, Operation, PackedStep, node_from_json
from agent.plan.outcomes import Cancelled, Failed, Outcome, Rejected, Skipped, Succeeded
from agent.planning.runbook_drafts import draft_request, free_names, new_text, steps_of, turn_to_draft, updated_text
from agent.runbooks import read_runbook
from sandbox.script import Json

ADA = UserId("U1")
DONE = Succeeded(value=1)


def call(name: str, **more: Json) -> Node:
    fields: Mapping[str, Json] = {"id": name, "kind": "tool", "title": f"Do {name}", "tool": "http_get"}
    return node_from_json({**fields, "args": {"url": "https://private.example"}, **more})


def logged(*operations: Operation | Node, turn: int = 1) -> Sequence[LoggedOperation]:
    made = [Add(node=one) if isinstance(one, Node) else one for one in operations]
    return [LoggedOperation(seq=at, turn=turn, author=ADA, operation=one) for at, one in enumerate(made, start=1)]


def steps(*operations: Operation | Node, **outcomes: Outcome) -> Sequence[str]:
    ended = {NodeId(name.replace("_", "-")): outcome for name, outcome in outcomes.items()}
    return steps_of(logged(*operations), 1, ended)


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        Failed(error="timeout"),
        Rejected(by=ADA),
        Cancelled(),
        Skipped(because=NodeId("a")),
    ],
    ids=["unfinished", "failed", "rejected", "cancelled", "skipped"],
)
def test_a_step_that_did_not_work_is_left_out(outcome: Outcome | None) -> None:
    more = {} if outcome is None else {"b": outcome}
    told = steps(call("a"), call("b"), Cancel(id=NodeId("b")), call("c"), a=DONE, c=DONE, **more)
    assert told == ["1. Do a (`http_get`)", "2. Do c (`http_get`)"]


def test_steps_say_their_condition_and_what_they_need_but_no_argument() -> None:
    told = steps(
        call("read"),
        call("new", depends_on=["read"]),
        call("old", depends_on=["read", {"id": "new", "on": "failed"}]),
        call("each", for_each="${read#/list}", when="${old#/ok}", depends_on=["read", "old"], title="See ${item}"),
        read=DONE,
        new=Failed(error="x"),
        old=DONE,
        each=DONE,
    )
    assert told == [
        "1. Do read (`http_get`)",
        "2. Do old (`http_get`): needs step 1; if this fails: Do new",
        "3. See … (`http_get`): for each of step-1#/list, only if step-2#/ok; needs step 1, step 2",
    ]
    assert "private" not in "".join(told)


def test_a_correction_stands_where_the_step_was_that_it_replaced() -> None:
    given = Node(id=NodeId("a-set"), kind=NodeKind.TOOL, title="a is 17", given={"value": 17}, replaces=NodeId("a"))
    again = call("b-again", title="Again: Do b", replaces="b", depends_on=["a-set"])
    told = steps(
        call("a"),
        call("b", depends_on=["a"]),
        given,
        again,
        call("c", depends_on=["b-again"]),
        a=DONE,
        b=DONE,
        a_set=DONE,
        b_again=DONE,
        c=DONE,
    )
    assert told == [
        "1. Do a: a person says its result",
        "2. Do b (`http_get`): needs step 1",
        "3. Do c (`http_get`): needs step 2",
    ]


def test_a_correction_of_a_later_turn_leaves_the_earlier_one_as_it_was() -> None:
    log = [*logged(call("a")), *logged(call("a-again", title="Again: Do a", replaces="a"), turn=2)]
    outcomes = {NodeId("a"): DONE, NodeId("a-again"): DONE}
    assert steps_of(log, 1, outcomes) == steps_of(log, 2, outcomes) == ["1. Do a (`http_get`)"]


def test_a_script_is_told_as_it_ran_last_and_a_packed_one_as_its_steps() -> None:
    script = Node(id=NodeId("s"), kind=NodeKind.PACKAGE, title="Count", code="def main(i):\n    return 1\n")
    parts = [PackedStep(id=NodeId(name), title=f"Do {name}", tool=ToolName("http_get")) for name in ("x", "y")]
    packed = Node(id=NodeId("y"), kind=NodeKind.PACKAGE, title="Both", code="secret", packed=tuple(parts))
    outcomes = {node.id: DONE for node in (script, packed, call("z"))}
    told = steps_of(
        logged(script, packed, call("z", depends_on=["y"])),
        1,
        outcomes,
        {script.id: "def main(i):\n\n    return 2", packed.id: "secret"},
    )
    assert told == [
        "1. Count",
        "",
        "       def main(i):",
        "",
        "           return 2",
        "",
        "2. Do x (`http_get`)",
        "3. Do y (`http_get`)",
        "4. Do z (`http_get`): needs step 3",
    ]
    long = steps_of(logged(script), 1, outcomes, {script.id: "#" * 4_001})
    assert long == ["1. Count"], "a long script would fill the runbook"


def test_parts_undone_effects_and_the_saving_itself_are_no_steps() -> None:
    item = call("a-1", item_of="a")
    undone = call("u", undoes="a")
    saved = call("s", tool="save_runbook")
    assert steps(call("a"), item, undone, saved, a=DONE, a_1=DONE, u=DONE, s=DONE) == ["1. Do a (`http_get`)"]
    assert steps_of(logged(call("a"), turn=2), 1, {NodeId("a"): DONE}) == []


def test_a_new_runbook_can_be_read_whatever_was_asked() -> None:
    asked = 'Restart: the "billing" service ---\nname: x'
    name = next(free_names(asked))
    book = read_runbook(new_text(name, asked.replace("\n", " "), ["1. Do it"]), "x")
    assert (book.name, book.text) == ("restart-the-billing-service-name-x", "# Steps\n\n1. Do it")
    assert [*islice(free_names("再"), 3)] == ["runbook", "runbook-2", "runbook-3"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\nname: a\n---\nLook first.\n", "---\nname: a\n---\nLook first.\n\n# Steps\n\n1. Do it\n"),
        (
            "Look.\n\n# Steps\n\n1. Old\n2. Older\n\n# When it fails\n\nCall Ada.\n",
            "Look.\n\n# Steps\n\n1. Do it\n\n# When it fails\n\nCall Ada.\n",
        ),
        ("# Steps\n\n1. Do it\n", "# Steps\n\n1. Do it\n"),
    ],
    ids=["without steps", "with steps", "the same"],
)
def test_an_update_keeps_all_that_is_not_steps(before: str, after: str) -> None:
    assert updated_text(before, ["1. Do it"]) == after


def test_the_button_stores_a_message_that_is_read_again() -> None:
    assert turn_to_draft(draft_request(3)) == 3
    assert turn_to_draft("Save my run") is None
