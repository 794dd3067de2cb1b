"""The probe: a canary script tells what it can reach in a real container; anything too much refuses all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import ProbeFailed
from sandbox.script import Job, Json, Limits, OutcomeKind, ScriptOutcome

UNPRIVILEGED = "65534"
SECCOMP_FILTER = "2"


def canary() -> Job:
    """Return the script that looks around in its container."""
    code = Path(__file__).with_name("image").joinpath("canary.py").read_text()
    return Job(code=code, limits=Limits(wall_seconds=20.0))


def faults_of(seen: Mapping[str, Json], *, own_kernel: bool) -> Sequence[str]:
    """Say what the canary could do and must not (pure).

    `own_kernel`: the runtime brings a kernel of its own (gVisor), which needs no filter of system calls.
    """
    told = seen.get("status")
    status: Mapping[str, Json] = told if isinstance(told, Mapping) else {}
    wanted = {"NoNewPrivs": "1", "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapPrm": "0" * 16}
    if not own_kernel:
        wanted["Seccomp"] = SECCOMP_FILTER
    faults = [
        f"{name} is {status.get(name)!r}, not {value!r}" for name, value in wanted.items() if status.get(name) != value
    ]
    if seen.get("uid") != int(UNPRIVILEGED) or seen.get("gid") != int(UNPRIVILEGED):
        faults.append(f"runs as {seen.get('uid')}:{seen.get('gid')}")
    if seen.get("interfaces") != ["lo"]:
        faults.append(f"sees network interfaces {seen.get('interfaces')}")
    faults += [f"can open {name} sockets" for name in _names(seen.get("sockets"))]
    faults += [f"can call {name}" for name in _names(seen.get("calls"))]
    faults += [f"can write to {name}" for name in _names(seen.get("writable"))]
    faults += [f"has {name} mounted from the host" for name in _names(seen.get("mounts"))]
    if seen.get("complete") is not True:
        faults.append("the canary did not look at everything")
    return faults


def _names(value: Json) -> Sequence[str]:
    """Return a list's entries; anything but a list is itself a finding."""
    return [str(each) for each in value] if isinstance(value, list) else [f"(unknown: {value!r})"]


def check_canary(outcome: ScriptOutcome, *, own_kernel: bool) -> None:
    """Judge the canary's outcome; doubt fails.

    Raises:
        ProbeFailed: it saw too much, or did not come back.
    """
    if outcome.kind is not OutcomeKind.OK or not isinstance(outcome.result, Mapping):
        error = outcome.error.message if outcome.error else "no result"
        raise ProbeFailed((f"the canary ended with {outcome.kind.value}: {error}",))
    if faults := faults_of(outcome.result, own_kernel=own_kernel):
        raise ProbeFailed(tuple(faults))
