"""The canary: a script that looks around in its own container and returns what it could reach."""

import ctypes
import os
import socket

FAMILIES = {
    "AF_INET": 2,
    "AF_INET6": 10,
    "AF_NETLINK": 16,
    "AF_PACKET": 17,
    "AF_ALG": 38,
    "AF_VSOCK": 40,
    "AF_XDP": 44,
    "AF_BLUETOOTH": 31,
    "AF_TIPC": 30,
}
NAMES = ("ptrace", "io_uring_setup", "memfd_create", "bpf", "unshare", "userfaultfd")
CALLS = {
    "x86_64": dict(zip(NAMES, (101, 425, 319, 321, 272, 323), strict=True)),
    "aarch64": dict(zip(NAMES, (117, 425, 279, 280, 97, 282), strict=True)),
}
EPERM = 1
ENOSYS = 38
OWN_FILES = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/sbin/docker-init", "/usr/sbin/docker-init"}
VIRTUAL = {"overlay", "proc", "tmpfs", "devpts", "sysfs", "cgroup", "cgroup2", "mqueue", "rootfs", "9p", "none"}


def opens(family: int) -> bool:
    """Return whether a socket of this family can be made."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
        except OSError:
            continue
        return True
    return False


def callable_calls() -> list[str]:
    """Return the forbidden system calls that were not refused outright."""
    libc = ctypes.CDLL(None, use_errno=True)
    found: list[str] = []
    for name, number in CALLS[os.uname().machine].items():
        ctypes.set_errno(0)
        answer = libc.syscall(number, -1, -1, -1, -1)
        if answer != -1 or ctypes.get_errno() not in (EPERM, ENOSYS):
            found.append(name)
    return found


def writable() -> list[str]:
    """Return the places outside the scratch space where a file can be made."""
    found: list[str] = []
    for folder in ("/", "/usr", "/etc", "/greenlight", "/var", "/proc/sys/kernel", "/sys/fs/cgroup", "/dev"):
        path = os.path.join(folder, "canary")  # noqa: PTH118  standard library's lightest
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        except OSError:
            continue
        os.unlink(path)  # noqa: PTH108
        found.append(folder)
    return found


def own_settings() -> list[str]:
    """Return the settings of the own process that can be changed."""
    found: list[str] = []
    for name in ("oom_score_adj", "timerslack_ns", "clear_refs"):
        try:
            os.close(os.open(f"/proc/self/{name}", os.O_WRONLY))
        except OSError:
            continue
        found.append(name)
    return found


def interfaces() -> list[str]:
    """Return the network interfaces; read from a file, because asking for them takes a netlink socket."""
    with open("/proc/net/dev") as table:  # noqa: PTH123
        return sorted(line.split(":")[0].strip() for line in table if ":" in line)


def host_mounts() -> list[str]:
    """Return the places where a file system of the host shows through; the engine's own small files do not count."""
    with open("/proc/self/mounts") as mounts:  # noqa: PTH123
        rows = [line.split() for line in mounts]
    return [row[1] for row in rows if row[2] not in VIRTUAL and row[1] not in OWN_FILES]


def main(inputs: object) -> dict[str, object]:
    """Look around."""
    del inputs
    with open("/proc/self/status") as status:  # noqa: PTH123
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    return {
        "status": {name: fields.get(name) for name in ("NoNewPrivs", "CapEff", "CapBnd", "CapPrm", "Seccomp")},
        "uid": os.getuid(),
        "gid": os.getgid(),
        "kernel": os.uname().release,
        "interfaces": interfaces(),
        "sockets": [name for name, family in FAMILIES.items() if opens(family)],
        "calls": callable_calls(),
        "writable": writable(),
        "mounts": host_mounts(),
        "settings": own_settings(),
        "complete": True,
    }
