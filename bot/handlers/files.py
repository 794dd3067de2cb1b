"""The files of a thread: a modal, opened at the board, where a person looks into one or has it posted."""

import asyncio
import logging
from collections.abc import Mapping

from slack_bolt.context.ack.async_ack import AsyncAck

from agent.errors import AgentError, ArtifactMissing
from agent.ids import Tenant, ThreadId, UserId, thread_id, thread_parts
from agent.plan.files import FileRecord
from agent.ports import Artifacts, Files
from bot import wording
from bot.blocks.files import PAGE, SHOWN_CHARACTERS, file_beginning, files_page, loading, no_files
from bot.elements import Block, quoted
from bot.errors import BotError
from bot.payloads import FileClick, FilesClick, FilesPageClick, Payload
from bot.slack.client import WebApi
from bot.slack.membership import Principals
from sandbox.script import Json

_log = logging.getLogger(__name__)


class FilesHandler:
    """Shows files to those who may read them, which is looked up at each click. Keeps no state."""

    def __init__(self, files: Files, artifacts: Artifacts, principals: Principals, api: WebApi) -> None:
        self._files = files
        self._artifacts = artifacts
        self._principals = principals
        self._api = api

    async def on_files_click(self, ack: AsyncAck, body: Payload) -> None:
        """Open the modal at once, then fill it: a trigger lives three seconds, a database may take longer."""
        await ack()
        if (click := FilesClick.read(body)) is not None:
            tenant = (await self._principals.identity()).tenant
            opened = await self._api.write("views.open", trigger_id=click.trigger_id, view=loading())
            thread = thread_id(tenant, click.channel, click.root_ts)
            await self._fill(str(opened["view"]["id"]), await self._page(click.user, tenant, thread))

    async def on_page_click(self, ack: AsyncAck, body: Payload) -> None:
        """Turn to another page."""
        await ack()
        if (click := FilesPageClick.read(body)) is not None:
            tenant = (await self._principals.identity()).tenant
            after = "" if click.value == "-" else click.value
            await self._fill(click.view_id, await self._page(click.user, tenant, ThreadId(click.shown), after))

    async def on_file_click(self, ack: AsyncAck, body: Payload) -> None:
        """Show the beginning of a file in the modal, or post it in the thread."""
        await ack()
        if (click := FileClick.read(body)) is None:
            return
        tenant, thread = (await self._principals.identity()).tenant, ThreadId(click.shown)
        try:
            refusal = await self._refusal(click.user, tenant, thread, "read this")
            content = no_files(refusal) if refusal else await self._chosen(click, tenant, thread)
        except ArtifactMissing:
            content = no_files(wording.FILE_GONE)
        except (BotError, AgentError) as error:
            _log.warning("a file of %s could not be shown: %s", thread, type(error).__name__)
            content = no_files(wording.DETAILS_FAILED)
        await self._fill(click.view_id, content)

    async def _chosen(self, click: FileClick, tenant: Tenant, thread: ThreadId) -> Block:
        record = await self._files.find(thread, click.name)
        if record is None or record.evicted is not None:
            return no_files(wording.FILE_GONE)
        if record.denied_to(click.user) or (click.posts and record.origin.personal):
            return no_files(wording.FILE_NOT_YOURS)
        content = await self._artifacts.get(thread, record.digest)
        if not click.posts:
            text = await asyncio.to_thread(content[: 4 * SHOWN_CHARACTERS + 4].decode, errors="replace")
            return file_beginning(thread, record, text)
        await self._post(thread, record, content)
        return await self._page(click.user, tenant, thread, note=wording.file_posted(quoted(record.name)))

    async def _post(self, thread: ThreadId, record: FileRecord, content: bytes) -> None:
        """Upload a file into its thread."""
        _, channel, root_ts = thread_parts(thread)
        name = record.name.rpartition("/")[2]
        place = await self._api.read("files.getUploadURLExternal", filename=name, length=len(content))
        await self._api.upload(str(place.get("upload_url", "")), content)
        entry: Mapping[str, Json] = {"id": str(place.get("file_id", "")), "title": record.name}
        await self._api.write_once("files.completeUploadExternal", files=[entry], channel_id=channel, thread_ts=root_ts)

    async def _page(self, user: UserId, tenant: Tenant, thread: ThreadId, after: str = "", *, note: str = "") -> Block:
        try:
            if refusal := await self._refusal(user, tenant, thread, "read this"):
                return no_files(refusal)
            found = await self._files.listed(thread, after=after, most=PAGE + 1)
        except (BotError, AgentError):
            return no_files(wording.DETAILS_FAILED)
        return files_page(thread, found[:PAGE], user, more=len(found) > PAGE, first=not after, note=note)

    async def _refusal(self, user: UserId, tenant: Tenant, thread: ThreadId, what: str) -> str:
        """Return why a person sees nothing of a thread; empty when they may."""
        person = await self._principals.person(tenant, user)
        if not person.is_member:
            return wording.not_a_member(person.status, what)
        return "" if thread_parts(thread).tenant == tenant else wording.NO_FILES

    async def _fill(self, view_id: str, content: Block) -> None:
        await self._api.write("views.update", view_id=view_id, view=content)
