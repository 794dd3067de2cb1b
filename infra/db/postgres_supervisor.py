"""The supervisor of an embedded PostgreSQL: its parent process, which restarts it and stops it in the end.

`embedded_postgres.py` runs it as `python -m infra.db.postgres_supervisor`. It enters a session of its own, so that a
Ctrl-C at the terminal does not reach it, starts the server, and lives until no process holds `held.lock`. It imports
only the standard library, so that it stays small.
"""

import fcntl
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import FrameType
from typing import TypedDict

SOCKET = ".s.PGSQL.5432"
"""The socket's file name: PostgreSQL makes it of the port."""

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_STEADY_SECONDS = 10.0
"""A server that ran this long is started again at once."""

_PAUSES = (0.02, 5.0)
"""The first and the longest pause before another start, in seconds; each is twice the one before."""


class ProcessOptions(TypedDict):
    """Arguments of `subprocess.run` and `subprocess.Popen`."""

    cwd: str
    env: dict[str, str]
    user: str | None
    group: str | None
    extra_groups: list[str] | None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a data folder keeps what, and how the server's processes run."""

    data: Path
    socket_folder: Path
    #: The operating system user of the server; None is our own.
    system_user: str | None

    @property
    def cluster(self) -> Path:
        return self.data / "postgres"

    @property
    def log(self) -> Path:
        return self.data / "postgres.log"

    @property
    def process_options(self) -> ProcessOptions:
        """Return what `subprocess` needs to run a program as the server's user, with none of root's groups.

        The environment has nothing of ours: no PG* variables, no secrets.
        """
        return {
            "cwd": "/",
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "user": self.system_user,
            "group": self.system_user,
            "extra_groups": None if self.system_user is None else [],
        }


class Event(Enum):
    """The event that the supervisor waits for."""

    NOBODY_HOLDS = auto()
    SERVER_DIED = auto()
    TERMINATED = auto()


class ServerFailed(Exception):
    """The server ended, or hung, before it was ready."""


class Supervisor:
    """Keeps one server running until no process holds it."""

    def __init__(self, layout: Layout, binaries: Path, options: Mapping[str, str]) -> None:
        self._layout = layout
        self._binaries = binaries
        self._options = options
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            ServerFailed: it ended first.
            OSError: it could not even be run.
        """
        self._stop_orphan()
        self._start()

    def _start(self) -> None:
        with self._layout.log.open("ab") as log:
            server = subprocess.Popen(  # noqa: S603 - the server of the wheel, fixed arguments
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._layout.process_options,
            )
        self._server = server
        threading.Thread(target=self._report_death, args=(server,), daemon=True).start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready(server.pid):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"postgres ended with status {server.poll()} before it was ready")
            time.sleep(0.005)  # the server has no other signal of readiness than its pid file

    def keep(self) -> None:
        """Restart the server whenever it dies; return when no process holds it, or on SIGTERM and SIGINT.

        Restarts have no limit while the server is held: the cause of a failed start may pass, such as a full disk, or
        processes of the previous server that have not noticed its death yet.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._terminated)
        threading.Thread(target=self._report_nobody, daemon=True).start()
        first, longest = _PAUSES
        pause, started = first, time.monotonic()
        while self._events.get() is Event.SERVER_DIED:
            if time.monotonic() - started > _STEADY_SECONDS:
                pause = first
            with suppress(queue.Empty):
                self._events.get(timeout=pause)
                return  # it is dead, and no longer wanted
            pause, started = min(2 * pause, longest), time.monotonic()
            try:
                self._start()
            except ServerFailed:
                pass  # `_report_death` reports it, unless the start only takes long
            except OSError as error:
                print(f"could not start the server: {error}", file=sys.stderr)
                self._events.put(Event.SERVER_DIED)
        self.stop()

    def stop(self) -> None:
        """Shut the server down cleanly; after a minute, at once."""
        if self._server is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's fast and immediate shutdown
            self._server.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(_STOP_SECONDS)
                return

    def _terminated(self, _number: int, _frame: FrameType | None) -> None:
        self._events.put(Event.TERMINATED)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._layout.socket_folder),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": "200",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._options,
        }
        command = [str(self._binaries / "postgres"), "-D", str(self._layout.cluster)]
        return command + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _pid_file(self) -> list[str]:
        """Return the lines of postmaster.pid: pid first, "ready" eighth (miscadmin.h, LOCK_FILE_LINE_*)."""
        try:
            return (self._layout.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _report_death(self, server: subprocess.Popen[bytes]) -> None:
        server.wait()
        self._events.put(Event.SERVER_DIED)

    def _report_nobody(self) -> None:
        # Kept open: a process that wants the server while it stops waits for this lock until we have ended.
        self._held = (self._layout.data / "held.lock").open("a")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._events.put(Event.NOBODY_HOLDS)

    def _stop_orphan(self) -> None:
        """Stop a server whose supervisor was killed. Unless its socket answers, the pid may be another process."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._layout.socket_folder / SOCKET))
            except OSError:
                return
        deadline = time.monotonic() + _STOP_SECONDS
        while (lines := self._pid_file()) and time.monotonic() < deadline:
            try:
                os.kill(int(lines[0]), signal.SIGINT)
            except ProcessLookupError:
                return  # killed; a child of it has not noticed yet
            time.sleep(0.05)  # not our child: nothing to wait on but its pid file


def main() -> None:
    """Become a daemon, start the server, report to the caller by the exit status, and stay."""
    data, socket_folder, binaries, system_user, options = sys.argv[1:6]
    layout = Layout(data=Path(data), socket_folder=Path(socket_folder), system_user=system_user or None)
    reader, writer = os.pipe()
    if os.fork() > 0:
        os.close(writer)
        report = os.fdopen(reader).read()
        sys.exit(0 if report == "ready" else report or "the supervisor died")
    os.close(reader)
    os.setsid()
    _leave_terminal(layout.data / "guard.log")
    # Released before held.lock, which the supervisor keeps to its very end: a new holder never mistakes a supervisor
    # that is ending for one that stays.
    with (layout.data / "guard.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        supervisor = Supervisor(layout, Path(binaries), json.loads(options))
        try:
            supervisor.start()
        except (ServerFailed, OSError) as error:
            os.write(writer, str(error).encode())
            return
        os.write(writer, b"ready")
        os.close(writer)
        supervisor.keep()


def _leave_terminal(log: Path) -> None:
    """Point the standard streams at the log, so that no process waits for a pipe that we inherited."""
    with log.open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


if __name__ == "__main__":
    main()
