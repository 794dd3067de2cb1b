"""What the canary may see, and that doubt fails."""

from collections.abc import Mapping

import pytest

from sandbox.errors import ProbeFailed
from sandbox.probe import canary_faults, check_canary
from sandbox.script import Json, OutcomeKind, ScriptOutcome

GOOD: Mapping[str, Json] = {
    "status": {"NoNewPrivs": "1", "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapPrm": "0" * 16, "Seccomp": "2"},
    "uid": 65534,
    "gid": 65534,
    "interfaces": ["lo"],
    "sockets": [],
    "calls": [],
    "writable": [],
    "mounts": [],
    "settings": [],
    "kernel": "6.1.0",
    "complete": True,
}


def status(**changed: str) -> Mapping[str, Json]:
    known = GOOD["status"]
    assert isinstance(known, Mapping)
    return {**known, **changed}


def test_isolated_container_has_no_faults() -> None:
    assert list(canary_faults(GOOD, host_kernel=None)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"status": {}},
        {"status": None},
        {"status": status(NoNewPrivs="0")},
        {"status": status(CapEff="00000000a80425fb")},
        {"status": status(Seccomp="0")},
        {"uid": 0},
        {"gid": None},
        {"interfaces": ["eth0", "lo"]},
        {"sockets": ["AF_VSOCK"]},
        {"sockets": None},
        {"calls": ["ptrace"]},
        {"writable": ["/etc"]},
        {"mounts": ["/var/run/docker.sock"]},
        {"settings": ["oom_score_adj"]},
        {"settings": None},
        {"complete": 1},
    ],
    ids=str,
)
def test_anything_else_is_a_fault(changed: Mapping[str, Json]) -> None:
    assert len(canary_faults({**GOOD, **changed}, host_kernel=None)) >= 1


GVISOR: Mapping[str, Json] = {
    **GOOD,
    "status": status(Seccomp="0", NoNewPrivs=""),
    "sockets": ["AF_INET", "AF_INET6", "AF_NETLINK"],
    "calls": ["ptrace"],
    "kernel": "4.4.0",
}


def test_runtime_with_a_kernel_of_its_own_needs_no_filter() -> None:
    assert list(canary_faults(GVISOR, host_kernel="6.1.0")) == []


@pytest.mark.parametrize("changed", [{"kernel": "6.1.0"}, {"kernel": None}, {"sockets": ["AF_VSOCK"]}], ids=str)
def test_runtime_that_should_have_a_kernel_of_its_own_is_not_believed(changed: Mapping[str, Json]) -> None:
    assert len(canary_faults({**GVISOR, **changed}, host_kernel="6.1.0")) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        ScriptOutcome(kind=OutcomeKind.DIED),
        ScriptOutcome(kind=OutcomeKind.OK, result=None),
        ScriptOutcome(kind=OutcomeKind.OK, result={}),
    ],
    ids=["died", "no-result", "empty"],
)
def test_canary_that_does_not_come_back_whole_fails(outcome: ScriptOutcome) -> None:
    with pytest.raises(ProbeFailed):
        check_canary(outcome, host_kernel=None)
