"""The probe: a canary script reports what it can reach in a real container. Anything unexpected refuses all scripts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import ProbeFailed
from sandbox.script import Job, Json, Limits, OutcomeKind, ScriptOutcome

NOBODY = 65534
NO_CAPABILITY = "0" * 16
SECCOMP_FILTER = "2"
INSIDE_ONLY = frozenset({"AF_INET", "AF_INET6", "AF_NETLINK"})
"""Families a kernel of its own implements inside itself, with no interface but lo behind them."""


def canary() -> Job:
    """Return the canary script, which looks around in its container."""
    code = Path(__file__).with_name("image").joinpath("canary.py").read_text()
    return Job(code=code, limits=Limits(wall_seconds=20.0))


def canary_faults(seen: Mapping[str, Json], *, host_kernel: str | None) -> Sequence[str]:
    """Return what the canary could do and must not. Pure.

    `host_kernel` is the engine's kernel release when the runtime should bring a kernel of its own
    (gVisor): then the canary must see a different one, to which a script can do no harm.
    """
    kernel = _own_kernel(seen, host_kernel) if host_kernel is not None else _filtered(seen)
    faults = [*_unprivileged(seen), *kernel]
    if seen.get("interfaces") != ["lo"]:
        faults.append(f"sees network interfaces {seen.get('interfaces')}")
    faults += [f"can write to {name}" for name in _names(seen.get("writable"))]
    faults += [f"has {name} mounted from the host" for name in _names(seen.get("mounts"))]
    if seen.get("complete") is not True:
        faults.append("the canary did not look at everything")
    return faults


def _unprivileged(seen: Mapping[str, Json]) -> Sequence[str]:
    faults = _differing(seen, {"CapEff": NO_CAPABILITY, "CapBnd": NO_CAPABILITY, "CapPrm": NO_CAPABILITY})
    if seen.get("uid") != NOBODY or seen.get("gid") != NOBODY:
        faults.append(f"runs as {seen.get('uid')}:{seen.get('gid')}")
    return faults


def _filtered(seen: Mapping[str, Json]) -> Sequence[str]:
    """Return faults of a container on the host's kernel, where the filter of system calls must be on and hold."""
    return [
        *_differing(seen, {"NoNewPrivs": "1", "Seccomp": SECCOMP_FILTER}),
        *(f"can open {name} sockets" for name in _names(seen.get("sockets"))),
        *(f"can call {name}" for name in _names(seen.get("calls"))),
        *(f"can change its own {name}" for name in _names(seen.get("settings"))),
    ]


def _own_kernel(seen: Mapping[str, Json], host_kernel: str) -> Sequence[str]:
    faults = [f"can open {name} sockets" for name in _names(seen.get("sockets")) if name not in INSIDE_ONLY]
    if not isinstance(seen.get("kernel"), str) or seen.get("kernel") == host_kernel:
        faults.append(f"runs on the host's kernel {seen.get('kernel')}")
    return faults


def _differing(seen: Mapping[str, Json], wanted: Mapping[str, str]) -> list[str]:
    found = seen.get("status")
    status: Mapping[str, Json] = found if isinstance(found, Mapping) else {}
    return [
        f"{name} is {status.get(name)!r}, not {value!r}" for name, value in wanted.items() if status.get(name) != value
    ]


def _names(value: Json) -> Sequence[str]:
    """Return a list's entries; anything but a list is itself a fault."""
    return [str(name) for name in value] if isinstance(value, list) else [f"(unknown: {value!r})"]


def check_canary(outcome: ScriptOutcome, *, host_kernel: str | None) -> None:
    """Judge the canary's outcome; doubt fails.

    Raises:
        ProbeFailed: it saw too much, or did not come back.
    """
    if outcome.kind is not OutcomeKind.OK or not isinstance(outcome.result, Mapping):
        error = outcome.error.message if outcome.error else "no result"
        raise ProbeFailed((f"the canary ended with {outcome.kind.value}: {error}",))
    if faults := canary_faults(outcome.result, host_kernel=host_kernel):
        raise ProbeFailed(tuple(faults))
