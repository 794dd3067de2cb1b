"""The rights of a container for scripts: limits in, the engine's options out (pure).

No network, no mounts, no devices, no capabilities, no new privileges, a read-only root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.script import Limits

APP_LABEL = "greenlight.app"
INSTANCE_LABEL = "greenlight.instance"
OWNER_LABEL = "greenlight.owner"
DEADLINE_LABEL = "greenlight.deadline"
APP = "greenlight-sandbox"

SCRATCH_BYTES = 32 * 1024 * 1024
SCRATCH_INODES = 2048
NOBODY = "65534:65534"


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything about a container but its image. Two jobs with equal specs can share a pool."""

    #: Keywords of the engine's host configuration.
    host_options: Mapping[str, object]
    #: Read-only below a writable root: a script's own entries in /proc too, such as how soon the kernel ends it when
    #: the machine's memory runs out.
    readonly_paths: tuple[str, ...] = ("/proc",)
    #: Resource limits of the container's processes, soft and hard alike.
    ulimits: Mapping[str, int]
    user: str = NOBODY
    working_dir: str = "/tmp"  # noqa: S108  the container's own scratch space


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The part of a job's limits that a container is made with; the rest is enforced from outside."""

    memory_bytes: int
    pids: int
    cpus: float


def profile_of(limits: Limits) -> Profile:
    """Return what a container for these limits must be made with."""
    return Profile(memory_bytes=limits.memory_bytes, pids=limits.pids, cpus=limits.cpus)


def seccomp_profile() -> str:
    """Return our system call filter as JSON text; the engine takes the text, never a path."""
    return Path(__file__).with_name("image").joinpath("seccomp.json").read_text()


def container_spec(profile: Profile, *, seccomp: str, runtime: str | None = None) -> ContainerSpec:
    """Return the options of a container that may run hostile code within `profile`."""
    scratch = f"rw,noexec,nosuid,nodev,size={SCRATCH_BYTES},nr_inodes={SCRATCH_INODES},mode=1777"
    options: dict[str, object] = {
        "network_mode": "none",
        "ipc_mode": "none",
        "cgroupns": "private",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={seccomp}"],
        "tmpfs": {"/tmp": scratch},  # noqa: S108  the container's own scratch space
        "mem_limit": profile.memory_bytes,
        "memswap_limit": profile.memory_bytes,
        "nano_cpus": int(profile.cpus * 1_000_000_000),
        "pids_limit": profile.pids,
        "oom_score_adj": 800,
        "init": True,
        "auto_remove": True,
    }
    if runtime is not None:
        options["runtime"] = runtime
    return ContainerSpec(
        host_options=options,
        ulimits={"nofile": 256, "core": 0, "fsize": SCRATCH_BYTES, "memlock": 0, "msgqueue": 0},
    )
