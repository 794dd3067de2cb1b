"""The red `save_runbook`: writes a runbook into the folder; its card shows the difference that a person approves."""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.ids import ToolName
from agent.preview import FileEdit, FilesPreview, Preview
from agent.runbooks import LONGEST, SAVE_RUNBOOK, NotARunbook, read_runbook
from agent.tool import CallContext, Colour, Tool, ToolError, WorldChanged
from sandbox.script import Json


def save_runbook(folder: Path) -> Tool:
    """Return the tool for a folder of runbooks."""
    writer = _Writer(folder)
    return Tool(
        name=ToolName(SAVE_RUNBOOK),
        description="Save a runbook: Markdown that begins with front matter (name, description) between lines of ---. "
        "before is what its file holds now; a new one has none. Only when a person asks for a runbook.",
        arguments={
            "type": "object",
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
                "before": {"type": "string", "maxLength": LONGEST, "default": ""},
                "after": {"type": "string", "minLength": 1, "maxLength": LONGEST},
            },
            "required": ["name", "after"],
            "additionalProperties": False,
        },
        colour=Colour.RED,
        call=writer.call,
        check=writer.check,
        targets=("name", "before", "after"),
        preview=_preview,
    )


async def kept_text(folder: Path, name: str) -> str:
    """Return what the file of a runbook in the folder holds; empty: there is none.

    Raises:
        ToolError: it cannot be read.
    """
    return await asyncio.to_thread(_Writer(folder).present, name)


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    """Show an edit, or a new file, of which all lines are added."""
    before, after = str(arguments.get("before", "")), str(arguments["after"])
    edit = FileEdit(path=f"{arguments['name']}.md", before=before or None, after=after)
    return [FilesPreview(covers=("before", "after") if before else ("after",), edits=(edit,))]


class _Writer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def check(self, _context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse what is no runbook, and one that would replace something else than it says."""
        name, after = str(arguments["name"]), str(arguments["after"])
        try:
            if read_runbook(after, name).name != name:
                raise ToolError("bad_runbook", "the name in the front matter is another one")
        except NotARunbook as error:
            raise ToolError("bad_runbook", str(error)) from error
        if await asyncio.to_thread(self.present, name) != str(arguments.get("before", "")):
            raise ToolError("changed_since", "its file does not hold what before says")

    async def call(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Replace the file as a whole, if it still is as the card showed."""
        name = str(arguments["name"])
        await self.check(context, arguments)
        context.check_not_late()
        try:
            await asyncio.to_thread(self._replace, name, str(arguments.get("before", "")), str(arguments["after"]))
        except OSError as error:
            raise ToolError("unwritable", "the folder of runbooks cannot be written to; nothing changed") from error
        return {"name": name, "file": f"{name}.md"}

    def present(self, name: str) -> str:
        """Return what the file of a runbook holds; empty: there is none."""
        try:
            return (self._folder / f"{name}.md").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ToolError("unreadable", "its file cannot be read") from error

    def _replace(self, name: str, before: str, after: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=self._folder, prefix=f".{name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(after)
            if self.present(name) != before:
                raise WorldChanged
            Path(written).replace(self._folder / f"{name}.md")
        finally:
            Path(written).unlink(missing_ok=True)
