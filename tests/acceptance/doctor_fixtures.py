"""A patient for the doctor: an environment in which nothing is missing, over real wires, for tests to spoil."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import URL

from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.scripted_model.script import Script
from infra.dev.scripted_model.server import MODEL_NAME, ScriptedModel
from infra.doctor.examination import examine
from infra.doctor.finding import Finding, State
from tests.acceptance.app_fixture import MANIFEST

MODEL_KEY = "sk-the-models-own-key"


@dataclass(kw_only=True)
class Patient:
    """Spoil `environ`, `workspace` or `configuration` (a TOML file), then look at `unwell`."""

    environ: dict[str, str]
    workspace: Workspace
    model: ScriptedModel
    configuration: Path

    async def findings(self) -> dict[str, Finding]:
        """Return check -> what the doctor finds now."""
        return {finding.check: finding for finding in await examine(self.environ)}

    async def unwell(self) -> dict[str, Finding]:
        """Return what is to be mended; each of it says how."""
        found = {check: finding for check, finding in (await self.findings()).items() if finding.state is not State.OK}
        assert all(finding.says and finding.mend for finding in found.values()), found
        return found


def app_without(*, scopes: Iterable[str] = (), app_token_scopes: Iterable[str] = ()) -> InstalledApp:
    """Return the app of the manifest, installed without these scopes."""
    whole = InstalledApp.from_manifest(MANIFEST)
    return replace(
        whole, scopes=whole.scopes - set(scopes), app_token_scopes=whole.app_token_scopes - set(app_token_scopes)
    )


@asynccontextmanager
async def patient(
    url: URL, folder: Path, *, app: InstalledApp | None = None, says: Script | None = None
) -> AsyncGenerator[Patient]:
    """Give a healthy patient. `app` is another installation in Slack, `says` what the model does instead."""
    async with AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(Workspace(app=app or app_without(), rate_limits=False))
        model = await stack.enter_async_context(
            ScriptedModel([says or Script(role="answer", answer="ok")], api_key=MODEL_KEY)
        )
        configuration = folder / "greenlight.toml"
        configuration.write_text('sandbox = "monty"\n')
        environ = {
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_API_URL": workspace.api_url,
            "OPENAI_API_KEY": MODEL_KEY,
            "OPENAI_BASE_URL": await model.start(),
            "GREENLIGHT_MODEL": MODEL_NAME,
            "DATABASE_URL": url.render_as_string(hide_password=False),
            "GREENLIGHT_DATA": str(folder / "data"),
            "GREENLIGHT_CONFIG": str(configuration),
        }
        yield Patient(environ=environ, workspace=workspace, model=model, configuration=configuration)
