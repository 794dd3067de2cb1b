"""Which call a node's newest card is about, and when a yes for it counts no more."""

from dataclasses import replace

from agent.approval import ApprovalKind, Decision, DecisionRecord, WorldState, edited_digest
from agent.execution.precondition import asked_about, call_of, calls_asked_for, change_since, last_asked
from agent.ids import ApprovalId, Digest, NodeId, ToolName
from agent.ports import Bound
from sandbox.script import Json

CALL = Bound(tool=ToolName("set"), args={"name": "x"}, digest=Digest("d" * 64))
ONE: WorldState = {"read": {"version": 1}}
TWO: WorldState = {"read": {"version": 2}}


def record(digest: Digest, state: WorldState | None, decision: Decision = Decision.APPROVED) -> DecisionRecord:
    kind = ApprovalKind.APPROVE
    return DecisionRecord(
        id=ApprovalId("r"), turn=1, node=NodeId("n"), kind=kind, digest=digest, decision=decision, state=state
    )


def edited(asked: Bound, args: dict[str, Json]) -> DecisionRecord:
    return replace(record(edited_digest(asked.digest, asked.tool, args), asked.state), edited=args)


def asked(state: WorldState | None, *records: DecisionRecord, base: Bound = CALL) -> Bound:
    return asked_about(base, records, state, is_fresh=True).bound


def test_a_call_without_a_state_keeps_its_digest() -> None:
    assert asked(None) == CALL
    assert last_asked(CALL, [record(CALL.digest, None)]) == (CALL, record(CALL.digest, None))


def test_the_digest_covers_the_state() -> None:
    assert len({CALL.digest, asked(ONE).digest, asked(TWO).digest}) == 3


def test_a_yes_is_void_after_another_state_also_when_it_is_as_before() -> None:
    first = record(asked(ONE).digest, ONE)
    second = record(asked(TWO, first).digest, TWO)
    assert asked(ONE, first, second).digest != first.digest
    assert last_asked(CALL, [first, second]) == (CALL, second)


def test_an_edited_call_is_found_again_by_what_it_was_made_of() -> None:
    other: dict[str, Json] = {"name": "y"}
    first = edited(asked(ONE), other)
    made = Bound(tool=CALL.tool, args=other, digest=first.digest)
    second = record(asked(TWO, first, base=made).digest, TWO, Decision.PENDING)
    assert calls_asked_for(CALL, [first, second]) == [CALL, made]
    assert last_asked(CALL, [first, second]) == (made, second)
    assert call_of(CALL, second.digest, [first, second]) == asked(TWO, first, base=made)
    assert last_asked(replace(CALL, digest=Digest("e" * 64)), [first, second]) is None


def test_a_new_card_says_what_changed_only_when_something_did() -> None:
    first = record(asked(ONE).digest, ONE)
    assert change_since([], 1, ONE) is None
    assert change_since([first], 1, ONE) is None
    changed = change_since([first], 1, TWO)
    assert changed is not None
    assert (changed.was, changed.approved) == (ONE, True)
    refused = change_since([first], 2, ONE)
    assert refused is not None, "the write was refused though it reads as before"
