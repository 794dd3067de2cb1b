"""The red tools of git: the real program, a real bare repository, and a forge that speaks GitHub's API."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.effects import InverseCall
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import FilesPreview, previews
from agent.tool import CallContext, Colour, Reversibility, Tool, TooLate, ToolError, WorldChanged
from infra.dev.demo.forge import ForgeServer
from infra.tools.git.branches import CALL_KEY
from infra.tools.git.catalogue import READING, WRITING, git_tools
from infra.tools.git.settings import GitConfig, RepositoryConfig
from infra.tools.secret import Secret
from sandbox.script import Json
from tests.fakes.git_repository import BareRepository

TOKEN = "forge-0123456789"
POOL = "# the pool\n" * 10 + "pool_size = 20\nwait_seconds = 2\n" + "# end\n" * 10
CONTEXT = CallContext(
    thread=ThreadId("T1:C1:1.0"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("1" * 64)
)


@dataclass(kw_only=True)
class Bench:
    """A forge, its repository, and the tools; each call is a new approved one unless a context is given."""

    remote: BareRepository
    forge: ForgeServer
    tools: Mapping[str, Tool]
    calls: int = 0
    #: What `precondition` last read.
    expected: Json = None
    inverses: list[Any] = field(default_factory=list[Any])

    def context(self, **more: Any) -> CallContext:
        self.calls += 1
        return replace(CONTEXT, idempotency_key=Digest(f"{self.calls:064}"), **more)

    async def approved(self, tool: str, *, context: CallContext | None = None, **args: Any) -> Any:
        """Call a tool as an approved step does: checked, its state read for the card, then called."""
        found, arguments = self.tools[tool], {"repository": "payments", **args}
        context = context or self.context()
        assert found.check is not None
        assert found.precondition is not None
        await found.check(context, arguments)
        expected = await found.precondition(context, arguments)
        return await self.sent(tool, context=replace(context, expected=expected), **args)

    async def sent(self, tool: str, *, context: CallContext, **args: Any) -> Any:
        """Call a tool after its card was approved."""
        found, arguments = self.tools[tool], {"repository": "payments", **args}
        assert found.undoing is not None
        before = None
        if found.undoing.before is not None:
            try:
                before = await found.undoing.before(context, arguments)
            except ToolError:
                before = None
        output = await found.call(context, arguments)
        self.inverses.append(found.undoing.inverse(context, arguments, output, before))
        return output

    async def refused(self, tool: str, **args: Any) -> str:
        """Return why a call is refused before anybody is asked."""
        check = self.tools[tool].check
        assert check is not None
        with pytest.raises(ToolError) as error:
            await check(self.context(), {"repository": "payments", **args})
        return error.value.code

    async def taken_back(self) -> Any:
        """Make the call that takes the last one back."""
        inverse = cast("InverseCall", self.inverses[-1])
        args: dict[str, Any] = {name: value for name, value in inverse.args.items() if name != "repository"}
        return await self.approved(inverse.tool, **args)

    def wrote(self) -> Sequence[str]:
        """Return the requests that wrote something, by method and place."""
        asked = [request.split("/git/", 1) for request in self.forge.requests]
        return [f"{head.split()[0]} {place.split('/')[0]}" for head, place in asked if not head.startswith("GET")]


@asynccontextmanager
async def benched(root: Path, **more: Any) -> AsyncGenerator[Bench]:
    remote = BareRepository.made(root)
    remote.commit("Start", {"config/pool.toml": POOL, "run.sh": "#!/bin/sh\n", "logo.png": b"\x89PNG\0"})
    (remote.work / "run.sh").chmod(0o755)
    remote.commit("Make it run", {})
    (root / "token").write_text(TOKEN)
    forge = ForgeServer(name="shop/payments", folder=remote.folder, token=TOKEN)
    async with forge.serving():
        settings: dict[str, Any] = {"api": forge.api, "token": Secret(file=root / "token"), **more}
        repository = RepositoryConfig(address=str(remote.folder), **settings)
        config = GitConfig(folder=root / "clones", repositories={"payments": repository}, fresh_seconds=3600.0)
        yield Bench(remote=remote, forge=forge, tools={tool.name: tool for tool in git_tools(config)})


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with benched(tmp_path) as made:
        yield made


def edit(before: str = "pool_size = 20\n", after: str = "pool_size = 100\n", path: str = "config/pool.toml") -> Json:
    return {"path": path, "before": before, "after": after}


FIX: Mapping[str, Any] = {"branch": "main", "message": "Restore the pool", "changes": [edit()]}


def on(branch: str, **more: Any) -> Mapping[str, Any]:
    return {**FIX, "branch": branch, **more}


def test_they_are_red_and_there_only_with_a_forge(bench: Bench, tmp_path: Path) -> None:
    assert bench.tools.keys() == READING | WRITING
    assert {tool for tool, found in bench.tools.items() if found.colour is Colour.RED} == WRITING
    plain = GitConfig(folder=tmp_path, repositories={"payments": RepositoryConfig(address="/x.git")})
    assert {tool.name for tool in git_tools(plain)} == READING


async def test_a_commit_stands_on_the_branch_as_its_card_showed(bench: Bench) -> None:
    head = bench.remote.ask("rev-parse", "main")
    changes: list[Any] = [
        edit(),
        edit("wait_seconds = 2\n", "wait_seconds = 5\n"),
        {"path": "docs/new page.md", "after": "Größe\n"},
        {"path": "go.sh", "after": "#!/bin/sh\n", "executable": True},
        {"path": "run.sh", "before": "#!/bin/sh\n"},
    ]
    made = await bench.approved("git_commit", branch="main", message="Restore the pool\n\nWhy.", changes=changes)
    assert made["parent"] == head
    assert bench.remote.ask("rev-parse", "main", "main~1").split() == [made["head"], head]
    assert bench.remote.file("config/pool.toml") == POOL.replace("= 20", "= 100").replace("= 2\n", "= 5\n")
    assert bench.remote.file("docs/new page.md") == "Größe\n"
    modes = bench.remote.ask("ls-tree", "-r", "--format=%(objectmode) %(path)", "main").splitlines()
    assert modes == ["100644 config/pool.toml", "100644 docs/new page.md", "100755 go.sh", "100644 logo.png"]
    message = bench.remote.ask("log", "-1", "--format=%B", "main")
    assert message == f"Restore the pool\n\nWhy.\n\n{CALL_KEY}: {bench.calls:064}"
    assert bench.wrote()[-3:] == ["POST trees", "POST commits", "PATCH refs"]


async def test_an_executable_file_stays_one(bench: Bench) -> None:
    await bench.approved(
        "git_commit", branch="main", message="x", changes=[edit("#!/bin/sh\n", "#!/bin/bash\n", "run.sh")]
    )
    assert bench.remote.ask("ls-tree", "main", "run.sh").startswith("100755")


def test_the_card_shows_the_edits_whole(bench: Bench) -> None:
    args: Mapping[str, Json] = {
        **FIX,
        "changes": [edit(), {"path": "new", "after": "x"}, {"path": "old", "before": "y"}],
    }
    [shown] = [part for part in previews(args, bench.tools["git_commit"].preview) if isinstance(part, FilesPreview)]
    assert shown.covers == ("changes",)
    odd: Mapping[str, Json] = {**FIX, "changes": [{"path": "new", "after": "x", "executable": False}]}
    assert [part for part in previews(odd, bench.tools["git_commit"].preview) if isinstance(part, FilesPreview)] == []


async def test_the_dry_run_says_what_it_goes_on_top_of(bench: Bench) -> None:
    dry_run = bench.tools["git_commit"].dry_run
    assert dry_run is not None
    told: Any = await dry_run(bench.context(), {"repository": "payments", **FIX})
    assert told["on top of"].endswith(" Make it run (Marco)")
    assert told["files"] == {"config/pool.toml": "edited"}
    assert bench.wrote() == []


async def test_a_commit_and_its_undoing_take_turns_and_nothing_is_lost(bench: Bench) -> None:
    before = bench.remote.ask("rev-parse", "main^{tree}")
    changes = [edit(), {"path": "run.sh", "before": "#!/bin/sh\n", "executable": True}, {"path": "new", "after": "x\n"}]
    await bench.approved("git_commit", branch="main", message="Restore the pool", changes=changes)
    after = bench.remote.ask("rev-parse", "main^{tree}")
    for tree in (before, after, before):
        await bench.taken_back()
        assert bench.remote.ask("rev-parse", "main^{tree}") == tree
    subjects = bench.remote.ask("log", "-4", "--format=%s", "main").splitlines()
    assert subjects == [
        'Revert "Reapply "Restore the pool""',
        'Reapply "Restore the pool"',
        'Revert "Restore the pool"',
        "Restore the pool",
    ]


async def test_an_undoing_goes_around_other_commits_but_not_over_them(bench: Bench) -> None:
    await bench.approved("git_commit", **FIX)
    bench.remote.do("pull", "--quiet", "--rebase", "origin", "main")
    bench.remote.commit("Elsewhere", {"other.txt": "1"})
    await bench.taken_back()
    assert bench.remote.file("config/pool.toml") == POOL
    assert bench.remote.file("other.txt") == "1"
    bench.remote.do("pull", "--quiet", "--rebase", "origin", "main")
    bench.remote.commit("The same file", {"config/pool.toml": POOL + "# more\n"})
    with pytest.raises(ToolError, match="changed since") as error:
        await bench.taken_back()
    assert error.value.code == "changed_since"


async def test_a_branch_that_moved_since_the_card_is_not_written(bench: Bench) -> None:
    found = bench.tools["git_commit"]
    assert found.precondition is not None
    expected = await found.precondition(bench.context(), {"repository": "payments", **FIX})
    other = bench.remote.commit("Meanwhile", {"other.txt": "1"})
    with pytest.raises(WorldChanged):
        await bench.sent("git_commit", context=bench.context(expected=expected), **FIX)
    assert bench.remote.ask("rev-parse", "main") == other
    assert bench.wrote() == []


async def test_a_branch_that_moves_in_the_last_moment_is_not_written_over(bench: Bench) -> None:
    others: list[str] = []

    async def meanwhile(request: web.Request, before: bool) -> None:
        if before and request.method == "PATCH":
            others.append(await asyncio.to_thread(bench.remote.commit, "In the last moment", {"other.txt": "1"}))

    bench.forge.interferes = meanwhile
    with pytest.raises(WorldChanged):
        await bench.approved("git_commit", **FIX)
    assert [bench.remote.ask("rev-parse", "main")] == others


async def test_of_twenty_commits_at_once_on_one_branch_each_stands_or_failed(bench: Bench) -> None:
    async def one(number: int) -> str | None:
        change = {"path": f"file {number}", "after": f"{number}\n"}
        try:
            made = await bench.approved("git_commit", branch="main", message=f"Number {number}", changes=[change])
        except WorldChanged:
            return None
        return str(made["head"])

    made = [head for head in await asyncio.gather(*map(one, range(20))) if head is not None]
    listed = bench.remote.ask("log", "--format=%H", "--grep=^Number", "main").split()
    assert sorted(made) == sorted(listed)
    assert made


async def lost(request: web.Request, before: bool) -> None:
    """Do what is asked, and hang up before the answer."""
    if not before and request.method in ("PATCH", "DELETE") and request.transport is not None:
        request.transport.close()


async def test_of_a_lost_answer_the_branch_says_that_it_moved(bench: Bench) -> None:
    bench.forge.interferes = lost
    made = await bench.approved("git_commit", **FIX)
    assert bench.remote.ask("rev-parse", "main") == made["head"]
    assert bench.wrote().count("PATCH refs") == 1


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_where_nobody_can_find_out_the_outcome_is_unknown_and_a_second_try_commits_once(
    bench: Bench, done: bool
) -> None:
    away = False

    async def goes_away(request: web.Request, before: bool) -> None:
        nonlocal away
        if away or (request.method == "PATCH" and before is not done):
            away = True
            raise web.HTTPBadGateway

    bench.forge.interferes = goes_away
    context = bench.context()
    with pytest.raises(ToolError) as error:
        await bench.approved("git_commit", context=context, **FIX)
    assert error.value.code == OUTCOME_UNKNOWN
    bench.forge.interferes = None
    made = await bench.approved("git_commit", context=context, **FIX)
    assert bench.remote.ask("log", "--format=%H", "--grep=^Restore", "main").split() == [made["head"]]
    assert bench.wrote().count("PATCH refs") == (1 if done else 2)


async def test_nothing_is_sent_too_late(bench: Bench) -> None:
    with pytest.raises(TooLate):
        await bench.approved("git_commit", context=bench.context(not_after=lambda: 0.0), **FIX)
    assert bench.wrote() == []


async def test_a_rule_of_the_forge_is_told_and_nothing_moves(bench: Bench) -> None:
    async def protected(request: web.Request, before: bool) -> None:
        if before and request.method == "PATCH":
            raise web.HTTPUnprocessableEntity(text='{"message": "Protected branch"}', content_type="application/json")

    bench.forge.interferes = protected
    head = bench.remote.ask("rev-parse", "main")
    with pytest.raises(ToolError, match="a rule may protect it") as error:
        await bench.approved("git_commit", **FIX)
    assert error.value.code == "not_allowed"
    assert bench.remote.ask("rev-parse", "main") == head


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"branch": "nothing"}, "unknown_revision"),
        ({"branch": "--force"}, "bad_branch"),
        ({"branch": "a" * 40}, "bad_branch"),
        ({"branch": "refs/../main"}, "bad_branch"),
        ({"changes": [edit("not there\n", "x")]}, "does_not_fit"),
        ({"changes": [edit("# end\n", "x")]}, "does_not_fit"),
        ({"changes": [{"path": "run.sh", "after": "x"}]}, "does_not_fit"),
        ({"changes": [{"path": "run.sh/x", "after": "x"}]}, "does_not_fit"),
        ({"changes": [{"path": "config", "after": "x"}]}, "no_text"),
        ({"changes": [edit(path="logo.png")]}, "no_text"),
        ({"changes": [edit(path="nothing")]}, "does_not_fit"),
        ({"changes": [{"path": ".git/config", "after": "x"}]}, "unknown_path"),
        ({"changes": [{"path": "../x", "after": "x"}]}, "unknown_path"),
        ({"changes": [{"path": "/etc/x", "after": "x"}]}, "unknown_path"),
        ({"changes": [{"path": "a/.GIT/x", "after": "x"}]}, "unknown_path"),
        ({"base": "f" * 40}, "unknown_revision"),
    ],
    ids=str,
)
async def test_what_cannot_succeed_is_refused_before_anybody_is_asked(
    bench: Bench, args: Mapping[str, Any], code: str
) -> None:
    assert await bench.refused("git_commit", **{**FIX, **args}) == code
    assert bench.wrote() == []


async def test_a_link_is_no_file_to_edit(bench: Bench, tmp_path: Path) -> None:
    (bench.remote.work / "link").symlink_to(tmp_path / "elsewhere")
    bench.remote.commit("Link", {})
    assert await bench.refused("git_commit", **{**FIX, "changes": [edit(path="link")]}) == "no_text"


async def test_a_branch_is_made_committed_to_and_pushed_to_main_and_all_is_undone(bench: Bench) -> None:
    head = bench.remote.ask("rev-parse", "main")
    made = await bench.approved("git_create_branch", branch="fix/pool")
    assert made["head"] == head == bench.remote.ask("rev-parse", "fix/pool")
    created = bench.inverses[-1]
    fixed = await bench.approved("git_commit", **on("fix/pool"))
    assert bench.remote.ask("rev-parse", "main") == head
    dry_run = bench.tools["git_push"].dry_run
    assert dry_run is not None
    push: Mapping[str, Any] = {"branch": "main", "commit": "fix/pool"}
    told: Any = await dry_run(bench.context(), {"repository": "payments", **push})
    assert [line.split(" ", 1)[1] for line in told["commits"]] == ["Restore the pool (Greenlight)"]
    pushed = await bench.approved("git_push", **push)
    assert pushed == {"repository": "payments", "branch": "main", "head": fixed["head"], "parent": head}
    assert bench.remote.ask("rev-parse", "main") == fixed["head"]
    await bench.taken_back()
    assert bench.remote.file("config/pool.toml") == POOL
    assert bench.remote.file("config/pool.toml", "fix/pool") != POOL
    assert await bench.refused("git_delete_branch", branch="fix/pool", head=created.args["head"]) == "changed_since"
    gone = await bench.approved("git_delete_branch", branch="fix/pool", head=fixed["head"])
    assert gone["head"] == fixed["head"]
    assert bench.remote.ask("branch", "--list", "fix/pool") == ""
    await bench.taken_back()
    assert bench.remote.ask("rev-parse", "fix/pool") == fixed["head"]


async def test_effects_on_one_branch_name_the_versions_that_they_left(bench: Bench) -> None:
    """What `!undo` goes by: each effect found what the one before it left."""
    await bench.approved("git_create_branch", branch="fix")
    first = await bench.approved("git_commit", **on("fix"))
    await bench.approved("git_commit", **on("fix", changes=[{"path": "new", "after": "x"}]))
    created, one, two = bench.inverses
    assert created.resource == one.resource == two.resource == "git:payments:fix"
    assert (created.found, one.found, two.found) == ("", created.args["head"], first["head"])
    assert (created.version_at, one.version_at, one.version_in) == ("/head", "/base", "/head")


@pytest.mark.parametrize(
    ("tool", "args", "code"),
    [
        ("git_create_branch", {"branch": "main"}, "name_taken"),
        ("git_create_branch", {"branch": "x", "from": "nothing"}, "unknown_revision"),
        ("git_create_branch", {"branch": "x", "from": "f" * 40}, "unknown_revision"),
        ("git_create_branch", {"branch": "-x"}, "bad_branch"),
        ("git_create_branch", {"branch": "x.lock"}, "bad_branch"),
        ("git_create_branch", {"branch": "HEAD"}, "bad_branch"),
        ("git_delete_branch", {"branch": "main", "head": "f" * 40}, "not_allowed"),
        ("git_delete_branch", {"branch": "nothing", "head": "f" * 40}, "unknown_revision"),
        ("git_push", {"branch": "main", "commit": "main"}, "already_there"),
        ("git_push", {"branch": "aside", "commit": "main"}, "not_forward"),
        ("git_push", {"branch": "main", "commit": "main~1"}, "unknown_revision"),
    ],
    ids=str,
)
async def test_a_branch_that_cannot_be_made_deleted_or_moved_is_told(
    bench: Bench, tool: str, args: Mapping[str, Any], code: str
) -> None:
    bench.remote.do("checkout", "--quiet", "-b", "aside", "HEAD~1")
    bench.remote.commit("Aside", {"aside.txt": "x"}, branch="aside")
    assert await bench.refused(tool, **args) == code
    assert bench.wrote() == []


async def test_a_deleted_branch_is_deleted_once_though_the_answer_is_lost(bench: Bench) -> None:
    made = await bench.approved("git_create_branch", branch="fix")
    bench.forge.interferes = lost
    await bench.approved("git_delete_branch", branch="fix", head=made["head"])
    assert bench.wrote().count("DELETE refs") == 1


async def test_a_push_that_cannot_be_shown_on_a_card_is_final(bench: Bench) -> None:
    bench.remote.do("checkout", "--quiet", "-b", "big")
    bench.remote.commit("Big", {"big.txt": "x\n" * 200_000}, branch="big")
    undoing = bench.tools["git_push"].undoing
    assert undoing is not None
    assert undoing.reversibility is not None
    assert undoing.reversibility({}, None) is Reversibility.FINAL
    await bench.approved("git_push", branch="main", commit="big")
    assert bench.inverses[-1] is None


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "no_secret"),
        (403, {}, "not_allowed"),
        (403, {"X-RateLimit-Remaining": "0"}, "rate_limited"),
        (429, {"Retry-After": "60"}, "rate_limited"),
        (500, {}, "unavailable"),
        (302, {"Location": "https://elsewhere.example.com"}, "refused"),
        (200, {}, "bad_answer"),
    ],
)
async def test_a_forge_that_does_not_do_it_is_told_in_words(
    bench: Bench, status: int, headers: Mapping[str, str], code: str
) -> None:
    async def answers(request: web.Request, before: bool) -> None:
        if before and request.method == "POST":
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            response = web.Response(status=status, headers=headers, text="<html>no JSON</html>")
            raise Answered(response)

    class Answered(web.HTTPException):
        status_code = status

        def __init__(self, response: web.Response) -> None:
            super().__init__(headers=dict(headers), text=response.text)

    bench.forge.interferes = answers
    head = bench.remote.ask("rev-parse", "main")
    with pytest.raises(ToolError) as error:
        await bench.approved("git_commit", **FIX)
    assert error.value.code == code
    assert TOKEN not in str(error.value)
    assert bench.remote.ask("rev-parse", "main") == head


async def test_a_token_that_the_forge_does_not_know_reads_nothing(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        (tmp_path / "token").write_text("another-0123456789")
        assert await bench.refused("git_commit", **FIX) == "no_secret"
        (tmp_path / "token").write_text(TOKEN)  # a new one counts at once
        await bench.approved("git_commit", **FIX)


async def test_a_forge_that_is_away_is_told(bench: Bench, tmp_path: Path) -> None:
    gone = RepositoryConfig(
        address=str(bench.remote.folder), api="http://127.0.0.1:9/repos/x/y", token=Secret(file=tmp_path / "token")
    )
    config = GitConfig(folder=tmp_path / "others", repositories={"payments": gone})
    [commit] = [tool for tool in git_tools(config) if tool.name == "git_commit"]
    assert commit.check is not None
    with pytest.raises(ToolError) as error:
        await commit.check(CONTEXT, {"repository": "payments", **FIX})
    assert error.value.code == "unreachable"
