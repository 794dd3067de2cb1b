"""`greenlight doctor` over the wire: it names each thing that is missing or wrong, and nothing else."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import URL

from bot.slack import socket_mode
from infra import process_health
from infra.config.environment import read_settings
from infra.config.file import Configuration
from infra.db.embedded_postgres import HeldPostgres
from infra.dev.local_slack.state.faults import MethodFault
from infra.dev.scripted_model.script import Failure, Rubbish, Script
from infra.doctor import database
from infra.doctor.examination import examine, process_finding, report_redactor
from infra.doctor.finding import Finding, State
from infra.wiring import open_app
from sandbox import background_task
from tests.acceptance.doctor_fixtures import Patient, app_without, patient

GREENLIGHT = Path(sys.executable).with_name("greenlight")


NO_DOCKER = "tcp://127.0.0.1:1"


async def doctor(
    environ: dict[str, str], *options: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `greenlight doctor` as a process of its own, in this folder, with this environment and nothing else."""
    return await asyncio.to_thread(
        subprocess.run,
        [GREENLIGHT, "doctor", *options],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=folder or tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )


async def test_doctor_finds_nothing_to_mend_where_nothing_is_missing(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        told = await doctor(healthy.environ)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Everything is there." in told.stdout
        assert {line.split()[0] for line in told.stdout.splitlines()[:-2]} == {"ok"}


async def test_doctor_exits_2_and_says_how_to_mend_what_is_missing(tmp_path: Path, empty_database_url: URL) -> None:
    told = await doctor({"DATABASE_URL": empty_database_url.render_as_string(hide_password=False)})
    assert told.returncode == 2
    lines = told.stdout.splitlines()
    bad = [number for number, line in enumerate(lines) if line.startswith(("missing", "wrong"))]
    assert {"bot token", "app token", "schema", "model"} <= {lines[number][9:23].strip() for number in bad}
    assert all("How to fix it: " in lines[number + 1] for number in bad)
    assert lines[-1] == f"{len(bad)} to fix."


async def test_doctor_tells_the_same_as_json(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as sick:
        del sick.environ["OPENAI_API_KEY"]
        told = await doctor(sick.environ, "--json")
        assert told.returncode == 2
        document = json.loads(told.stdout)
        assert document["ok"] is False
        assert [finding["check"] for finding in document["findings"] if finding["state"] != "ok"] == ["model"]
        assert all(set(finding) == {"check", "state", "says", "mend"} for finding in document["findings"])


async def test_doctor_prints_no_secret_whatever_is_wrong(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as sick:
        secrets = {
            "SLACK_BOT_TOKEN": "xoxb-s3cret-bot",
            "SLACK_APP_TOKEN": "xapp-s3cret-app",
            "OPENAI_API_KEY": "sk-s3cret-model",
            "DATABASE_URL": "postgresql://greenlight:s3cret-database@127.0.0.1:1/greenlight",
            "OPENAI_BASE_URL": "http://user:s3cret-login@127.0.0.1:1/v1",
        }
        sick.configuration.write_text('[tools.sql_query]\ndatabase_url = "postgresql://s3cret"\nrows = "s3cret"\n')
        for options in ([], ["--json"]):
            told = await doctor({**sick.environ, **secrets}, *options)
            assert told.returncode == 2
            assert "s3cret" not in told.stdout + told.stderr


@contextmanager
def login(postgres: HeldPostgres, url: URL, rights: str) -> Generator[URL]:
    """Give the address of a database login of its own with these rights, while the context lasts."""
    name = f"reader_{uuid4().hex}"
    admin = postgres.admin_url(url.database or "")
    with psycopg.connect(admin.set(drivername="postgresql").render_as_string(hide_password=False)) as owner:
        owner.autocommit = True
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'".encode())
        owner.execute(rights.format(login=name).encode())
        try:
            yield url.set(username=name, password="secret")
        finally:
            owner.execute(f"DROP OWNED BY {name}".encode())
            owner.execute(f"DROP ROLE {name}".encode())


async def query_login(sick: Patient, url: URL) -> Finding:
    """Return what the doctor finds about this login of `sql_query`."""
    sick.configuration.write_text(
        f'sandbox = "monty"\n[tools.sql_query]\ndatabase_url = "{url.render_as_string(hide_password=False)}"\n'
    )
    return (await sick.findings())["sql_query"]


async def test_doctor_is_content_with_a_login_that_may_only_read(
    postgres: HeldPostgres, database_url: URL, tmp_path: Path
) -> None:
    with login(postgres, database_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {login}") as reader:
        async with patient(database_url, tmp_path) as healthy:
            finding = await query_login(healthy, reader)
            assert (finding.state, finding.says) == (State.OK, f"its login {reader.username} may only read")


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ("ALTER ROLE {login} SUPERUSER", "is a superuser"),
        ("ALTER ROLE {login} CREATEROLE", "may create roles"),
        ("GRANT pg_signal_backend TO {login}", "has the rights of pg_signal_backend"),
        ("GRANT UPDATE ON inbox TO {login}", "may write inbox"),
    ],
)
async def test_doctor_names_what_a_query_could_do_harm_with(
    postgres: HeldPostgres, database_url: URL, tmp_path: Path, rights: str, words: str
) -> None:
    with login(postgres, database_url, rights) as reader:
        async with patient(database_url, tmp_path) as sick:
            finding = await query_login(sick, reader)
            assert finding.state is State.WRONG
            assert words in finding.says
            assert "a login of its own" in finding.mend


async def test_doctor_finds_a_login_that_others_use_too(
    postgres: HeldPostgres, database_url: URL, tmp_path: Path
) -> None:
    with login(postgres, database_url, "GRANT SELECT ON inbox TO {login}") as reader:
        other = reader.set(drivername="postgresql").render_as_string(hide_password=False)
        async with patient(database_url, tmp_path) as sick:
            with psycopg.connect(other):
                assert "is in use elsewhere too" in (await query_login(sick, reader)).says


async def test_doctor_finds_a_query_database_that_is_away(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as sick:
        finding = await query_login(sick, URL.create("postgresql", "reader", "s3cret", "127.0.0.1", 9, "none"))
        assert finding.state is State.WRONG
        assert "its database cannot be used" in finding.says
        assert "s3cret" not in finding.says


Spoil = Callable[[Patient], None]


def setting(name: str, value: str | None) -> Spoil:
    """Return what sets a variable, or takes it away."""

    def spoil(sick: Patient) -> None:
        sick.environ.pop(name)
        if value is not None:
            sick.environ[name] = value

    return spoil


def configured(text: str) -> Spoil:
    """Return what writes another configuration file."""

    def spoil(sick: Patient) -> None:
        sick.configuration.write_text(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "check", "state", "words"),
    [
        (setting("SLACK_BOT_TOKEN", None), "bot token", State.MISSING, "SLACK_BOT_TOKEN is not set"),
        (setting("SLACK_BOT_TOKEN", "xoxb-"), "bot token", State.MISSING, "SLACK_BOT_TOKEN is not set"),
        (setting("SLACK_BOT_TOKEN", "xapp-1-2"), "bot token", State.WRONG, "does not start with xoxb-"),
        (setting("SLACK_BOT_TOKEN", "xoxb-old"), "bot token", State.WRONG, "invalid_auth"),
        (setting("SLACK_APP_TOKEN", None), "app token", State.MISSING, "SLACK_APP_TOKEN is not set"),
        (setting("SLACK_APP_TOKEN", "xoxb-1-2"), "app token", State.WRONG, "does not start with xapp-"),
        (setting("SLACK_APP_TOKEN", "xapp-old"), "app token", State.WRONG, "invalid_auth"),
        (setting("SLACK_API_URL", "http://127.0.0.1:1/api/"), "app token", State.WRONG, "no usable response"),
        (setting("DATABASE_URL", "mysql://db/greenlight"), "database", State.WRONG, "no address"),
        (
            setting("DATABASE_URL", "postgresql://u:p@ss@host/x"),
            "database",
            State.WRONG,
            "no address: a special character",
        ),
        (setting("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/x"), "database", State.WRONG, "refused"),
        (setting("OPENAI_API_KEY", None), "model", State.MISSING, "OPENAI_API_KEY is not set"),
        (setting("OPENAI_API_KEY", "sk-revoked"), "model", State.WRONG, "refuses the key"),
        (setting("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"), "model", State.WRONG, "does not answer"),
        (setting("OPENAI_BASE_URL", "http://[/v1"), "model", State.WRONG, "no address"),
        (setting("GREENLIGHT_MODEL", "gpt-99"), "model", State.WRONG, "no model named gpt-99"),
        (setting("GREENLIGHT_CONFIG", "/nowhere/greenlight.toml"), "configuration", State.MISSING, "there is no"),
        (configured("sandbox = monty"), "configuration", State.WRONG, "not TOML"),
        (
            configured('[aprovals.default]\nself_approval = false\nsandbox = "monty"'),
            "configuration",
            State.WRONG,
            "apr",
        ),
        (configured('[model]\nby_role = { planner = "gpt-99" }'), "model", State.WRONG, "no model named gpt-99"),
    ],
)
async def test_doctor_names_what_is_missing(
    database_url: URL, tmp_path: Path, spoil: Spoil, check: str, state: State, words: str
) -> None:
    async with patient(database_url, tmp_path) as sick:
        spoil(sick)
        unwell = await sick.unwell()
        assert unwell[check].state is state
        assert words in unwell[check].says
        parts = {"bot token", "scopes", "app token"}, {"database", "schema"}
        together = next((part for part in parts if check in part), {check})
        assert set(unwell) <= together, "what is not spoilt is well"


async def test_doctor_names_the_scopes_that_are_missing(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path, app=app_without(scopes=["chat:write", "users:read"])) as sick:
        unwell = await sick.unwell()
        assert list(unwell) == ["scopes"]
        assert unwell["scopes"].says == "the app lacks chat:write, users:read"


async def test_doctor_names_an_app_token_without_its_scope(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path, app=app_without(app_token_scopes=["connections:write"])) as sick:
        unwell = await sick.unwell()
        assert list(unwell) == ["app token"]
        assert "connections:write" in unwell["app token"].mend


@pytest.mark.parametrize(
    "says",
    [
        Script(answer=Failure(status=500, message="down")),
        Script(answer=Failure(status=429, message="no credit left")),
        Script(answer=Rubbish(body=b"<html>", content_type="text/html")),
    ],
    ids=["down", "no credit", "rubbish"],
)
async def test_doctor_names_a_model_that_does_not_answer(database_url: URL, tmp_path: Path, says: Script) -> None:
    async with patient(database_url, tmp_path, says=says) as sick:
        assert list(await sick.unwell()) == ["model"]


async def test_doctor_names_a_login_the_database_refuses(database_url: URL, tmp_path: Path) -> None:
    url = database_url.set(password="an-old-password")
    async with patient(url, tmp_path) as sick:
        unwell = await sick.unwell()
        assert set(unwell) == {"database", "schema"}
        assert "password authentication failed" in unwell["database"].says


async def test_doctor_names_a_database_that_is_too_old(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "OLDEST_VERSION", 99)
    async with patient(database_url, tmp_path) as sick:
        assert "is PostgreSQL 18" in (await sick.unwell())["database"].says


async def test_doctor_names_a_database_that_was_never_migrated(empty_database_url: URL, tmp_path: Path) -> None:
    async with patient(empty_database_url, tmp_path) as sick:
        unwell = await sick.unwell()
        assert list(unwell) == ["schema"]
        assert unwell["schema"].state is State.MISSING
        assert "greenlight migrate" in unwell["schema"].mend


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM queue_migrations WHERE name = (SELECT max(name) FROM queue_migrations)", "older version: queue"),
        ("DELETE FROM checkpoint_migrations WHERE v = (SELECT max(v) FROM checkpoint_migrations)", "checkpoints"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer Greenlight (9999)"),
    ],
    ids=["queue", "checkpoints", "newer"],
)
async def test_doctor_names_a_schema_of_another_version(
    database_url: URL, tmp_path: Path, change: str, words: str
) -> None:
    with psycopg.connect(database_url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute(change.encode())
    async with patient(database_url, tmp_path) as sick:
        unwell = await sick.unwell()
        assert list(unwell) == ["schema"]
        assert words in unwell["schema"].says


async def test_doctor_names_a_sandbox_that_is_missing(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_DOCKER)
    async with patient(database_url, tmp_path) as sick:
        sick.configuration.write_text('sandbox = "docker"')
        unwell = await sick.unwell()
        assert list(unwell) == ["sandbox"]
        assert "greenlight sandbox build" in unwell["sandbox"].mend
        sick.configuration.write_text('sandbox = "auto"')
        found = await sick.findings()
        assert found["sandbox"].state is State.OK
        assert found["sandbox"].says.startswith("monty: no container engine")


async def test_doctor_starts_the_embedded_database_and_names_a_folder_it_cannot_have(
    database_url: URL, tmp_path: Path
) -> None:
    async with patient(database_url, tmp_path) as sick:
        del sick.environ["DATABASE_URL"]
        with tempfile.TemporaryDirectory(prefix="greenlight-doctor-") as folder:
            os.chmod(folder, 0o755)  # noqa: PTH101, S103 - the database's own user must get through
            sick.environ["GREENLIGHT_DATA"] = folder
            assert list(await sick.unwell()) == ["schema"]
        (tmp_path / "file").touch()
        sick.environ["GREENLIGHT_DATA"] = str(tmp_path / "file" / "data")
        unwell = await sick.unwell()
        assert list(unwell) == ["data folder", "database", "schema"]


async def test_doctor_changes_nothing_in_slack(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        assert all(finding.state is State.OK for finding in await examine(healthy.environ))
        assert set(healthy.workspace.backend.calls) == {"auth.test", "apps.connections.open"}


async def test_doctor_names_background_work_that_fails_in_a_running_process(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_health, "WRITE_SECONDS", 0.02)
    monkeypatch.setattr(socket_mode, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(background_task, "LONGEST_PAUSE_SECONDS", 0.2)
    async with patient(database_url, tmp_path) as sick, AsyncExitStack() as app:
        assert (await sick.findings())["processes"].says == "none runs with this data folder"
        await app.enter_async_context(open_app(read_settings(sick.environ), database_url))
        assert (await sick.findings())["processes"].says == "1 running, all well"
        faults = sick.workspace.backend.faults
        faults.methods.append(MethodFault(method="apps.connections.open", times=10_000, body="[]"))
        await sick.workspace.backend.sockets.disconnect("refresh_requested", abrupt=True)
        async with asyncio.timeout(60):
            while (found := process_finding(sick.environ)).state is State.OK:  # noqa: ASYNC110 -- read from a file
                await asyncio.sleep(0.02)
        assert "bot and worker (process" in found.says
        assert "the connection to Slack failed" in found.says
        assert "SlackUnreachable" in found.says
        faults.clear()
        async with asyncio.timeout(60):
            while process_finding(sick.environ).state is not State.OK:  # noqa: ASYNC110 -- read from a file
                await asyncio.sleep(0.02)
        await app.aclose()
        assert (await sick.findings())["processes"].says == "none runs with this data folder"


async def test_doctor_takes_no_scopes_for_missing_that_slack_does_not_name(database_url: URL, tmp_path: Path) -> None:
    async with patient(database_url, tmp_path) as healthy:
        answer = {"ok": True, "user": "greenlight", "team": "Local", "team_id": "T0LOCAL"}
        healthy.workspace.backend.faults.methods.append(
            MethodFault(method="auth.test", times=2, body=json.dumps(answer))
        )
        found = await healthy.findings()
        assert found["scopes"].state is State.OK
        assert found["scopes"].says.startswith("not checked")


def test_placeholder_for_a_key_is_left_in_the_models_name_and_every_key_is_masked() -> None:
    def told(key: str, model: str) -> str:
        given = {"OPENAI_API_KEY": key, "GREENLIGHT_MODEL": model}
        return report_redactor(given, Configuration()).hide(f"{model} with {key}")

    assert told("scripted", "scripted-model") == "scripted-model with scripted"
    assert told("sk-0123456789abcdef", "gpt-5") == "gpt-5 with [secret OPENAI_API_KEY]"
    assert told("sk-0123456789abcdef", "sk-0123456789abcdef") == "[secret OPENAI_API_KEY] with [secret OPENAI_API_KEY]"
    assert told("letmein", "gpt-5") == "gpt-5 with [secret OPENAI_API_KEY]"
