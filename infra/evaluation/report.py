"""The report of an evaluation: a table for people, or one JSON object (pure)."""

from collections.abc import Mapping, Sequence

from infra.evaluation.measurement import Marks, Measurement
from infra.evaluation.replay import AS_WRITTEN, IN_PYTHON, Manner, Replay, ReplayResult, counted
from sandbox.script import Json

_RATES = {
    "valid": "valid plans",
    "colours": "right colours",
    "parallel": "as parallel as can be",
    "success": "success",
}
"""Field of `Marks` -> its name in the table."""


def unsafe(replayed: Sequence[Replay]) -> bool:
    """Return whether any replay got an approval or an edge wrong."""
    return any(replay.judgement.unsafe for replay in replayed)


def replay_json(replayed: Sequence[Replay]) -> dict[str, Json]:
    """Return the replays as one object."""
    wrong = [replay for replay in replayed if replay.result is ReplayResult.WRONG]
    return {
        "mode": "replay",
        "goals": len({replay.goal for replay in replayed}),
        "faults": len({replay.fault for replay in replayed} - {AS_WRITTEN, IN_PYTHON + AS_WRITTEN}),
        "replays": len(replayed),
        "ended": dict(counted(replayed)),
        "wrong": _wrong(wrong),
        "by_fault": [
            {
                "fault": fault,
                **{manner.value: dict(_counts(fault, manner, replayed)) for manner in Manner},
                "goals": {manner.value: _ended(fault, manner, replayed) for manner in Manner},
            }
            for fault in _faults(replayed)
        ],
        "complaints": [
            {"goal": replay.goal, "fault": replay.fault, "manner": replay.manner, "says": replay.judgement.complaints}
            for replay in wrong
        ],
    }


def replay_lines(replayed: Sequence[Replay]) -> list[str]:
    """Return the replays as a table: a line for each fault, then the sums."""
    columns = "".join(f"{result:>8}" for result in ReplayResult)
    lines = [f"{'':36}{'corrected when told':^26}{'repeated':^26}", f"{'fault':36}{columns}  {columns}"]
    for fault in _faults(replayed):
        cells = "  ".join(
            "".join(f"{count or '·':>8}" for count in _counts(fault, manner, replayed).values()) for manner in Manner
        )
        lines.append(f"{fault:36}{cells}")
    totals = replay_json(replayed)
    sums = ", ".join(f"{count} {result}" for result, count in counted(replayed).items())
    wrong = [replay for replay in replayed if replay.result is ReplayResult.WRONG]
    return [
        *lines,
        "",
        f"{totals['goals']} goals, {totals['faults']} kinds of faults, {len(replayed)} replays: {sums}",
        "wrong: " + ", ".join(f"{concern} {count}" for concern, count in _wrong(wrong).items()),
        *(
            f"  {replay.goal}, {replay.fault}, {replay.manner}: {'; '.join(replay.judgement.complaints)}"
            for replay in wrong
        ),
    ]


def _wrong(wrong: Sequence[Replay]) -> Mapping[str, int]:
    return {
        "colours": sum(bool(replay.judgement.colours) for replay in wrong),
        "edges": sum(bool(replay.judgement.edges) for replay in wrong),
        "otherwise": sum(not replay.judgement.unsafe for replay in wrong),
    }


def _faults(replayed: Sequence[Replay]) -> Sequence[str]:
    return list(dict.fromkeys(replay.fault for replay in replayed))


def _counts(fault: str, manner: Manner, replayed: Sequence[Replay]) -> Mapping[str, int]:
    return counted([replay for replay in replayed if (replay.fault, replay.manner) == (fault, manner)])


def _ended(fault: str, manner: Manner, replayed: Sequence[Replay]) -> dict[str, Json]:
    """Return goal -> how it ended."""
    return {replay.goal: replay.result.value for replay in replayed if (replay.fault, replay.manner) == (fault, manner)}


def measured_json(measurements: Sequence[Measurement], model: str) -> dict[str, Json]:
    """Return a model's rates as one object."""
    return {
        "mode": "model",
        "model": model,
        "goals": len(measurements),
        "raw": _rates([goal.raw for goal in measurements]),
        "stored": _rates([goal.stored for goal in measurements]),
        "by_goal": [
            {
                "goal": goal.goal,
                "raw": vars(goal.raw),
                "stored": vars(goal.stored),
                "rounds": goal.rounds,
                "trouble": goal.trouble,
                "says": goal.judgement.complaints,
            }
            for goal in measurements
        ],
    }


def measured_lines(measurements: Sequence[Measurement], model: str) -> list[str]:
    """Return a model's rates as a table, then the goals it missed."""
    lines = [f"{len(measurements)} goals planned by {model}", "", f"{'':32}{'raw':>8}{'repaired and packed':>24}"]
    raw, stored = _rates([goal.raw for goal in measurements]), _rates([goal.stored for goal in measurements])
    lines += [f"{name:32}{raw[key]:>8.0%}{stored[key]:>24.0%}" for key, name in _RATES.items()]
    missed = [goal for goal in measurements if not goal.stored.success]
    reasons = [
        f"  {goal.goal}: {'; '.join(filter(None, (goal.trouble, *goal.judgement.complaints)))}" for goal in missed
    ]
    return [*lines, "", *reasons] if missed else lines


def _rates(marks: Sequence[Marks]) -> dict[str, float]:
    return {key: round(sum(vars(mark)[key] for mark in marks) / len(marks), 4) for key in _RATES}
