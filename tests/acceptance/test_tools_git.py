"""git in a real run: commits found, edits on a card as a diff, pushed as the card showed them, and taken back."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import URL

from agent.plan.outcomes import OUTCOME_UNKNOWN
from bot import wording
from infra.dev.demo.forge import ForgeServer
from infra.dev.demo.thread_observer import ThreadObserver, texts
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, leaks, rows, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told, tool
from tests.fakes.git_repository import BareRepository

TOKEN = "forge-0123456789"
POOL = "# the pool\npool_size = 100\nwait_seconds = 2\n"


class GitScene:
    """The app, and the forge with its repository."""

    def __init__(self, app: AppScene, forge: ForgeServer, remote: BareRepository) -> None:
        self.app = app
        self.forge = forge
        self.remote = remote

    def heads(self) -> list[str]:
        return self.remote.ask("log", "--format=%s", "main").splitlines()


@asynccontextmanager
async def git_scene(
    url: URL, root: Path, monkeypatch: pytest.MonkeyPatch, approvals: dict[str, object] | None = None
) -> AsyncGenerator[GitScene]:
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    remote = BareRepository.made(root)
    remote.commit("Start", {"pool.toml": POOL}, at="2025-11-18T09:00:00Z")
    remote.commit("Cut the pool", {"pool.toml": POOL.replace("= 100", "= 20")}, at="2025-11-19T09:00:00Z")
    remote.commit("Say hello", {"hello.txt": "Hello\n"}, at="2025-11-20T09:00:00Z")
    forge = ForgeServer(name="shop/payments", folder=remote.folder, token=TOKEN)
    async with forge.serving():

        def configured(table: dict[str, object]) -> None:
            payments = {"address": str(remote.folder), "api": forge.api, "token": {"env": "FORGE_TOKEN"}}
            git = {"folder": str(root / "clones"), "fresh_seconds": 0.0, "repositories": {"payments": payments}}
            table["tools"] = {"git": git}

        async with app_scene(url, root, [ENDS, ANSWERS], approvals=approvals or {}, configuration=configured) as scene:
            yield GitScene(scene, forge, remote)


def git(id: str, name: str, **args: Json) -> dict[str, Json]:
    return tool(id, name, {"repository": "payments", **args})


def revert() -> tuple[dict[str, Json], ...]:
    """Return the steps that find the commit, work its revert out, and commit that."""
    parts = {name: f"${{edits#/{name}}}" for name in ("branch", "message", "changes", "base")}
    return (
        git("found", "git_log", text="pool_size = 20", limit=1),
        git("edits", "git_revert_changes", commit="${found#/commits/0/id}"),
        git("fix", "git_commit", **parts),
    )


def card_with(*words: str) -> Callable[[ThreadObserver], bool]:
    def stands(seen: ThreadObserver) -> bool:
        return card_saying(seen, *words) is not None

    return stands


def card_saying(seen: ThreadObserver, *words: str) -> str | None:
    """Return the ts of the open card that says these words."""
    for card in seen.cards():
        shown = "\n".join(texts(card.message.get("blocks")))
        if all(word in shown for word in words):
            return str(card.message["ts"])
    return None


def asks_what_happened(seen: ThreadObserver) -> bool:
    return any("decide_happened" in json.dumps(card.message) for card in seen.cards())


async def click(scene: GitScene, observer: ThreadObserver, *words: str, action: str = "approved") -> None:
    await observer.until(card_with(*words), f"a card that says {words}")
    await scene.app.people.click("Grace", observer.channel, str(card_saying(observer, *words)), f"decide_{action}")


async def test_the_commit_is_found_its_revert_shown_as_a_diff_pushed_and_undone(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        scene.app.model.add(planned(*revert()))
        async with scene.app.asked("revert the commit that cut the pool") as observer:
            await observer.until(card_with("- pool_size = 20\n+ pool_size = 100"), "the diff on the card")
            card = "\n".join(texts(observer.cards()[0].message["blocks"]))
            assert "Change of pool.toml" in card
            assert "Say hello (Marco)" in card  # what it goes on top of
            assert scene.heads() == ["Say hello", "Cut the pool", "Start"]
            await click(scene, observer, "pool_size")
            await observer.until(answered, "the answer")
            assert scene.heads()[0] == 'Revert "Cut the pool"'
            assert scene.remote.file("pool.toml") == POOL
            await scene.app.people.post("Ada", observer.channel, "!undo", thread_ts=observer.thread_ts)
            await click(scene, observer, "- pool_size = 100\n+ pool_size = 20")
            await observer.until(lambda seen: seen.says(wording.UNDONE_TITLE), "the report")
            assert scene.heads()[0] == 'Reapply "Cut the pool"'
            assert scene.remote.file("pool.toml") == POOL.replace("= 100", "= 20")
            assert leaks(observer) == []
        assert scene.app.workspace.backend.complaints == []


async def test_a_branch_that_moved_while_people_decided_is_asked_about_anew(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        scene.app.model.add(planned(*revert()))
        async with scene.app.asked("revert it") as observer:
            await observer.until(card_with("pool_size", "Say hello (Marco)"), "the card")
            scene.remote.commit("Meanwhile", {"other.txt": "1\n"})
            await click(scene, observer, "pool_size", "Say hello (Marco)")
            await observer.until(card_with("pool_size", "Meanwhile (Marco)"), "a new card on top of what is there now")
            assert scene.heads()[0] == "Meanwhile"
            await click(scene, observer, "pool_size", "Meanwhile (Marco)")
            await observer.until(answered, "the answer")
            assert scene.heads()[:2] == ['Revert "Cut the pool"', "Meanwhile"]


async def test_rejected_edits_reach_no_forge(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        scene.app.model.add(planned(*revert()))
        async with scene.app.asked("revert it") as observer:
            await click(scene, observer, "pool_size", action="rejected")
            await observer.until(answered, "the answer")
            assert "rejected" in states(observer)["fix"]
        assert [request for request in scene.forge.requests if not request.startswith("GET")] == []


async def test_edits_of_a_file_that_changed_since_fail_before_anybody_is_asked(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        base = scene.remote.ask("rev-parse", "main")
        scene.remote.commit("The same file", {"pool.toml": POOL.replace("= 100", "= 20") + "more = 1\n"})
        edit: Json = {"path": "pool.toml", "before": "pool_size = 20\n", "after": "pool_size = 100\n"}
        scene.app.model.add(planned(git("fix", "git_commit", branch="main", message="x", changes=[edit], base=base)))
        async with scene.app.asked("do it") as observer:
            await observer.until(answered, "the answer")
            assert observer.cards() == []
            assert "changed since" in states(observer)["fix"]
        assert scene.heads()[0] == "The same file"


async def test_a_forge_lost_in_the_last_request_leaves_the_outcome_to_people(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again finds that the first try worked: there is one commit."""
    away = False

    async def goes_away(request: web.Request, before: bool) -> None:
        nonlocal away
        if away or (request.method == "PATCH" and not before):
            away = True
            raise web.HTTPBadGateway

    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        scene.app.model.add(planned(*revert()))
        scene.forge.interferes = goes_away
        async with scene.app.asked("revert it") as observer:
            await click(scene, observer, "pool_size")
            await observer.until(asks_what_happened, "the question what became of it")
            scene.forge.interferes = None
            [question] = observer.cards()
            await scene.app.people.click("Grace", observer.channel, str(question.message["ts"]), "decide_again")
            await observer.until(answered, "the answer")
            assert "complete" in states(observer)["fix"]
        assert scene.heads().count('Revert "Cut the pool"') == 1
        assert [request.split()[0] for request in scene.forge.requests].count("PATCH") == 1
        assert OUTCOME_UNKNOWN not in json.dumps(results_told(scene.app.model.requests_of("conclude")[-1]))


