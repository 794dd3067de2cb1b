"""Secrets: fifty runs in which tools, people, scripts and the model say some, and none is kept, shown or logged."""

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote_to_bytes

import pytest
from aiohttp import web
from sqlalchemy import URL

from agent.redaction import SECRETS
from infra.cli.logs import WithoutSecrets
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered
from tests.acceptance.plans import ENDS, concludes, fetch, lines, package, post, tool
from tests.acceptance.stored_text import stored

RUNS = 50
AT_ONCE = 25

CHANNELS = ("ops", "general", "incidents")
"""Slack takes one message a second in each."""

CANARY = 'cañary "quo\\te" 9+/=%-7Zq'
"""A secret with everything that programs escape."""

FORMS: Mapping[str, Callable[[str], str]] = {
    "raw": str,
    "json": json.dumps,
    "unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "repr": repr,
    "hex": lambda secret: secret.encode().hex(),
    "base64": lambda secret: base64.b64encode(f"user:{secret}:x".encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(f"{secret}!".encode()).decode(),
    "percent": lambda secret: quote(secret, safe=""),
}

KINDS = ("read", "reflected", "script", "told", "failed")

SCRIPT = """
def main(inputs):
    page = tools.http_get(url=inputs["url"])
    print(page["body"])
    return {"page": page["body"]}
"""


class Echo:
    """Answers with the canary: in the body and its keys, or with the headers that it was sent."""

    def __init__(self) -> None:
        self.authorized = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        form = list(FORMS)[int(request.match_info["job"]) % len(FORMS)]
        said = FORMS[form](CANARY)
        if request.method == "POST":
            self.authorized += request.headers.get("X-Token") == quote(CANARY)
            return web.json_response(dict(request.headers), headers={"X-Said": quote(CANARY)})
        status = 500 if "failed" in request.path else 200
        return web.json_response({"said": said, said: [said, {"deep": f"before {said} behind"}]}, status=status)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        app = web.Application()
        app.router.add_route("*", "/{kind}/{job}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


def plan_of(url: str, request: ModelRequest) -> str:
    """Return a job's plan; the model says the canary in it, as one that knows it from elsewhere would."""
    found = re.search(r"job (\d+)\.", request.last)
    assert found is not None
    job = int(found[1])
    kind = KINDS[job % len(KINDS)]
    there = f"{url}/{kind}/{job}"
    operations: dict[str, list[dict[str, Json]]] = {
        "read": [fetch("get", there), post("tell", f"${{get#/body/said}} {CANARY}", "#general")],
        "reflected": [tool("send", "http_request", {"method": "POST", "url": there, "json": {"told": CANARY}})],
        "script": [package("run", SCRIPT, tools=["http_get"], inputs={"url": there})],
        "told": [post("tell", CANARY, "#general")],
        "failed": [fetch("get", there), post("tell", "${get#/body}", "#general")],
    }
    return lines(operations[kind])


def holds(blob: str) -> Iterator[str]:
    """Yield how a text holds the canary; found by decoding all that looks encoded, not by the redactor's forms."""
    if _plain(CANARY) in _plain(blob):
        yield "as it is, or escaped"
    if CANARY.encode() in unquote_to_bytes(blob.replace("+", "%2B")) or CANARY.encode() in unquote_to_bytes(blob):
        yield "in an address"
    for run in re.findall(r"[0-9a-fA-F]{16,}", blob):
        if any(CANARY.encode() in bytes.fromhex(run[at : len(run) - (len(run) - at) % 2]) for at in (0, 1)):
            yield "in hexadecimal"
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", blob):
        plain = run.replace("-", "+").replace("_", "/")
        cut = (plain[at : len(plain) - (len(plain) - at) % 4] for at in range(4))
        if any(CANARY.encode() in base64.b64decode(part) for part in cut):
            yield "in base64"


def _plain(text: str) -> str:
    """Return a text without escapes, however many programs escaped it one after another, and without quotes."""
    text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"\\+x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"[\\\"']", "", text)


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_the_canary_in_every_form(form: str) -> None:
    blob = json.dumps({"text": f"before {FORMS[form](CANARY)} behind"})
    assert list(holds(blob))
    assert list(holds(json.dumps({"in": blob})))
    assert not list(holds(json.dumps({"text": "[secret X] and nothing else"})))


async def _lived(scene: AppScene, job: int) -> None:
    """Ask for a job, and say yes to what it asks."""
    told = f" The key is {CANARY}, keep it." if KINDS[job % len(KINDS)] == "told" else ""
    async with scene.asked(f"please do job {job}.{told}", channel=CHANNELS[job % len(CHANNELS)]) as observer:
        clicked: set[str] = set()

        def over(seen: ThreadObserver) -> bool:
            return answered(seen) or any(str(card.message["ts"]) not in clicked for card in seen.cards())

        while True:
            await observer.until(over, "a card or the answer", timeout_seconds=90)
            if answered(observer):
                return
            for card in observer.cards():
                ts = str(card.message["ts"])
                if ts not in clicked:
                    clicked.add(ts)
                    await scene.people.click("Grace", observer.channel, ts, "decide_approved")


@dataclass(frozen=True, kw_only=True)
class Left:
    """What some runs left behind."""

    #: Calls that carried the secret where it belongs.
    authorized: int
    slack: str
    asked: Sequence[str]
    #: Table and row.
    kept: Sequence[tuple[str, str]]

    def leaks(self) -> Sequence[str]:
        """Return each place that holds the canary, and how."""
        places = [("Slack", self.slack), *(("the model", words) for words in self.asked), *self.kept]
        return [f"{place}: {how}: {blob[:300]}" for place, blob in places for how in holds(blob)]


async def lived_through(runs: int, database_url: URL, folder: Path) -> Left:
    """Live through so many runs of all kinds."""
    (folder / "token").write_text(quote(CANARY))
    echo = Echo()

    def configured(table: dict[str, Any]) -> None:
        known = {"known": {"echo": echo.url}, "allow_private": True}
        headers = {echo.url: {"X-Token": {"file": str(folder / "token")}}}
        table["tools"] = {"http_get": known, "http_request": {**known, "headers": headers}}
        table["limits"] = {"runs_per_person": runs, "cards_per_person": runs}

    async with echo.serving():
        scripts = [
            Script(role="planner", answer=lambda request: plan_of(echo.url, request)),
            ENDS,
            concludes(lambda _: f"ANSWER: it is {CANARY}, in short {FORMS['hex'](CANARY)}."),
        ]
        async with app_scene(database_url, folder, scripts, configuration=configured) as scene:
            for first in range(0, runs, AT_ONCE):
                jobs = range(first, min(first + AT_ONCE, runs))
                await asyncio.gather(*(_lived(scene, job) for job in jobs))
            return Left(
                authorized=echo.authorized,
                slack=json.dumps(list(_of_the_app(await scene.people.dump())), ensure_ascii=False),
                asked=[
                    request.system + "\n".join(message.text for message in request.messages)
                    for request in scene.model.requests
                ],
                kept=[found async for found in stored(database_url)],
            )


@pytest.mark.usefixtures("_knowing_no_secret")
async def test_no_secret_is_kept_shown_or_logged_in_fifty_runs_that_say_some(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    SECRETS.learn("canary", CANARY)  # as the settings teach it
    left = await lived_through(RUNS, database_url, tmp_path)
    line = WithoutSecrets("%(name)s: %(message)s")
    logged = [line.format(record) for record in caplog.records if record.name.startswith(("agent", "bot", "infra"))]
    print(f"{RUNS} runs, {len(left.asked)} model requests, {len(left.kept)} rows: {len(left.leaks())} leaks")
    assert left.authorized == RUNS // len(KINDS)  # the secret itself did its work
    assert len(left.asked) >= 2 * RUNS
    assert len(left.kept) > 10 * RUNS
    assert left.slack.count("[secret canary]") >= RUNS
    assert left.leaks() == []
    assert [one for one in logged if list(holds(one))] == []


@pytest.mark.usefixtures("_knowing_no_secret")
async def test_the_same_runs_leak_into_every_place_where_the_secret_is_not_known(
    database_url: URL, tmp_path: Path
) -> None:
    left = await lived_through(len(KINDS), database_url, tmp_path)
    places = {leak.partition(":")[0] for leak in left.leaks()}
    assert {"Slack", "the model", "inbox", "nodes"} <= places


def _of_the_app(value: Any) -> Iterator[object]:
    """Yield every message in the workspace that the app wrote."""
    if isinstance(value, list):
        value = dict(enumerate(cast("list[Any]", value)))
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value)
        if "bot_id" in entries:
            yield entries
        else:
            for inner in entries.values():
                yield from _of_the_app(inner)
