"""The audit of a real run: exported, checked by the app and by a file that stands alone, and equal to what happened."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered_and_done, rows, whispers
from tests.acceptance.clicks import decide, open_calls
from tests.acceptance.plans import ANSWERS, ENDS, planned, tool

VERIFIER = Path(__file__).parents[2] / "docs" / "verify_audit.py"
NAMES = ("one", "two", "three")


def greenlight(scene: AppScene, *arguments: str, command: str = "audit") -> subprocess.CompletedProcess[str]:
    """Run `greenlight audit`, or another command, as the operator would, in an empty folder."""
    address = scene.url.set(drivername="postgresql").render_as_string(hide_password=False)
    variables = {"PATH": os.environ["PATH"], "DATABASE_URL": address, "GREENLIGHT_DATA": str(scene.settings.data)}
    whole = [sys.executable, "-c", "from infra.cli.main import main; main()", command, *arguments]
    return subprocess.run(
        whole, env=variables, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )


def verified(export: Path, key: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier as a stranger would: with the file, the export and the key alone."""
    command = [sys.executable, "-I", str(VERIFIER), str(export), "--key", key, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=export.parent)


async def red_work(scene: AppScene) -> None:
    """Have Ada ask for three changes; she is refused, Grace approves two and rejects one."""
    sends = [
        tool(name, "http_request", {"method": "POST", "url": f"{scene.effects.url}/{name}", "text": name})
        for name in NAMES
    ]
    scene.model.add(planned(*sends))
    async with scene.asked("change them") as observer:
        await observer.until(lambda seen: len(open_calls(seen)) == len(NAMES), "the calls")
        await decide(scene, observer, "Ada", "approved", "Title of one")
        while not await whispers(scene, "U0ADA"):
            await observer.until(lambda _: True, "the refusal")
        for name, action in zip(NAMES, ("approved", "rejected", "approved"), strict=True):
            await decide(scene, observer, "Grace", action, f"Title of {name}")
        await observer.until(answered_and_done, "the answer")


def configured(data: Path) -> Any:
    def configure(table: dict[str, Any]) -> None:
        table["tools"]["http_request"] = {"known": {"effects": "http://127.0.0.1"}, "allow_private": True}
        table["worker"] = {"sweep": 0.1}
        table["audit"] = {"seal_minutes": 0.005, "heads_file": str(data / "heads.jsonl")}

    return configure


async def test_the_audit_of_a_run_is_exported_and_proves_every_effect(database_url: URL, tmp_path: Path) -> None:
    alone: dict[str, object] = {"http_request": {"self_approval": False}}
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], approvals=alone, configuration=configured(tmp_path)
    ) as scene:
        await red_work(scene)
        happened = sum(scene.effects.calls[name] for name in NAMES)
        heads = tmp_path / "heads.jsonl"
        async with scene.asked("wait for the seal") as observer:  # any other message: the worker seals meanwhile
            await observer.until(lambda _: heads.exists(), "a published head")
        await scene.close()
    key = greenlight(scene, "key").stdout.strip()
    for written in ("jsonl", "csv"):
        exported = greenlight(scene, "export", "--format", written)
        assert exported.returncode == 0, exported.stderr
        export = tmp_path / f"audit.{written}"
        export.write_text(exported.stdout)
        for found in (
            verified(export, key, "--heads", str(heads)),
            greenlight(scene, "verify", str(export), "--heads", str(heads)),
        ):
            assert (found.returncode, found.stderr) == (0, "")
            assert "2 red calls" in found.stdout
        export.write_text(exported.stdout.replace("rejected", "approved", 1))
        assert verified(export, key).returncode == 1
        assert greenlight(scene, "verify", str(export)).returncode == 1
    checked = greenlight(scene, "verify")
    assert (checked.returncode, checked.stderr) == (0, "")

    started = await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'started'")
    ledger = await rows(database_url, "SELECT count(*) FROM ledger WHERE state = 'done'")
    assert happened == 2
    assert started == ledger == [(happened,)]
    events = {event for (event,) in await rows(database_url, "SELECT DISTINCT event FROM audit")}
    assert events == {"planned", "asked", "posted", "refused", "decided", "started", "finished", "sealed"}
    clicks = await rows(
        database_url,
        "SELECT by, details ->> 'place' <> '' FROM audit WHERE event IN ('refused', 'decided') ORDER BY id",
    )
    assert clicks == [("U0ADA", True), *[("U0GRACE", True)] * 3]


async def test_a_person_is_forgotten_and_the_proof_stands(database_url: URL, tmp_path: Path) -> None:
    alone: dict[str, object] = {"http_request": {"self_approval": False}}
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], approvals=alone, configuration=configured(tmp_path)
    ) as scene:
        await red_work(scene)
        heads = tmp_path / "heads.jsonl"
        async with scene.asked("wait for the seal") as observer:
            await observer.until(lambda _: heads.exists(), "a published head")
        await scene.close()
    key = greenlight(scene, "key").stdout.strip()
    assert greenlight(scene, "forget", "U0GRACE").stdout == "3 rows no longer name U0GRACE.\n"
    exported = greenlight(scene, "export").stdout
    assert "U0GRACE" not in exported
    people = {json.loads(line).get("person") for line in exported.splitlines()}
    assert len(people - {None}) == 2
    export = tmp_path / "audit.jsonl"
    export.write_text(exported)
    found = verified(export, key)
    assert (found.returncode, found.stderr) == (0, "")
    assert "2 red calls" in found.stdout


@pytest.mark.parametrize("arguments", [("export",), ("verify",), ("key",)], ids=" ".join)
async def test_an_installation_without_an_audit_or_key_says_so(
    arguments: tuple[str, ...], database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [], started=False) as scene:
        found = greenlight(scene, *arguments)
    assert found.returncode == 2
    assert found.stderr.strip()
    assert "Traceback" not in found.stderr
