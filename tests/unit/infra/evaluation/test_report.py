"""The tables and JSON objects of an evaluation."""

from infra.evaluation.judge import Judgement
from infra.evaluation.measurement import Marks, Measurement
from infra.evaluation.replay import AS_WRITTEN, Manner, Replay, ReplayResult
from infra.evaluation.report import measured_json, measured_lines, replay_json, replay_lines, unsafe

ALL = Marks(valid=True, colours=True, parallel=True, success=True)
NONE = Marks(valid=False, colours=False, parallel=False, success=False)


def measured(goal: str, raw: Marks, stored: Marks, *, trouble: str = "") -> Measurement:
    judged = Judgement() if stored.success else Judgement(tools=("post is missing",))
    return Measurement(goal=goal, raw=raw, stored=stored, judgement=judged, rounds=2, trouble=trouble)


FOUND = [measured("a", NONE, ALL), measured("b", ALL, ALL), measured("c", NONE, NONE, trouble="plan_invalid")]


def test_rates_stand_side_by_side_and_misses_are_named() -> None:
    lines = measured_lines(FOUND, "m-1")
    assert lines[0] == "3 goals planned by m-1"
    assert lines[3].split() == ["valid", "plans", "33%", "67%"]
    assert lines[-1] == "  c: plan_invalid; post is missing"


def test_rates_as_an_object() -> None:
    found = measured_json(FOUND, "m-1")
    assert (found["mode"], found["goals"]) == ("model", 3)
    assert found["raw"] == {"valid": 0.3333, "colours": 0.3333, "parallel": 0.3333, "success": 0.3333}
    assert found["stored"] == {"valid": 0.6667, "colours": 0.6667, "parallel": 0.6667, "success": 0.6667}


def replay(
    fault: str, result: ReplayResult, judged: Judgement | None = None, manner: Manner = Manner.CORRECTED
) -> Replay:
    return Replay(goal="a", fault=fault, manner=manner, result=result, judgement=judged or Judgement())


SEEN = [
    replay(AS_WRITTEN, ReplayResult.RIGHT),
    replay("cycle", ReplayResult.RIGHT),
    replay("cycle", ReplayResult.REFUSED, manner=Manner.REPEATED),
    replay("unknown tool", ReplayResult.WRONG, Judgement(colours=("post runs unasked",))),
    replay("unknown tool", ReplayResult.WRONG, Judgement(tools=("post is missing",)), Manner.REPEATED),
]


def test_replays_are_counted_by_fault_and_wrong_ones_listed() -> None:
    found = replay_json(SEEN)
    assert (found["goals"], found["faults"], found["replays"]) == (1, 2, 5)
    assert found["ended"] == {"right": 2, "refused": 1, "wrong": 2}
    assert found["wrong"] == {"colours": 1, "edges": 0, "otherwise": 1}
    lines = replay_lines(SEEN)
    assert next(line for line in lines if line.startswith("cycle")).split() == ["cycle", "1", "·", "·", "·", "1", "·"]
    assert lines[-1] == "  a, unknown tool, repeated: post is missing"


def test_only_colours_and_edges_are_unsafe() -> None:
    assert unsafe(SEEN)
    assert not unsafe([replay for replay in SEEN if not replay.judgement.colours])
