"""What an evaluation found, as a table for people and as one JSON object (pure)."""

from collections.abc import Callable, Sequence

from infra.evaluation.measurement import Marks, Measured
from infra.evaluation.replay import AS_WRITTEN, Ended, Manner, Replay, counted
from sandbox.script import Json

_RATES: tuple[tuple[str, str, Callable[[Marks], bool]], ...] = (
    ("valid", "valid plans", lambda marks: marks.valid),
    ("colours", "right colours", lambda marks: marks.colours),
    ("parallel", "as parallel as can be", lambda marks: marks.parallel),
    ("success", "success", lambda marks: marks.success),
)


def unsafe(seen: Sequence[Replay]) -> bool:
    """Return whether a colour or an edge came out wrong."""
    return any(each.judgement.unsafe for each in seen)


def replay_json(seen: Sequence[Replay]) -> dict[str, Json]:
    """Return the replays as one object."""
    wrong = [each for each in seen if each.ended is Ended.WRONG]
    return {
        "mode": "replay",
        "goals": len({each.goal for each in seen}),
        "faults": len({each.fault for each in seen} - {AS_WRITTEN}),
        "replays": len(seen),
        "ended": {ended.value: count for ended, count in counted(seen).items()},
        "wrong": {
            "colours": sum(1 for each in wrong if each.judgement.colours),
            "edges": sum(1 for each in wrong if each.judgement.edges),
            "otherwise": sum(1 for each in wrong if not each.judgement.unsafe),
        },
        "by_fault": [
            {"fault": fault, **{manner.value: _counts(fault, manner, seen) for manner in Manner}}
            for fault in _faults(seen)
        ],
        "complaints": [
            {"goal": each.goal, "fault": each.fault, "manner": each.manner.value, "says": [*each.judgement.complaints]}
            for each in wrong
        ],
    }


def replay_lines(seen: Sequence[Replay]) -> list[str]:
    """Return the replays as a table: a line for each fault, then the sums."""
    head = f"{'':32}{'corrected when told':^26}{'repeated':^26}"
    columns = "".join(f"{each.value:>8}" for each in Ended)
    lines = [head, f"{'fault':32}{columns}  {columns}"]
    for fault in _faults(seen):
        cells = "  ".join(
            "".join(f"{count or '·':>8}" for count in _counts(fault, manner, seen).values()) for manner in Manner
        )
        lines.append(f"{fault:32}{cells}")
    found = replay_json(seen)
    sums = counted(seen)
    lines += ["", f"{found['goals']} goals, {found['faults']} kinds of faults, {len(seen)} replays: "]
    lines[-1] += ", ".join(f"{count} {ended.value}" for ended, count in sums.items())
    wrong = found["wrong"]
    assert isinstance(wrong, dict)  # noqa: S101 -- made above
    lines.append("wrong: " + ", ".join(f"{name} {count}" for name, count in wrong.items()))
    for each in seen:
        if each.ended is Ended.WRONG:
            lines.append(f"  {each.goal}, {each.fault}, {each.manner.value}: {'; '.join(each.judgement.complaints)}")
    return lines


def _faults(seen: Sequence[Replay]) -> Sequence[str]:
    return list(dict.fromkeys(each.fault for each in seen))


def _counts(fault: str, manner: Manner, seen: Sequence[Replay]) -> dict[str, Json]:
    mine = [each for each in seen if (each.fault, each.manner) == (fault, manner)]
    return {ended.value: count for ended, count in counted(mine).items()}


def measured_json(found: Sequence[Measured], model: str) -> dict[str, Json]:
    """Return a model's rates as one object."""
    return {
        "mode": "model",
        "model": model,
        "goals": len(found),
        "raw": {key: _rate(found, is_so, raw=True) for key, _, is_so in _RATES},
        "stored": {key: _rate(found, is_so, raw=False) for key, _, is_so in _RATES},
        "by_goal": [
            {
                "goal": each.goal,
                "raw": _marks_json(each.raw),
                "stored": _marks_json(each.stored),
                "rounds": each.rounds,
                "trouble": each.trouble,
                "says": [*each.judgement.complaints],
            }
            for each in found
        ],
    }


def measured_lines(found: Sequence[Measured], model: str) -> list[str]:
    """Return a model's rates as a table."""
    lines = [f"{len(found)} goals planned by {model}", "", f"{'':32}{'raw':>8}{'repaired and packed':>24}"]
    for _, name, is_so in _RATES:
        lines.append(f"{name:32}{_rate(found, is_so, raw=True):>8.0%}{_rate(found, is_so, raw=False):>24.0%}")
    missed = [each for each in found if not each.stored.success]
    lines += ["", *(f"  {each.goal}: {_why(each)}" for each in missed)]
    return lines if missed else lines[:-1]


def _why(each: Measured) -> str:
    return "; ".join([*([each.trouble] if each.trouble else []), *each.judgement.complaints])


def _rate(found: Sequence[Measured], is_so: Callable[[Marks], bool], *, raw: bool) -> float:
    return round(sum(1 for each in found if is_so(each.raw if raw else each.stored)) / len(found), 4)


def _marks_json(marks: Marks) -> dict[str, Json]:
    return {key: is_so(marks) for key, _, is_so in _RATES}