async def test_a_branch_and_its_commits_are_undone_in_reverse(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        edit: Json = {"path": "pool.toml", "before": "pool_size = 20\n", "after": "pool_size = 100\n"}
        page: Json = {"path": "page.txt", "after": "one\n"}
        steps = (
            git("branch", "git_create_branch", branch="fix/pool"),
            {**git("one", "git_commit", branch="fix/pool", message="One", changes=[edit]), "depends_on": ["branch"]},
            {**git("two", "git_commit", branch="fix/pool", message="Two", changes=[page]), "depends_on": ["one"]},
        )
        scene.app.model.add(planned(*steps))
        async with scene.app.asked("fix it on a branch") as observer:
            await click(scene, observer, "Approval needed: Title of branch")
            await click(scene, observer, "pool_size")
            await click(scene, observer, "page.txt")
            await observer.until(answered, "the answer")
            assert scene.remote.ask("log", "--format=%s", "main..fix/pool").splitlines() == ["Two", "One"]
            await scene.app.people.post("Ada", observer.channel, "!undo", thread_ts=observer.thread_ts)
            await click(scene, observer, "Approval needed: Undo: Title of two")
            await click(scene, observer, "Approval needed: Undo: Title of one")
            await click(scene, observer, "Approval needed: Undo: Title of branch")
            await observer.until(lambda seen: seen.says(wording.UNDONE_TITLE), "the report")
            assert not observer.says(wording.UNDONE_NOT)
        assert scene.remote.ask("branch", "--list", "fix/pool") == ""


async def test_the_token_of_a_forge_is_in_no_table_message_or_prompt(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_scene(database_url, tmp_path, monkeypatch) as scene:
        scene.remote.commit(f"My token is {TOKEN}", {"hello.txt": f"{TOKEN}\n"})
        scene.app.model.add(planned(git("log", "git_log"), git("show", "git_show", revision="main"), *revert()))
        async with scene.app.asked("look around") as observer:
            await click(scene, observer, "pool_size")
            await observer.until(answered, "the answer")
            assert TOKEN not in "\n".join(observer.words())
        said = [json.dumps(request.body) for request in scene.app.model.requests_of("conclude")]
        assert said
        assert TOKEN not in "".join(said)
        for (name,) in await rows(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            everything = await rows(database_url, f'TABLE "{name}"')
            assert TOKEN not in repr(everything), name
