"""What people do: clicks on what is there, commands, modals, answers to response_urls, the Stop button."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.local_slack.state.installed_app import InstalledApp, Shortcut

Json = dict[str, Any]
Api = Callable[..., Awaitable[Json]]


class App:
    """An app on one websocket: acknowledges everything with `answer`, and keeps the payloads."""

    def __init__(self, workspace: Workspace, session: aiohttp.ClientSession) -> None:
        self.workspace = workspace
        self.session = session
        self.answer: Json | None = None
        self.silent = False
        self.payloads: asyncio.Queue[Json] = asyncio.Queue()

    async def api(self, method: str, *, token: str | None = None, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {token or self.workspace.bot_token}"}
        async with self.session.post(self.workspace.api_url + method, json=arguments, headers=headers) as response:
            return await response.json()

    async def respond(self, response_url: str, **body: Any) -> tuple[int, str]:
        async with self.session.post(response_url, json=body) as response:
            return response.status, await response.text()

    async def serve(self) -> None:
        opened = await self.api("apps.connections.open", token=self.workspace.app_token)
        async with self.session.ws_connect(opened["url"]) as socket:
            async for message in socket:
                envelope = message.json()
                if "envelope_id" not in envelope:
                    continue
                await self.payloads.put(envelope["payload"])
                if not self.silent:
                    payload = {"payload": self.answer} if self.answer else {}
                    await socket.send_json({"envelope_id": envelope["envelope_id"], **payload})

    async def next(self, type: str | None = None) -> Json:
        """The next payload that is no event (of that type)."""
        while True:
            payload = await asyncio.wait_for(self.payloads.get(), 30)
            if payload.get("type") != "event_callback" and type in (None, payload.get("type")):
                return payload


@pytest.fixture
def ack_seconds() -> float:
    """Patient, so that a busy machine loses no acknowledgement; tests of lost ones say `impatient`."""
    return 30.0


impatient = pytest.mark.parametrize("ack_seconds", [0.3])


@pytest.fixture
async def workspace(ack_seconds: float) -> AsyncIterator[Workspace]:
    app = replace(InstalledApp(), shortcuts=(Shortcut(callback_id="stop", name="Stop"),))
    async with Workspace(app=app, rate_limits=False, ack_seconds=ack_seconds) as running:
        yield running


@pytest.fixture
async def app(workspace: Workspace) -> AsyncIterator[App]:
    async with aiohttp.ClientSession() as session:
        running = App(workspace, session)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(running.serve())
            yield running
            serving.cancel()


@pytest.fixture
async def people(workspace: Workspace) -> AsyncIterator[WorkspaceClient]:
    async with WorkspaceClient(workspace.base_url) as client:
        yield client


def button(action_id: str, value: str) -> Json:
    return {"type": "button", "action_id": action_id, "value": value, "text": {"type": "plain_text", "text": value}}


def card(*buttons: Json) -> list[Json]:
    return [{"type": "actions", "block_id": "b", "elements": list(buttons)}]


MODAL: Json = {
    "type": "modal",
    "callback_id": "m",
    "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Title"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why?"},
            "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "because"},
        }
    ],
}


async def clicked(app: App, people: WorkspaceClient, user: str = "Ada", channel: str = "C0OPS") -> tuple[str, Json]:
    """A card of the app that `user` clicked: its ts and the payload."""
    ts = (await app.api("chat.postMessage", channel=channel, text="card", blocks=card(button("go", "1"))))["ts"]
    await people.click(user, channel, ts, "go")
    return ts, await app.next("block_actions")


async def test_button_of_an_older_version_cannot_be_clicked(app: App, people: WorkspaceClient) -> None:
    ts = (await app.api("chat.postMessage", channel="C0OPS", text="card", blocks=card(button("go", "1"))))["ts"]
    await app.api("chat.update", channel="C0OPS", ts=ts, text="card", blocks=card(button("go", "2")))
    with pytest.raises(ControlError, match="action_not_found"):
        await people.click("Ada", "#ops", ts, "go", value="1")
    assert await people.click("Ada", "#ops", ts, "go", value="2")


async def test_outsider_of_a_channel_cannot_click(app: App, people: WorkspaceClient) -> None:
    ts = (await app.api("chat.postMessage", channel="C0INCIDENTS", text="x", blocks=card(button("go", "1"))))["ts"]
    with pytest.raises(ControlError, match="not_in_channel"):
        await people.click("Gus", "#incidents", ts, "go")


async def test_click_from_another_organisation_carries_its_team(app: App, people: WorkspaceClient) -> None:
    _, payload = await clicked(app, people, "Olga", "C0PARTNERS")
    assert (payload["user"]["team_id"], payload["team"]["id"]) == ("T0OTHER", "T0OTHER")
    assert payload["message"]["team"] == "T0LOCAL"


@impatient
async def test_click_nobody_acknowledges_is_told_to_the_person(app: App, people: WorkspaceClient) -> None:
    app.silent = True
    ts = (await app.api("chat.postMessage", channel="C0OPS", text="card", blocks=card(button("go", "1"))))["ts"]
    async with people.happenings(user="U0ADA") as happenings:
        assert not await people.click("Ada", "#ops", ts, "go")
        while (told := await happenings.next())["type"] != "notice":
            pass
    assert "did not respond" in told["text"]


async def test_click_on_an_ephemeral_message_can_replace_it(app: App, people: WorkspaceClient) -> None:
    told = await app.api("chat.postEphemeral", channel="C0OPS", user="U0ADA", text="x", blocks=card(button("go", "1")))
    with pytest.raises(ControlError, match="message_not_found"):
        await people.click("Grace", "#ops", told["message_ts"], "go")
    await people.click("Ada", "#ops", told["message_ts"], "go")
    payload = await app.next("block_actions")
    assert payload["container"]["is_ephemeral"]
    assert "message" not in payload
    assert await app.respond(payload["response_url"], text="done", replace_original=True) == (200, "ok")
    assert [one["message"]["text"] for one in (await people.dump())["ephemerals"]] == ["done"]
    assert (await app.respond(payload["response_url"], delete_original=True))[0] == 200
    assert (await people.dump())["ephemerals"] == []


async def test_response_url_is_strict_and_used_up_after_five(app: App, people: WorkspaceClient) -> None:
    _, payload = await clicked(app, people)
    url = payload["response_url"]
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    status, text = await app.respond(url, text="x", blocks=[long])
    assert (status, "invalid_blocks" in text) == (400, True)
    for _ in range(4):
        assert (await app.respond(url, text="again"))[0] == 200
    assert (await app.respond(url, text="again"))[0] == 404


async def test_trigger_opens_one_modal_within_three_seconds(app: App, people: WorkspaceClient) -> None:
    _, payload = await clicked(app, people)
    assert (await app.api("views.open", trigger_id=payload["trigger_id"], view=MODAL))["ok"]
    again = await app.api("views.open", trigger_id=payload["trigger_id"], view=MODAL)
    assert again["error"] == "exchanged_trigger_id"
    _, payload = await clicked(app, people)
    await people.act("clock", seconds=4)
    late = await app.api("views.open", trigger_id=payload["trigger_id"], view=MODAL)
    assert late["error"] == "expired_trigger_id"


async def opened(app: App, people: WorkspaceClient) -> Json:
    _, payload = await clicked(app, people)
    return (await app.api("views.open", trigger_id=payload["trigger_id"], view=MODAL))["view"]


async def test_submission_carries_the_state_and_updates_the_view(app: App, people: WorkspaceClient) -> None:
    view = await opened(app, people)
    title = {"type": "plain_text", "text": "Thanks"}
    thanks = {"type": "modal", "title": title, "blocks": [{"type": "divider"}]}
    app.answer = {"response_action": "update", "view": thanks}
    assert (await people.act("views/submit", user="Ada", values={}))["accepted"]
    payload = await app.next("view_submission")
    assert payload["view"]["id"] == view["id"]
    assert payload["view"]["state"]["values"]["why"]["text"] == {"type": "plain_text_input", "value": "because"}
    assert [told["title"]["text"] for told in (await people.dump())["views"]["U0ADA"]] == ["Thanks"]


@pytest.mark.parametrize(
    ("block", "state", "words"),
    [
        ("count", {"value": "many"}, "Please enter a valid number."),
        ("count", {"value": "1.5"}, "Please enter a valid number."),
        ("count", {"value": "7"}, "Please enter a valid number."),
        ("count", {"value": "3"}, ""),
    ],
)
async def test_a_number_is_checked_before_it_is_submitted(
    block: str, state: Json, words: str, app: App, people: WorkspaceClient
) -> None:
    _, payload = await clicked(app, people)
    number = {"type": "number_input", "action_id": "n", "is_decimal_allowed": False, "max_value": "5"}
    field = {"type": "input", "block_id": block, "label": {"type": "plain_text", "text": "How many"}, "element": number}
    view = {**MODAL, "blocks": [field]}
    assert (await app.api("views.open", trigger_id=payload["trigger_id"], view=view))["ok"]
    told = await people.act("views/submit", user="Ada", values={block: {"n": state}})
    assert told["errors"] == ({block: words} if words else {})


async def test_only_options_that_are_offered_are_chosen(app: App, people: WorkspaceClient) -> None:
    _, payload = await clicked(app, people)
    option = {"text": {"type": "plain_text", "text": "One"}, "value": "1"}
    menu = {"type": "static_select", "action_id": "m", "options": [option]}
    field = {"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "Which"}, "element": menu}
    assert (await app.api("views.open", trigger_id=payload["trigger_id"], view={**MODAL, "blocks": [field]}))["ok"]
    chosen = {"selected_option": {**option, "value": "2"}}
    with pytest.raises(ControlError, match="no such option"):
        await people.act("views/submit", user="Ada", values={"b": {"m": chosen}})


async def test_errors_for_blocks_that_are_no_inputs_are_refused(app: App, people: WorkspaceClient) -> None:
    await opened(app, people)
    app.answer = {"response_action": "errors", "errors": {"nowhere": "x"}}
    told = await people.act("views/submit", user="Ada", values={})
    assert (told["accepted"], list(told["errors"])) == (False, [""])
    assert any("block_ids" in line for line in (await people.dump())["complaints"])


async def test_modal_is_closed_by_a_submission_and_replaced_by_the_next_one(app: App, people: WorkspaceClient) -> None:
    await opened(app, people)
    view = await opened(app, people)
    assert [modal["id"] for modal in (await people.dump())["views"]["U0ADA"]] == [view["id"]]
    app.answer = {"response_action": "push", "view": MODAL}
    assert not (await people.act("views/submit", user="Ada", values={}))["accepted"]
    app.answer = {"response_action": "clear"}
    assert (await people.act("views/submit", user="Ada", values={}))["accepted"]
    assert (await people.dump())["views"] == {}


async def test_closed_view_is_told_when_asked_for(app: App, people: WorkspaceClient) -> None:
    view = await opened(app, people)
    await people.act("views/close", user="Ada")
    payload = await app.next("view_closed")
    assert (payload["view"]["id"], payload["is_cleared"]) == (view["id"], False)


async def test_update_with_an_old_hash_is_refused(app: App, people: WorkspaceClient) -> None:
    view = await opened(app, people)
    assert (await app.api("views.update", view_id=view["id"], hash=view["hash"], view=MODAL))["ok"]
    again = await app.api("views.update", view_id=view["id"], hash=view["hash"], view=MODAL)
    assert again["error"] == "hash_conflict"
    assert (await app.api("views.update", view_id="V0NONE", view=MODAL))["error"] == "not_found"


async def test_home_tab_is_published_and_its_button_reports(app: App, people: WorkspaceClient) -> None:
    home = {"type": "home", "blocks": card(button("refresh", "now"))}
    view = (await app.api("views.publish", user_id="U0ADA", view=home))["view"]
    await people.act("views/act", user="Ada", view_id=view["id"], action_id="refresh")
    payload = await app.next("block_actions")
    assert (payload["container"], payload["view"]["type"]) == ({"type": "view", "view_id": view["id"]}, "home")


@impatient
async def test_command_that_is_not_acknowledged_fails_for_the_person(app: App, people: WorkspaceClient) -> None:
    app.silent = True
    assert not await people.command("Ada", "#ops", "/greenlight", "help")
    with pytest.raises(ControlError, match="unknown_command"):
        await people.command("Ada", "#ops", "/nothing")


async def test_message_shortcut_carries_the_message(app: App, people: WorkspaceClient) -> None:
    ts = await people.post("Ada", "#ops", "look at this")
    await people.act("shortcuts", user="Grace", channel="#ops", ts=ts, callback_id="stop")
    payload = await app.next("message_action")
    assert (payload["message"]["text"], payload["user"]["id"]) == ("look at this", "U0GRACE")


async def test_stop_button_is_there_only_while_processing(app: App, people: WorkspaceClient) -> None:
    root = await people.post("Ada", "#ops", "work")
    where = {"user": "Ada", "channel": "#ops", "thread_ts": root}
    with pytest.raises(ControlError, match="no_stop_button"):
        await people.act("stop", **where)
    await app.api("agents.sessions.setStatus", channel_id="C0OPS", thread_ts=root, status="processing")
    await people.act("stop", **where)
    async with asyncio.timeout(30):
        while (await app.payloads.get()).get("event", {}).get("type") != "agent_session_stopped":
            pass


async def test_menu_in_a_message_reports_its_choice(app: App, people: WorkspaceClient) -> None:
    options = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("a", "b")]
    menu = {"type": "static_select", "action_id": "pick", "options": options}
    ts = (await app.api("chat.postMessage", channel="C0OPS", text="pick", blocks=card(menu)))["ts"]
    await people.click("Ada", "#ops", ts, "pick", chosen={"selected_option": options[1]})
    payload = await app.next("block_actions")
    assert payload["actions"][0]["selected_option"]["value"] == "b"
    assert payload["state"]["values"]["b"]["pick"]["selected_option"]["value"] == "b"
