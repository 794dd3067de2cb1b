"""What the canary may see, and that doubt fails."""

from collections.abc import Mapping

import pytest

from sandbox.errors import ProbeFailed
from sandbox.probe import check_canary, faults_of
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
    "complete": True,
}


def status(**changed: str) -> Mapping[str, Json]:
    known = GOOD["status"]
    assert isinstance(known, Mapping)
    return {**known, **changed}


def test_isolated_container_has_no_faults() -> None:
    assert list(faults_of(GOOD, own_kernel=False)) == []


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
        {"complete": 1},
    ],
    ids=str,
)
def test_anything_else_is_a_fault(changed: Mapping[str, Json]) -> None:
    assert len(faults_of({**GOOD, **changed}, own_kernel=False)) >= 1


def test_runtime_with_a_kernel_of_its_own_needs_no_filter() -> None:
    assert list(faults_of({**GOOD, "status": status(Seccomp="0")}, own_kernel=True)) == []


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
        check_canary(outcome, own_kernel=False)
