"""What a container is allowed, and above all what never."""

import json

import pytest

from sandbox.hardening import Profile, container_spec, profile_of, seccomp_profile
from sandbox.script import Limits

SPEC = container_spec(Profile(memory_bytes=64 << 20, pids=7, cpus=0.5), seccomp="{}")
FORBIDDEN = (
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "memfd_create",
    "memfd_secret",
    "pidfd_getfd",
    "kcmp",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "keyctl",
    "add_key",
    "request_key",
    "execveat",
    "init_module",
    "kexec_load",
    "open_by_handle_at",
    "name_to_handle_at",
    "chroot",
    "pivot_root",
    "syslog",
    "quotactl",
    "reboot",
    "swapon",
    "iopl",
    "ioperm",
    "modify_ldt",
    "socketcall",
    "mknod",
    "mknodat",
    "seccomp",
)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("network_mode", "none"),
        ("ipc_mode", "none"),
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("mem_limit", 64 << 20),
        ("memswap_limit", 64 << 20),
        ("pids_limit", 7),
        ("nano_cpus", 500_000_000),
        ("init", True),
        ("auto_remove", True),
    ],
)
def test_option_is_set(option: str, value: object) -> None:
    assert SPEC.host_options[option] == value


@pytest.mark.parametrize(
    "option", ["binds", "mounts", "volumes", "devices", "privileged", "cap_add", "port_bindings", "pid_mode"]
)
def test_no_way_to_the_host_is_ever_asked_for(option: str) -> None:
    assert option not in SPEC.host_options


def test_scratch_space_is_small_and_not_executable() -> None:
    scratch = str(SPEC.host_options["tmpfs"])
    for word in ("noexec", "nosuid", "nodev", "size=", "nr_inodes="):
        assert word in scratch


def test_privileges_cannot_be_gained_and_the_filter_travels_as_text() -> None:
    assert SPEC.host_options["security_opt"] == ["no-new-privileges", "seccomp={}"]


def test_no_core_files_and_nobody_as_user() -> None:
    assert SPEC.ulimits["core"] == 0
    assert SPEC.user == "65534:65534"


def test_runtime_is_named_only_when_it_is_set() -> None:
    assert "runtime" not in SPEC.host_options
    other = container_spec(profile_of(Limits()), seccomp="{}", runtime="runsc")
    assert other.host_options["runtime"] == "runsc"


def rules() -> list[dict[str, object]]:
    profile: dict[str, list[dict[str, object]]] = json.loads(seccomp_profile())
    return profile["syscalls"]


def test_filter_denies_what_it_does_not_name() -> None:
    profile: dict[str, object] = json.loads(seccomp_profile())
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)


def test_filter_knows_no_32_bit_calls() -> None:
    profile: dict[str, list[dict[str, object]]] = json.loads(seccomp_profile())
    assert [machine["subArchitectures"] for machine in profile["archMap"]] == [None, None]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_filter_never_allows(name: str) -> None:
    assert [rule for rule in rules() if name in str(rule["names"]).split("'") and "ALLOW" in str(rule["action"])] == []


def test_filter_allows_sockets_of_one_family_only() -> None:
    [rule] = [rule for rule in rules() if "socket" in str(rule["names"]).split("'")]
    assert rule["args"] == [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]


def test_filter_allows_no_new_namespaces() -> None:
    [clone] = [rule for rule in rules() if rule["names"] == ["clone"]]
    assert clone["args"] == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
    [clone3] = [rule for rule in rules() if rule["names"] == ["clone3"]]
    assert clone3["errnoRet"] == 38
