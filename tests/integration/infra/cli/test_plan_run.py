"""`greenlight plan run`: files run by the real executor, stores and sandbox; what is printed, and how it ends."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psycopg
import pytest
from psycopg import sql

from infra.cli.main import main
from infra.db.embedded_postgres import HeldPostgres

NUMBER = {
    "op": "add",
    "id": "number",
    "kind": "package",
    "title": "Number",
    "code": "def main(inputs):\n    return 3\n",
}
ASKED = {
    "op": "add",
    "id": "asked",
    "kind": "package",
    "title": "Add one",
    "inputs": {"n": "${number}"},
    "code": "def main(inputs):\n    return inputs['n'] + 1\n",
    "require_human_approval": True,
}
AFTER = {
    "op": "add",
    "id": "after",
    "kind": "package",
    "title": "Double",
    "inputs": {"n": "${asked}"},
    "code": "def main(inputs):\n    return inputs['n'] * 2\n",
}
ASIDE = {**NUMBER, "id": "aside", "depends_on": ["number"]}
BROKEN = {**NUMBER, "id": "broken", "code": "def main(inputs):\n    return 1 // 0\n"}
INSTEAD = {**NUMBER, "id": "instead", "depends_on": [{"id": "broken", "on": "failed"}]}
UNNEEDED = {**NUMBER, "id": "unneeded", "depends_on": [{"id": "number", "on": "failed"}]}


class Ended(NamedTuple):
    """How the command ended: its exit code, its lines and what it said on stderr."""

    code: int
    lines: list[dict[str, Any]]
    err: str

    @property
    def nodes(self) -> dict[str, str]:
        """Node id -> state, from the last line."""
        return self.lines[-1]["nodes"]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines if line["event"] == event]


Run: TypeAlias = Callable[..., Ended]


@pytest.fixture
def run(
    postgres: HeldPostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run operations with the options given; nothing but the embedded database is set up."""
    configuration = tmp_path / "greenlight.toml"
    configuration.write_text('sandbox = "monty"\n')
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GREENLIGHT_DATA", str(postgres.layout.data))
    monkeypatch.setenv("GREENLIGHT_CONFIG", str(configuration))

    def run(*operations: object, options: tuple[str, ...] = ()) -> Ended:
        path = tmp_path / "plan.jsonl"
        path.write_text("".join(json.dumps(operation) + "\n" for operation in operations))
        with pytest.raises(SystemExit) as ended:
            main(["plan", "run", str(path), *options])
        assert isinstance(ended.value.code, int)
        shown = capsys.readouterr()
        return Ended(ended.value.code, [json.loads(line) for line in shown.out.splitlines()], shown.err)

    return run


def test_an_approved_plan_runs_to_its_end(run: Run) -> None:
    ended = run(NUMBER, ASKED, AFTER, options=("--approve", "asked"))
    assert ended.code == 0
    assert ended.nodes == {"number": "succeeded", "asked": "succeeded", "after": "succeeded"}
    assert [line["operation"]["id"] for line in ended.of("planned")] == ["number", "asked", "after"]
    assert [line["args"] for line in ended.of("question")] == [{"n": 3}]
    assert [line["decision"] for line in ended.of("decision")] == ["approved"]
    states = [line["state"] for line in ended.of("changed") if line["node"] == "asked"]
    assert states == ["asking", "running", "succeeded"]
    assert ended.of("changed")[-1]["outcome"] == {"state": "succeeded", "value": 8}


def test_an_undecided_plan_parks_after_everything_else_is_done(run: Run) -> None:
    ended = run(ASKED, AFTER, ASIDE, NUMBER)
    assert ended.code == 3
    assert ended.lines[-1]["status"] == "parked"
    assert ended.nodes == {"number": "succeeded", "aside": "succeeded"}
    assert [(request["node"], request["args"], request["blocks"]) for request in ended.lines[-1]["open"]] == [
        ("asked", {"n": 3}, ["Double"])
    ]


def test_a_rejection_skips_what_depends_on_it_and_nothing_else(run: Run) -> None:
    ended = run(NUMBER, ASKED, AFTER, ASIDE, options=("--reject", "asked", "--approve-all"))
    assert ended.code == 1
    assert ended.nodes == {"number": "succeeded", "asked": "rejected", "after": "skipped", "aside": "succeeded"}


def test_what_is_decided_of_a_template_holds_for_its_items_unless_one_is_named(run: Run) -> None:
    names = {**NUMBER, "id": "names", "code": "def main(inputs):\n    return ['a', 'b', 'c', '']\n"}
    template = {**ASKED, "id": "each", "inputs": {"n": 1}, "for_each": "${names}", "when": "${item}"}
    ended = run(names, template, options=("--approve", "each", "--reject", "each-1"))
    assert ended.code == 1
    decided = {line["node"]: line["decision"] for line in ended.of("decision")}
    assert decided == {"each-0": "approved", "each-1": "rejected", "each-2": "approved"}
    items = {"each-0": "succeeded", "each-1": "rejected", "each-2": "succeeded", "each-3": "skipped"}
    assert ended.nodes == {"names": "succeeded", **items, "each": "failed"}
    assert run(names, template).code == 3


def test_a_failure_ends_with_1_even_when_a_fallback_follows(run: Run) -> None:
    ended = run(BROKEN, INSTEAD)
    assert ended.code == 1
    assert ended.nodes == {"broken": "failed", "instead": "succeeded"}
    assert [line["kind"] for line in ended.of("attempt") if line["node"] == "broken"] == ["error"]


def test_a_fallback_that_nobody_needed_is_no_failure(run: Run) -> None:
    ended = run(NUMBER, UNNEEDED)
    assert (ended.code, ended.nodes) == (0, {"number": "succeeded", "unneeded": "skipped"})


def test_a_plan_with_faults_is_not_run(run: Run) -> None:
    ended = run(NUMBER, NUMBER)
    assert ended.code == 1
    assert [line["code"] for line in ended.lines] == ["duplicate_id"]


@pytest.mark.parametrize(
    "options",
    [("--approve", "ghost"), ("--reject", "ghost"), ("--approve", "asked", "--reject", "asked")],
    ids=["approve-unknown", "reject-unknown", "both"],
)
def test_answers_that_do_not_fit_the_plan_are_refused_before_anything_runs(run: Run, options: tuple[str, ...]) -> None:
    ended = run(NUMBER, ASKED, options=options)
    assert (ended.code, ended.lines) == (2, [])
    assert options[-1] in ended.err


def _ownerless(postgres: HeldPostgres) -> list[str]:
    """Return the scratch databases without the connection of a running command; other test runs have theirs."""
    found = (
        "SELECT datname FROM pg_database WHERE starts_with(datname, 'scratch_')"
        " AND datname NOT IN (SELECT application_name FROM pg_stat_activity)"
    )
    with _admin(postgres) as admin:
        return [name for (name,) in admin.execute(found).fetchall()]


def _admin(postgres: HeldPostgres) -> psycopg.Connection:
    address = postgres.admin_url().set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def test_a_run_leaves_no_database_behind_not_even_a_killed_ones(run: Run, postgres: HeldPostgres) -> None:
    abandoned = sql.Identifier(f"scratch_{uuid.uuid4().hex}")
    with _admin(postgres) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER greenlight").format(abandoned))
    run(NUMBER)
    assert _ownerless(postgres) == []
