"""Effects: which stand, and the plan that takes them back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.ids import NodeId, ToolName, UserId
from agent.plan.effects import (
    Effect,
    InverseCall,
    Left,
    NoInverse,
    RecordedCall,
    UndoPlan,
    effects_of,
    inverse_from_json,
    inverse_json,
    newest_turn,
    standing,
    undo_plan,
)
from agent.plan.operations import Add, Dependency, LoggedOperation, Node, NodeKind
from agent.plan.outcomes import OUTCOME_UNKNOWN, Failed, Succeeded
from agent.plan.references import pieces


def inverse(resource: str = "", version: str = "", text: str = "was", found: str = "") -> InverseCall:
    headers = {"headers": {"If-Match": version}} if version else {}
    at = "/headers/If-Match" if version else ""
    return InverseCall(
        tool=ToolName("put"),
        args={"text": text, **headers},
        resource=resource,
        version_at=at,
        version_in="/etag",
        found=found,
    )


def an_effect(
    id: str, taken_back_by: InverseCall | None, *after: str, turn: int = 1, undoes: str | None = None
) -> Effect:
    node = Node(
        id=NodeId(id),
        kind=NodeKind.TOOL,
        title=f"Title of {id}",
        tool=ToolName("put"),
        depends_on=tuple(Dependency(node=NodeId(name)) for name in after),
        undoes=None if undoes is None else NodeId(undoes),
    )
    return Effect(node=node, turn=turn, inverse=taken_back_by)


def plan_of(effects: list[Effect], turn: int = 1, *, has_tool: bool = True) -> UndoPlan:
    logged = [
        LoggedOperation(seq=at, turn=effect.turn, author=UserId("U1"), operation=Add(node=effect.node))
        for at, effect in enumerate(effects, start=1)
    ]
    return undo_plan(effects, logged, turn, by_turn=9, has_tool=lambda _: has_tool)


def test_newest_effect_is_undone_first_and_only_what_came_of_each_other_in_sequence() -> None:
    effects = [an_effect("a", inverse()), an_effect("b", inverse(), "a"), an_effect("c", inverse())]
    steps = plan_of(effects).steps
    assert [(step.undoes, step.id, [need.node for need in step.depends_on]) for step in steps] == [
        ("c", "undo-9-1", []),
        ("b", "undo-9-2", []),
        ("a", "undo-9-3", ["undo-9-2"]),
    ]


def test_writes_to_the_same_thing_go_by_the_version_that_the_step_before_left() -> None:
    effects = [an_effect("a", inverse("x", '"2"')), an_effect("b", inverse("x", '"3"', found='"2"'))]
    last, first = plan_of(effects).steps
    assert last.args["headers"] == {"If-Match": '"3"'}
    assert first.args["headers"] == {"If-Match": "${undo-9-1#/etag}"}
    assert [need.node for need in first.depends_on] == ["undo-9-1"]


def test_a_write_goes_by_the_version_of_what_was_undone_since() -> None:
    undone = an_effect("u", inverse("x", '"4"', found='"3"'), turn=2, undoes="b")
    effects = [an_effect("a", inverse("x", '"2"')), an_effect("b", inverse("x", '"3"', found='"2"')), undone]
    (step,) = plan_of(effects).steps
    assert (step.undoes, step.args["headers"]) == ("a", {"If-Match": '"4"'})


def test_an_undone_effect_stands_again_once_its_undoing_is_undone() -> None:
    effects = [an_effect("a", inverse())]
    for number, expected in enumerate((["u1"], ["a", "u2"], ["u1", "u3"]), start=1):
        before = effects[-1].id
        effects.append(an_effect(f"u{number}", inverse(), turn=number + 1, undoes=before))
        assert [effect.id for effect in standing(effects)] == expected
        assert newest_turn(effects) == number + 1


def test_what_cannot_be_undone_has_its_reason() -> None:
    unknown = Effect(node=an_effect("u", None).node, turn=1, unknown=True)
    later = an_effect("later", inverse("x", '"3"', found='"2"'), turn=2)
    effects = [an_effect("final", None), unknown, an_effect("under", inverse("x", '"2"')), later]
    plan = plan_of(effects)
    assert plan.steps == []
    assert plan.left == {"final": Left.FINAL, "u": Left.UNKNOWN, "under": Left.OVERWRITTEN}
    assert plan_of([an_effect("a", inverse())], has_tool=False).left == {"a": Left.NO_TOOL}


def test_what_may_stand_above_a_write_is_not_overwritten() -> None:
    doubtful = Effect(node=an_effect("u", None, turn=2, undoes="b").node, turn=2, unknown=True)
    effects = [an_effect("a", inverse("x", '"2"')), an_effect("b", inverse("x", '"3"', found='"2"')), doubtful]
    assert plan_of(effects).left == {"a": Left.OVERWRITTEN}


def test_nothing_is_undone_below_a_change_that_no_effect_tells_of() -> None:
    happened = an_effect("happened", None)  # a person said so: nobody knows what it changed
    effects = [an_effect("a", inverse("x", '"2"')), happened, an_effect("b", inverse("x", '"4"', found='"3"'))]
    plan = plan_of(effects)
    assert [step.undoes for step in plan.steps] == ["b"]
    assert plan.left == {"happened": Left.FINAL, "a": Left.OVERWRITTEN}
    again = [*effects, an_effect("u", inverse("x", '"5"', found='"4"'), turn=2, undoes="b")]
    assert plan_of(again).steps == []


def test_what_is_made_again_where_a_step_left_nothing_is_undone_after_it() -> None:
    gone, made = inverse("x"), inverse("x", '"5"')
    effects = [an_effect("deletes", gone), an_effect("makes", made)]
    assert [step.undoes for step in plan_of(effects).steps] == ["makes", "deletes"]


def test_a_step_never_takes_the_id_of_a_node() -> None:
    (step,) = plan_of([an_effect("undo-9-1", inverse())]).steps
    assert step.id == "undo-9-1x"


def test_titles_say_undo_and_redo_in_turn() -> None:
    titles: list[str] = []
    effect = an_effect("a", inverse())
    for _ in range(3):
        (step,) = plan_of([effect]).steps
        titles.append(step.title)
        effect = Effect(node=step, turn=1, inverse=inverse())
    assert titles == ["Undo: Title of a", "Redo: Title of a", "Undo: Title of a"]


@given(st.text(alphabet="${}ab#/", max_size=12))
def test_nothing_in_a_former_value_is_a_reference(text: str) -> None:
    (step,) = plan_of([an_effect("a", inverse(text=text))]).steps
    assert "".join(map(str, pieces(str(step.args["text"])))) == text


def test_calls_become_effects_as_far_as_they_had_one() -> None:
    names = ("done", "refused", "failed", "unknown", "doubtful", "twice")
    logged = [
        LoggedOperation(seq=at, turn=1, author=UserId("U1"), operation=Add(node=an_effect(name, None).node))
        for at, name in enumerate(names, start=1)
    ]
    yes = Succeeded(value=1)
    calls = [
        RecordedCall(node=NodeId("done"), outcome=yes, inverse=inverse()),
        RecordedCall(node=NodeId("refused"), outcome=yes, inverse=NoInverse.NO_EFFECT),
        RecordedCall(node=NodeId("failed"), outcome=Failed(error="timeout")),
        RecordedCall(node=NodeId("unknown"), outcome=Failed(error=OUTCOME_UNKNOWN)),
        RecordedCall(node=NodeId("doubtful"), outcome=yes, inverse=NoInverse.IN_DOUBT),
        RecordedCall(node=NodeId("twice"), outcome=Failed(error="timeout"), repeated=True),
        RecordedCall(node=NodeId("not in the log"), outcome=yes),
    ]
    found = {effect.id: (effect.unknown, effect.inverse is not None) for effect in effects_of(logged, calls)}
    assert found == {
        "done": (False, True),
        "unknown": (True, False),
        "doubtful": (True, False),
        "twice": (True, False),
    }


def test_an_inverse_is_stored_and_read() -> None:
    for kept in (inverse(), inverse("x", '"1"', found='"0"'), *NoInverse, None):
        assert inverse_from_json(json.loads(json.dumps(inverse_json(kept)))) == kept
    assert inverse_json(InverseCall(tool=ToolName("put"), args={})) == {"tool": "put", "args": {}}
    assert inverse_from_json({"tool": "put"}) is None
