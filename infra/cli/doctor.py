"""`greenlight doctor`: what is missing or wrong here, and how to mend it."""

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
SOMETHING_TO_MEND = 2

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Say what is missing or wrong here, and how to mend it. Exit 0: nothing; 2: something.

    Tries the tokens, the database and the model for real; changes nothing in Slack. No secret is printed.
    Like the commands it speaks for it reads `.env` here; what the environment says itself goes before it.
    """
    logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
    findings = [_env_file(), *asyncio.run(examine(os.environ))]
    typer.echo(_json(findings) if as_json else "\n".join(_lines(findings)))
    if not healthy(findings):
        raise typer.Exit(SOMETHING_TO_MEND)


def _env_file() -> Finding:
    """Return how the settings file stands, after putting what it says into the environment."""
    try:
        filled_environment()
    except EnvFileUnusable as error:
        return wrong(SETTINGS, str(error), "Correct it; .env.example shows every name. Until then none of it counts.")
    return ok(
        SETTINGS, f"{ENV_FILE} and the environment" if ENV_FILE.exists() else f"the environment; no {ENV_FILE} here"
    )


def _json(findings: Sequence[Finding]) -> str:
    return json.dumps({"ok": healthy(findings), "findings": [asdict(each) for each in findings]}, ensure_ascii=False)


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    for each in findings:
        lines.append(f"{each.state:<8} {each.check:<14} {each.says}")
        if each.mend:
            lines.append(f"{'':<24}How to mend it: {each.mend}")
    to_mend = [each for each in findings if each.state is not State.OK]
    return [*lines, "", f"{len(to_mend)} to mend." if to_mend else "Everything is there."]
