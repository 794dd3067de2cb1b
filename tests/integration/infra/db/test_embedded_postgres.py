"""The embedded server: who holds it, who stops it, and what it survives."""

import asyncio
import fcntl
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import URL

from agent.errors import StoreUnavailable
from infra.db.database import Database
from infra.db.embedded_postgres import HeldPostgres, PostgresUnusable, hold_postgres, locked
from infra.worker.notifications import PgNotifications
from tests.fakes.rows import THREAD

_OPTIONS = {"fsync": "off"}
_HOLD = (
    "import sys, pathlib; from infra.db.embedded_postgres import hold_postgres\n"
    "with hold_postgres(pathlib.Path(sys.argv[1]), {'fsync': 'off'}):\n"
    "    print('held', flush=True); sys.stdin.read()"
)

_MAKE_USER = (
    "import sys; from infra.db import embedded_postgres\n"
    "embedded_postgres.SYSTEM_USER = sys.argv[1]; print(embedded_postgres.system_user().pw_uid)"
)


@pytest.fixture
def data() -> Generator[Path]:
    """A data folder; not pytest's own, which is closed to the server's user."""
    with tempfile.TemporaryDirectory(prefix="greenlight-data-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
        if (guard := Path(folder) / "data" / "guard.lock").exists():
            with locked(guard, fcntl.LOCK_EX):
                pass  # the server is gone, which writes into its folder until then


@pytest.fixture(scope="module")
def running() -> Generator[HeldPostgres]:
    """One server for tests that only look at it."""
    with tempfile.TemporaryDirectory(prefix="greenlight-data-") as folder:
        Path(folder).chmod(0o755)
        with hold_postgres(Path(folder) / "data", _OPTIONS) as held:
            yield held


def _holder(data: Path) -> subprocess.Popen[str]:
    """Start another process that holds the server, until killed or its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def _kill(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate()


def _pid(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def _answer(url: URL, query: str = "SELECT 1") -> object:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else row[0]


def _wait_until_stopped(data: Path) -> None:
    deadline = time.monotonic() + 60
    while (data / "postgres" / "postmaster.pid").exists():
        assert time.monotonic() < deadline, "the server did not stop"
        time.sleep(0.05)


def _wait_for_another_server(data: Path, than: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, "the server was not started again"
        try:
            if _pid(data) != than:
                return
        except (FileNotFoundError, IndexError):
            pass
        time.sleep(0.05)


def test_it_keeps_its_data_and_stops_with_its_last_holder(data: Path) -> None:
    with hold_postgres(data, _OPTIONS) as first:
        with hold_postgres(data) as second:
            assert first.url() == second.url()
            _answer(second.url(), "CREATE TABLE kept AS SELECT 42 AS x")
        assert _answer(first.url()) == 1
    _wait_until_stopped(data)
    with hold_postgres(data, _OPTIONS) as again:
        assert _answer(again.url(), "SELECT x FROM kept") == 42


def test_it_stops_when_its_last_holder_is_killed(data: Path) -> None:
    _kill(_holder(data))
    _wait_until_stopped(data)


def test_it_outlives_a_killed_holder_that_started_it_while_another_holds_it(data: Path) -> None:
    holder = _holder(data)
    with hold_postgres(data) as held:
        _kill(holder)
        assert _answer(held.url()) == 1
        time.sleep(0.3)  # long enough for a supervisor that errs
        assert _answer(held.url()) == 1


def test_a_killed_server_is_started_again_at_the_same_address(data: Path) -> None:
    with hold_postgres(data, _OPTIONS) as held:
        before = _pid(data)
        os.kill(before, signal.SIGKILL)
        _wait_for_another_server(data, before)
        with hold_postgres(data) as again:
            assert again.url() == held.url()
            _answer_soon(again.url())


def test_a_server_that_is_killed_again_and_again_is_started_again_each_time(data: Path) -> None:
    """More often than anything else that fails that fast would be tried."""
    with hold_postgres(data, _OPTIONS) as held:
        for _ in range(7):
            before = _pid(data)
            os.kill(before, signal.SIGKILL)
            _wait_for_another_server(data, before)
            _answer_soon(held.url())


def test_a_server_that_cannot_start_again_does_so_once_it_can(data: Path) -> None:
    """Its starts fail while the version file is away: a disk that was full looks the same."""
    with hold_postgres(data, _OPTIONS) as held:
        before, log = _pid(data), data / "postgres.log"
        version = data / "postgres" / "PG_VERSION"
        version.rename(data / "away")
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while log.read_text().count("is not a valid data directory") < 7:
            assert time.monotonic() < deadline, "it was given up"
            time.sleep(0.05)
        (data / "away").rename(version)
        _answer_soon(held.url())


def _answer_soon(url: URL) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert _answer(url) == 1
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_a_server_whose_supervisor_was_killed_is_taken_over(data: Path) -> None:
    with hold_postgres(data, _OPTIONS):
        os.kill(psutil.Process(_pid(data)).ppid(), signal.SIGKILL)
        with locked(data / "guard.lock", fcntl.LOCK_EX):
            pass  # it is gone
    with hold_postgres(data, _OPTIONS) as held:
        _answer_soon(held.url())
    _wait_until_stopped(data)


@pytest.mark.parametrize("first", ["supervisor", "server"])
def test_a_server_killed_with_its_supervisor_is_started_again_by_a_holder(data: Path, first: str) -> None:
    with hold_postgres(data, _OPTIONS) as held:
        other = _holder(data)
        before = _pid(data)
        victims = [before, psutil.Process(before).ppid()]
        for victim in reversed(victims) if first == "supervisor" else victims:
            os.kill(victim, signal.SIGKILL)
        _wait_for_another_server(data, before)
        _answer_soon(held.url())
        again = _pid(data)
        os.kill(again, signal.SIGKILL)  # its new supervisor watches over it
        _wait_for_another_server(data, again)
        _answer_soon(held.url())
        _kill(other)
    _wait_until_stopped(data)


def test_processes_that_start_it_at_once_share_one_server(data: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(data)]
    holders = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
        assert _pid(data) > 0
    finally:
        for holder in holders:
            _kill(holder)
    _wait_until_stopped(data)


@pytest.mark.parametrize("role", ["postgres", "greenlight"])
def test_nobody_gets_in_without_the_password(running: HeldPostgres, role: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        _answer(running.url("postgres").set(username=role, password="wrong"))


def test_the_apps_role_is_no_superuser(running: HeldPostgres) -> None:
    assert _answer(running.url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_passwords_are_shown_to_nobody(running: HeldPostgres) -> None:
    assert str(running.url().password) not in repr(running)
    assert (running.layout.data / "passwords.json").stat().st_mode & 0o077 == 0


def test_it_listens_on_no_port(running: HeldPostgres) -> None:
    assert _answer(running.admin_url(), "SHOW listen_addresses") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must not run PostgreSQL itself")
def test_as_root_it_runs_as_a_user_of_its_own(running: HeldPostgres) -> None:
    status = Path(f"/proc/{_pid(running.layout.data)}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes the user")
def test_processes_that_make_the_servers_user_at_once_get_the_same() -> None:
    name = f"greenlight-{uuid.uuid4().hex[:8]}"
    try:
        makers = [
            subprocess.Popen([sys.executable, "-c", _MAKE_USER, name], stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        assert {maker.communicate()[0] for maker in makers} == {f"{pwd.getpwnam(name).pw_uid}\n"}
    finally:
        subprocess.run(["userdel", name], check=True)


def test_a_cluster_of_another_version_is_refused(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(PostgresUnusable, match="PostgreSQL 16"), hold_postgres(data):
        pass


def test_a_server_that_cannot_start_says_where_its_log_is(data: Path) -> None:
    with pytest.raises(PostgresUnusable, match=r"postgres\.log"), hold_postgres(data, {"port": "nonsense"}):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user that cannot reach its folders")
def test_a_folder_that_the_servers_user_cannot_reach_is_refused(data: Path) -> None:
    data.mkdir(mode=0o700)
    with pytest.raises(PostgresUnusable, match="GREENLIGHT_DATA"), hold_postgres(data / "inner"):
        pass


def test_a_path_too_long_for_a_socket_is_no_obstacle(data: Path) -> None:
    with hold_postgres(data / ("x" * 60) / ("y" * 60), _OPTIONS) as held:
        assert _answer(held.url()) == 1


async def test_stores_and_hints_come_back_after_the_server_was_killed(data: Path) -> None:
    with hold_postgres(data, _OPTIONS) as held:
        database = Database(held.url())
        notifications = PgNotifications(database)
        async with notifications.listening():
            with notifications.changes.subscribe(THREAD) as news:
                assert await news.wait(0) is False
                before = _pid(data)
                os.kill(before, signal.SIGKILL)
                assert await news.wait(60)  # notified once after the reconnect: hints may have been lost
                await _until_it_answers(database)
        await database.close()


async def _until_it_answers(database: Database) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with database.begin():
                    return
            except StoreUnavailable:
                await asyncio.sleep(0.05)
