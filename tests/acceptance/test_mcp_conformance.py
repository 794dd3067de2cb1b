"""The protocol's own conformance suite for clients, run against ours; docs/mcp.md has its result."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.servers import HERE, NODE, node_modules

ROOT = Path(__file__).parents[2]
COUNTED = ("SUCCESS", "FAILURE", "WARNING")

OF_TIME = frozenset({"client-sse-retry-timing"})
"""Checks that a busy machine breaks."""

ROW = re.compile(r"^\| `((?:auth/)?[a-z0-9_-]+)` \| (\d{4}-\d\d-\d\d) \| (\d+) of (\d+) \|", re.MULTILINE)
DOCUMENTED = ROW.findall((ROOT / "docs" / "mcp.md").read_text())


def test_result_in_the_docs_covers_each_scenario_without_credentials() -> None:
    suite = node_modules() / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    listed = subprocess.run([NODE, suite, "list"], check=True, capture_output=True, text=True).stdout
    scenarios = re.findall(
        r"^  - (\S+) \[(.*)\]$", listed.partition("Client scenarios")[2].partition("\n\n")[0], re.MULTILINE
    )
    plain = {
        (name, version)
        for name, versions in scenarios
        if not name.startswith("auth/")
        for version in versions.split(",")
        if version in ("2025-11-25", "2026-07-28")
    }
    told = {(name, version) for name, version, *_ in DOCUMENTED if not name.startswith("auth/")}
    assert told == plain


@pytest.mark.parametrize(("scenario", "version", "passes", "checks"), DOCUMENTED)
async def test_client_passes_the_conformance_suite_as_the_docs_say(
    scenario: str, version: str, passes: str, checks: str, tmp_path: Path
) -> None:
    suite = node_modules() / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    client = f"{sys.executable} {HERE / 'conformance_client.py'}"
    options = ["--scenario", scenario, "--spec-version", version, "-o", tmp_path, "--timeout", "120000"]
    ran = await asyncio.to_thread(
        subprocess.run,
        [NODE, suite, "client", "--command", client, *options],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    checked = await asyncio.to_thread(_checked, tmp_path)
    counted = [status == "SUCCESS" or check in OF_TIME for check, status in checked]
    assert (f"{sum(counted)}", f"{len(counted)}") == (passes, checks), ran.stdout + ran.stderr


def _checked(folder: Path) -> list[tuple[str, str]]:
    """Return the id and the status of each check in the suite's report."""
    (file,) = folder.rglob("checks.json")
    return [(check["id"], check["status"]) for check in json.loads(file.read_text()) if check["status"] in COUNTED]
