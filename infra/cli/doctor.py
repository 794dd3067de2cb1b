"""`greenlight doctor`: what is missing or wrong here, and how to fix it."""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from infra.config.environment import ENV_FILE, EnvFileUnusable, filled_environment
from infra.doctor.examination import examine
from infra.doctor.finding import Finding, State, healthy, ok, wrong

SETTINGS = "settings"
SOMETHING_TO_FIX = 2


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """List what is missing or wrong here, and how to fix it. Exit 0: nothing; 2: something.

    Tries the tokens, the database and the model; changes nothing in Slack and prints no secret. Reads `.env` in this
    folder like the other commands; a variable that is set in the environment comes first.
    """
    logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
    findings = [_env_file(), *asyncio.run(examine(os.environ))]
    typer.echo(_json(findings) if as_json else "\n".join(_lines(findings)))
    if not healthy(findings):
        raise typer.Exit(SOMETHING_TO_FIX)


def _env_file() -> Finding:
    """Return the finding on `.env`, after adding its variables to the environment."""
    try:
        filled_environment()
    except EnvFileUnusable as error:
        return wrong(
            SETTINGS, str(error), "Correct it; .env.example shows every name. Until then the whole file is ignored."
        )
    return ok(
        SETTINGS, f"{ENV_FILE} and the environment" if ENV_FILE.exists() else f"the environment; no {ENV_FILE} here"
    )


def _json(findings: Sequence[Finding]) -> str:
    return json.dumps(
        {"ok": healthy(findings), "findings": [asdict(finding) for finding in findings]}, ensure_ascii=False
    )


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.check:<14} {finding.says}")
        if finding.mend:
            lines.append(f"{'':<24}How to fix it: {finding.mend}")
    to_fix = sum(finding.state is not State.OK for finding in findings)
    return [*lines, "", f"{to_fix} to fix." if to_fix else "Everything is there."]
