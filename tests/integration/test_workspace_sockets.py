"""Socket Mode at the level of websockets: who gets an envelope, what an acknowledgement is, what comes again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from infra.dev.local_slack.control.client import Happenings, WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp

Json = dict[str, Any]


class Socket:
    """One websocket of an app that acknowledges only what it is told to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Json:
        return await self.socket.receive_json(timeout=30)

    async def ack(self, envelope: Json) -> None:
        await self.socket.send_json({"envelope_id": envelope["envelope_id"]})


class Opener:
    """Opens websockets the way an app does."""

    def __init__(self, workspace: Workspace, session: aiohttp.ClientSession) -> None:
        self.workspace = workspace
        self.session = session

    async def address(self) -> str:
        headers = {"Authorization": f"Bearer {self.workspace.app_token}"}
        async with self.session.post(f"{self.workspace.api_url}apps.connections.open", headers=headers) as response:
            return str((await response.json())["url"])

    async def open(self) -> Socket:
        socket = Socket(await self.session.ws_connect(await self.address()))
        assert (await socket.next())["type"] == "hello"
        return socket


async def happened(happenings: Happenings, type: str) -> Json:
    """The next happening of a type."""
    async with asyncio.timeout(30):
        while (told := await happenings.next())["type"] != type:
            pass
    return told


@pytest.fixture
def ack_seconds() -> float:
    """Patient, so that a busy machine loses no acknowledgement; tests of lost ones say `impatient`."""
    return 30.0


impatient = pytest.mark.parametrize("ack_seconds", [1.0])


@pytest.fixture
async def workspace(ack_seconds: float) -> AsyncIterator[Workspace]:
    async with Workspace(rate_limits=False, ack_seconds=ack_seconds, retry_delays=(0.0, 3600.0)) as running:
        yield running


@pytest.fixture
async def people(workspace: Workspace) -> AsyncIterator[WorkspaceClient]:
    async with WorkspaceClient(workspace.base_url) as client:
        yield client


@pytest.fixture
async def app(workspace: Workspace) -> AsyncIterator[Opener]:
    async with aiohttp.ClientSession() as session:
        yield Opener(workspace, session)


async def test_address_opens_one_websocket_only(app: Opener) -> None:
    address = await app.address()
    await app.session.ws_connect(address)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await app.session.ws_connect(address)


async def test_envelope_goes_to_one_socket(app: Opener, people: WorkspaceClient) -> None:
    sockets = [await app.open(), await app.open()]
    for word in ("one", "two"):
        await people.post("Ada", "#ops", word)
    envelopes = [await socket.next() for socket in sockets]
    for socket, envelope in zip(sockets, envelopes, strict=True):
        await socket.ack(envelope)
    assert {envelope["payload"]["event"]["text"] for envelope in envelopes} == {"one", "two"}


@impatient
async def test_unacknowledged_event_comes_again_with_its_id_count_and_reason(
    app: Opener, people: WorkspaceClient
) -> None:
    socket = await app.open()
    async with people.happenings(since=0) as happenings:
        await people.post("Ada", "#ops", "hello?")
        first, second = await socket.next(), await socket.next()
        for _ in range(2):
            await happened(happenings, "event_unacknowledged")
    await people.act("clock", seconds=3601)
    third = await socket.next()
    await socket.ack(third)
    tries = [first, second, third]
    assert len({envelope["payload"]["event_id"] for envelope in tries}) == 1
    assert len({envelope["envelope_id"] for envelope in tries}) == 3
    assert [envelope["retry_attempt"] for envelope in tries] == [0, 1, 2]
    assert [envelope["retry_reason"] for envelope in tries] == ["", "timeout", "timeout"]


async def test_event_without_any_socket_waits_for_the_app_to_come_back(app: Opener, people: WorkspaceClient) -> None:
    ts = await people.post("Ada", "#ops", "anybody?")
    socket = await app.open()
    envelope = await socket.next()
    assert envelope["payload"]["event"]["ts"] == ts


@impatient
async def test_event_nobody_ever_acknowledges_is_given_up(app: Opener, people: WorkspaceClient) -> None:
    await app.open()
    async with people.happenings(since=0) as happenings:
        await people.post("Ada", "#ops", "hello?")
        for _ in range(2):
            await happened(happenings, "event_unacknowledged")
        await people.act("clock", seconds=3601)
        given_up = await happened(happenings, "event_given_up")
    assert (await people.read("calls"))["given_up"] == [given_up["event_id"]]


@impatient
async def test_late_and_second_acknowledgements_are_complained_about(app: Opener, people: WorkspaceClient) -> None:
    socket = await app.open()
    async with people.happenings(since=0) as happenings:
        await people.post("Ada", "#ops", "hello?")
        first, second = await socket.next(), await socket.next()
        await socket.ack(second)
        await happened(happenings, "event_acknowledged")
        await socket.ack(first)
        await socket.ack(second)
        await people.post("Ada", "#ops", "and now?")
        await socket.ack(await socket.next())
        await happened(happenings, "event_acknowledged")
    assert len((await people.dump())["complaints"]) == 2


async def test_eleventh_socket_is_turned_away(app: Opener) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            stack.push_async_callback((await app.open()).socket.close)
        socket = Socket(await app.session.ws_connect(await app.address()))
        assert await socket.next() == {"type": "disconnect", "reason": "too_many_websockets"}


async def test_refreshed_socket_gets_nothing_new_but_may_still_acknowledge(
    app: Opener, people: WorkspaceClient
) -> None:
    old = await app.open()
    await people.post("Ada", "#ops", "before")
    before = await old.next()
    assert (await people.act("sockets/disconnect", reason="refresh_requested"))["connections"] == 1
    assert (await old.next())["reason"] == "refresh_requested"
    await old.ack(before)
    new = await app.open()
    await people.post("Ada", "#ops", "after")
    assert (await new.next())["payload"]["event"]["text"] == "after"


async def test_cut_socket_makes_the_event_come_again(app: Opener, people: WorkspaceClient) -> None:
    first = await app.open()
    await people.post("Ada", "#ops", "hello?")
    seen = await first.next()
    second = await app.open()
    await first.socket.close()
    again = await second.next()
    await second.ack(again)
    assert again["payload"]["event_id"] == seen["payload"]["event_id"]


@pytest.mark.parametrize(("fresh", "ids"), [(False, 1), (True, 3)], ids=["same id", "fresh ids"])
async def test_event_can_be_delivered_several_times(
    app: Opener, people: WorkspaceClient, fresh: bool, ids: int
) -> None:
    socket = await app.open()
    await people.act("deliveries", match="message", repeat=2, fresh_id=fresh)
    await people.post("Ada", "#ops", "hello")
    envelopes: list[Json] = []
    for _ in range(3):
        envelopes.append(await socket.next())
        await socket.ack(envelopes[-1])
    assert len({envelope["payload"]["event_id"] for envelope in envelopes}) == ids


async def heard(socket: Socket, count: int) -> list[Json]:
    events: list[Json] = []
    for _ in range(count):
        envelope = await socket.next()
        await socket.ack(envelope)
        events.append(envelope["payload"]["event"])
    return events


async def test_edits_deletes_and_own_messages_are_told_as_slack_tells_them(
    app: Opener, people: WorkspaceClient
) -> None:
    socket = await app.open()
    ts = await people.post("Ada", "#ops", "one")
    await people.act("messages/edit", user="Ada", channel="#ops", ts=ts, text="two")
    await people.act("messages/delete", user="Ada", channel="#ops", ts=ts)
    posted, changed, deleted = await heard(socket, 3)
    assert (posted["user"], posted["channel_type"], "subtype" in posted) == ("U0ADA", "channel", False)
    assert (changed["subtype"], changed["message"]["text"], changed["previous_message"]["text"]) == (
        "message_changed",
        "two",
        "one",
    )
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)
    headers = {"Authorization": f"Bearer {app.workspace.bot_token}"}
    form = {"channel": "C0OPS", "text": "ours"}
    async with app.session.post(f"{app.workspace.api_url}chat.postMessage", data=form, headers=headers):
        [own] = await heard(socket, 1)
    assert (own["bot_id"], own["user"]) == ("B0GREENLIGHT", "U0GREENLIGHT")


async def test_direct_message_is_message_im_and_no_mention(app: Opener, people: WorkspaceClient) -> None:
    socket = await app.open()
    await people.post("Ada", "@app", "@Greenlight in private")
    await people.post("Ada", "#general", "in public")
    private, public = await heard(socket, 2)
    assert (private["channel_type"], private["channel"]) == ("im", "D0ADA")
    assert (public["type"], public["channel"]) == ("message", "C0GENERAL")


async def test_app_hears_nothing_of_channels_it_is_not_in(app: Opener, people: WorkspaceClient) -> None:
    socket = await app.open()
    await people.post("Ada", "#finance", "@Greenlight secret")
    await people.post("Ada", "#ops", "open")
    assert [event["text"] for event in await heard(socket, 1)] == ["open"]


async def test_only_subscribed_events_are_sent(people: WorkspaceClient) -> None:
    _ = people
    manifest = replace(InstalledApp(), bot_events=frozenset({"app_mention"}))
    async with (
        Workspace(app=manifest) as workspace,
        aiohttp.ClientSession() as session,
        WorkspaceClient(workspace.base_url) as there,
    ):
        socket = await Opener(workspace, session).open()
        await there.post("Ada", "#ops", "unheard")
        await there.post("Ada", "#ops", "@Greenlight heard")
        [event] = await heard(socket, 1)
        assert (event["type"], "heard" in event["text"]) == ("app_mention", True)


async def test_person_of_another_organisation_is_told_apart(app: Opener, people: WorkspaceClient) -> None:
    socket = await app.open()
    await people.post("Olga", "#partners", "hello from outside")
    envelope = await socket.next()
    await socket.ack(envelope)
    body = envelope["payload"]
    assert (body["team_id"], body["is_ext_shared_channel"]) == ("T0LOCAL", True)
    assert (body["event"]["user_team"], body["event"]["team"]) == ("T0OTHER", "T0OTHER")
