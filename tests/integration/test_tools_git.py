"""The green tools of git, with the real program over a real bare repository."""

import asyncio
import base64
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, Colour, Tool, ToolError
from agent.tools.call import call_tool
from infra.tools.git import program
from infra.tools.git.catalogue import READING, git_tools
from infra.tools.git.changes import Change, File, changed
from infra.tools.git.settings import GitConfig, RepositoryConfig
from infra.tools.secret import Secret
from sandbox.script import Json
from tests.fakes.git_repository import BareRepository

CONTEXT = CallContext(
    thread=ThreadId("T1:C1:1.0"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("0" * 64)
)
POOL = "".join(f"# line {at}\n" for at in range(30)) + "pool_size = 100\n" + "# end\n" * 20


@pytest.fixture
def remote(tmp_path: Path) -> BareRepository:
    """A repository with four commits, of which the third one cut the pool."""
    made = BareRepository.made(tmp_path)
    made.commit("Start", {"config/pool.toml": POOL, "old.txt": "old\n"}, at="2025-11-17T09:00:00Z")
    made.commit("Add a page", {"page.html": "<p>Grüße</p>\n", "logo.png": b"\x89PNG\0\1"}, at="2025-11-18T09:00:00Z")
    small = POOL.replace("pool_size = 100", "pool_size = 20")
    made.commit("Cut the pool\n\nMemory is short.", {"config/pool.toml": small}, at="2025-11-19T09:00:00Z")
    made.commit("Delete what is old", {"old.txt": None}, at="2025-11-20T09:00:00Z")
    return made


class Reader:
    """Calls the tools as a step does."""

    def __init__(self, remote: BareRepository, folder: Path, **settings: Any) -> None:
        repository = RepositoryConfig(address=str(remote.folder))
        config = GitConfig(folder=folder, repositories={"payments": repository}, **settings)
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in git_tools(config)}

    async def outcome(self, tool: str, **args: Any) -> Succeeded | Failed:
        return await call_tool(self.tools[tool], CONTEXT, {"repository": "payments", **args}, pause=_no_pause)

    async def result(self, tool: str, **args: Any) -> Any:
        outcome = await self.outcome(tool, **args)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.value

    async def error(self, tool: str, **args: Any) -> str:
        outcome = await self.outcome(tool, **args)
        assert isinstance(outcome, Failed), outcome
        return outcome.error


async def _no_pause(_seconds: float) -> None:
    pass


@pytest.fixture
def reader(remote: BareRepository, tmp_path: Path) -> Reader:
    return Reader(remote, tmp_path / "clones", fresh_seconds=0.0)


def subjects(result: Any) -> Sequence[str]:
    return [commit["subject"] for commit in result["commits"]]


def test_all_of_them_are_green_and_return_text_of_strangers(reader: Reader) -> None:
    assert reader.tools.keys() == READING
    for tool in reader.tools.values():
        assert (tool.colour, tool.returns_outside_text, tool.retryable) == (Colour.GREEN, True, True)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, ["Delete what is old", "Cut the pool", "Add a page", "Start"]),
        ({"text": "pool_size = "}, ["Cut the pool", "Start"]),
        ({"text": "pool_size = 100"}, ["Cut the pool", "Start"]),
        ({"text": "pool.size"}, []),
        ({"message": "MEMORY is"}, ["Cut the pool"]),
        ({"author": "marco", "limit": 1}, ["Delete what is old"]),
        ({"author": "nobody"}, []),
        ({"path": "old.txt"}, ["Delete what is old", "Start"]),
        ({"path": "config"}, ["Cut the pool", "Start"]),
        ({"since": "2025-11-19"}, ["Delete what is old", "Cut the pool"]),
        ({"until": "2025-11-19T09:00:00Z"}, ["Cut the pool", "Add a page", "Start"]),
        ({"since": "2025-11-18T10:00:00+02:00", "until": "2025-11-18T11:00:00+02:00"}, ["Add a page"]),
        ({"revision": "main~2"}, ["Add a page", "Start"]),
        ({"revision": "HEAD^"}, ["Cut the pool", "Add a page", "Start"]),
    ],
    ids=str,
)
async def test_log_finds_commits(reader: Reader, args: Mapping[str, Json], expected: Sequence[str]) -> None:
    assert subjects(await reader.result("git_log", **args)) == expected


async def test_log_says_who_when_and_whether_there_is_more(reader: Reader, remote: BareRepository) -> None:
    found = await reader.result("git_log", message="Cut the pool", limit=1)
    [commit] = found["commits"]
    parent = remote.ask("rev-parse", "main~2")
    assert commit == {
        "id": remote.ask("rev-parse", "main~1"),
        "parents": [parent],
        "author": "Marco",
        "at": "2025-11-19T09:00:00Z" if commit["at"].endswith("Z") else "2025-11-19T09:00:00+00:00",
        "subject": "Cut the pool",
        "body": "Memory is short.",
    }
    assert not found["more"]
    assert (await reader.result("git_log", limit=3))["more"]


async def test_show_has_the_diff_of_a_commit_and_the_text_of_a_file(reader: Reader) -> None:
    shown = await reader.result("git_show", revision="main~1")
    assert shown["commit"]["subject"] == "Cut the pool"
    assert shown["files"] == [{"path": "config/pool.toml", "added": 1, "removed": 1}]
    assert "-pool_size = 100\n+pool_size = 20\n" in shown["diff"]
    assert not shown["truncated"]
    first = await reader.result("git_show", revision="main~3")
    assert [file["path"] for file in first["files"]] == ["config/pool.toml", "old.txt"]
    page = await reader.result("git_show", revision="main", file="page.html")
    assert page["text"] == "<p>Grüße</p>\n"
    rest = await reader.result("git_show", revision="main", file="config/pool.toml", from_line=31)
    assert rest["text"].startswith("pool_size = 20\n# end\n")


async def test_diff_grep_and_blame_lead_to_the_commit(reader: Reader, remote: BareRepository) -> None:
    differs = await reader.result("git_diff", before="main~3", after="main")
    paths = {file["path"]: file.get("binary", False) for file in differs["files"]}
    assert paths == {"config/pool.toml": False, "logo.png": True, "old.txt": False, "page.html": False}
    only = await reader.result("git_diff", before="main~3", after="main", path="config")
    assert [file["path"] for file in only["files"]] == ["config/pool.toml"]
    found = await reader.result("git_grep", text="pool_size")
    assert found["matches"] == [{"path": "config/pool.toml", "line": 31, "text": "pool_size = 20"}]
    assert (await reader.result("git_grep", text="POOL_[a-z]+ = 2", regex=True, ignore_case=True))["matches"]
    assert (await reader.result("git_grep", text="nothing"))["matches"] == []
    blamed = await reader.result("git_blame", path="config/pool.toml", from_line=30, to_line=31)
    assert [(line["line"], line["subject"]) for line in blamed["lines"]] == [(30, "Start"), (31, "Cut the pool")]
    assert blamed["lines"][1]["commit"] == remote.ask("rev-parse", "main~1")


async def test_the_revert_of_a_commit_is_worked_out_on_the_branch_as_it_is(
    reader: Reader, remote: BareRepository
) -> None:
    commit = remote.ask("rev-parse", "main~1")
    worked = await reader.result("git_revert_changes", commit=commit)
    assert worked["base"] == remote.ask("rev-parse", "main")
    assert worked["message"] == f'Revert "Cut the pool"\n\nThis reverts commit {commit}.'
    [edit] = worked["changes"]
    before = remote.file("config/pool.toml")
    made = changed(edit["path"], File(text=before), [Change(**edit)])
    assert made == File(text=before.replace("pool_size = 20", "pool_size = 100"))
    assert len(edit["before"].splitlines()) == 7


async def test_a_deleted_file_comes_back_and_a_new_one_goes(reader: Reader, remote: BareRepository) -> None:
    worked = await reader.result("git_revert_changes", commit="main")
    assert worked["changes"] == [{"path": "old.txt", "after": "old\n"}]
    remote.commit("Add a note", {"note.txt": "note\n"})
    worked = await reader.result("git_revert_changes", commit="main")
    assert worked["changes"] == [{"path": "note.txt", "before": "note\n"}]


async def test_what_cannot_be_reverted_by_itself_says_why(reader: Reader, remote: BareRepository) -> None:
    assert await reader.error("git_revert_changes", commit="main~3") == "not_reverted"  # the first one
    assert await reader.error("git_revert_changes", commit="main~2") == "no_text"  # a picture
    remote.commit("Change it again", {"config/pool.toml": POOL.replace("= 100", "= 50")})
    assert await reader.error("git_revert_changes", commit="main~2") == "not_reverted"
    cut = remote.ask("rev-parse", "main~2")
    remote.commit("Put it back", {"config/pool.toml": POOL})
    assert await reader.error("git_revert_changes", commit=cut) == "not_reverted"  # nothing of it is left
    remote.do("checkout", "--quiet", "-b", "aside", "HEAD~1")
    aside = remote.commit("Aside", {"aside.txt": "x"}, branch="aside")
    assert await reader.error("git_revert_changes", commit=aside) == "not_reverted"  # not part of main
    remote.do("checkout", "--quiet", "main")
    remote.do("merge", "--quiet", "--no-ff", "-m", "Merge aside", "aside")
    remote.do("push", "--quiet", "origin", "main")
    assert await reader.error("git_revert_changes", commit="main") == "not_reverted"  # a merge


@pytest.mark.parametrize(
    ("tool", "args", "code"),
    [
        ("git_log", {"repository": "other"}, "unknown_repository"),
        ("git_log", {"revision": "nothing"}, "unknown_revision"),
        ("git_log", {"revision": "main~99"}, "unknown_revision"),
        ("git_show", {"revision": "f" * 40}, "unknown_revision"),
        ("git_show", {"revision": "main", "file": "nothing"}, "unknown_path"),
        ("git_show", {"revision": "main", "file": "config"}, "unknown_path"),
        ("git_show", {"revision": "main", "file": "logo.png"}, "no_text"),
        ("git_blame", {"path": "nothing"}, "unknown_path"),
        ("git_blame", {"path": "page.html", "from_line": 9}, "unknown_path"),
        ("git_grep", {"text": "(", "regex": True}, "bad_expression"),
        ("git_log", {"since": "2025-13-45"}, "bad_time"),
        ("git_log", {"since": "yesterday"}, "bad_arguments"),
    ],
)
async def test_what_is_not_there_is_named(reader: Reader, tool: str, args: Mapping[str, Json], code: str) -> None:
    outcome = await call_tool(reader.tools[tool], CONTEXT, {"repository": "payments", **args}, pause=_no_pause)
    assert isinstance(outcome, Failed)
    assert outcome.error == code


REVISIONS = (
    "--output={mark}",
    "--exec={mark}",
    "-c core.pager={mark}",
    "--upload-pack=touch {mark}",
    "--no-index",
    "--ext-diff",
    "--textconv",
    "--all",
    "--git-dir=/etc",
    "--work-tree=/",
    "--config-env=core.sshCommand=X",
    "main..HEAD",
    "main:config/pool.toml",
    ":/Cut",
    "main@{0}",
    "@{-1}",
    "^main",
    "ext::sh -c touch% {mark}",
    "file://{mark}",
    "main;touch {mark}",
    "$(touch {mark})",
    "main\n--all",
)
PATHS = (
    "/etc/passwd",
    "../../etc/passwd",
    "config/../../x",
    ":(exclude)config",
    ":!config",
    ":(attr:x)config",
    "--output={mark}",
    "-",
    "config/*.toml",
    "config\\pool.toml",
)


@pytest.mark.parametrize("trick", REVISIONS)
async def test_no_trick_of_a_revision_reaches_git(reader: Reader, tmp_path: Path, trick: str) -> None:
    mark = tmp_path / "mark"
    trick = trick.replace("{mark}", str(mark))
    for tool, args in (
        ("git_log", {"revision": trick}),
        ("git_show", {"revision": trick}),
        ("git_diff", {"before": trick, "after": "main"}),
        ("git_diff", {"before": "main", "after": trick}),
        ("git_grep", {"text": "pool", "revision": trick}),
        ("git_blame", {"path": "page.html", "revision": trick}),
        ("git_revert_changes", {"commit": trick}),
        ("git_revert_changes", {"commit": "main", "branch": trick}),
    ):
        assert await reader.error(tool, **args) in ("unknown_revision", "bad_arguments")
    assert not mark.exists()


@pytest.mark.parametrize("trick", PATHS)
async def test_no_trick_of_a_path_means_anything_but_that_very_file(reader: Reader, tmp_path: Path, trick: str) -> None:
    mark = tmp_path / "mark"
    trick = trick.replace("{mark}", str(mark))
    assert await reader.error("git_show", revision="main", file=trick) == "unknown_path"
    assert await reader.error("git_blame", path=trick) == "unknown_path"
    for tool, args in (
        ("git_log", {}),
        ("git_diff", {"before": "main~3", "after": "main"}),
        ("git_grep", {"text": "pool"}),
    ):
        outcome = await reader.outcome(tool, path=trick, **args)
        found: Any = outcome.value if isinstance(outcome, Succeeded) else {}
        assert not any(found.get(key) for key in ("commits", "files", "matches"))
    assert not mark.exists()


@pytest.mark.parametrize("text", ["--output={mark}", "-e", "-f{mark}", "--open-files-in-pager=touch {mark}", "-O"])
async def test_no_trick_of_a_text_means_anything_but_these_words(
    reader: Reader, remote: BareRepository, tmp_path: Path, text: str
) -> None:
    mark = tmp_path / "mark"
    text = text.replace("{mark}", str(mark))
    commit = remote.commit(f"About {text}", {"odd.txt": f"x {text} y\n"})
    assert [match["path"] for match in (await reader.result("git_grep", text=text))["matches"]] == ["odd.txt"]
    for key in ("text", "message"):
        found = await reader.result("git_log", **{key: text})
        assert [one["id"] for one in found["commits"]] == [commit]
    assert (await reader.result("git_log", author=text))["commits"] == []
    assert not mark.exists()


async def test_a_hostile_repository_runs_nothing_and_hides_nothing(
    reader: Reader, remote: BareRepository, tmp_path: Path
) -> None:
    """Attributes name drivers, a tag is called like the branch, and a submodule and a link lead elsewhere."""
    mark = tmp_path / "mark"
    runs = f'#!/bin/sh\ntouch "{mark}"\n'
    (remote.folder / "hooks").mkdir(exist_ok=True)
    for hook in ("pre-receive", "post-update", "post-checkout", "reference-transaction"):
        (remote.folder / "hooks" / hook).write_text(runs)
    (tmp_path / "secret").write_text("hidden from you\n")
    (remote.work / "link").symlink_to(tmp_path / "secret")
    remote.do("update-index", "--add", "--cacheinfo", f"160000,{remote.head()},sub")
    remote.commit(
        "Look here",
        {
            ".gitattributes": "* diff=evil filter=evil merge=evil\n*.toml textconv=evil\n",
            ".gitmodules": f'[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch {mark}"\n',
            ".gitconfig": f"[core]\n\tpager = touch {mark}\n\tfsmonitor = touch {mark}\n",
        },
    )
    remote.do("tag", "main", "HEAD~3")
    remote.do("push", "--quiet", "origin", "refs/tags/main")
    assert subjects(await reader.result("git_log", revision="main", limit=1)) == ["Look here"]
    shown = await reader.result("git_show", revision="main")
    assert "hidden from you" not in json.dumps(shown)
    assert await reader.error("git_show", revision="main", file="link") == "unknown_path"
    assert await reader.error("git_show", revision="main", file="sub") == "unknown_path"
    assert not mark.exists()


async def test_a_clone_follows_its_remote_and_forgets_what_is_gone_there(
    reader: Reader, remote: BareRepository
) -> None:
    await reader.result("git_log")
    remote.do("checkout", "--quiet", "-b", "fix")
    remote.commit("On a branch", {"x": "1"}, branch="fix")
    assert subjects(await reader.result("git_log", revision="fix", limit=1)) == ["On a branch"]
    remote.do("push", "--quiet", "origin", ":fix")
    remote.do("push", "--quiet", "origin", "HEAD:refs/heads/fix/pool")  # no folder was there before
    assert await reader.error("git_log", revision="fix") == "unknown_revision"
    assert subjects(await reader.result("git_log", revision="fix/pool", limit=1)) == ["On a branch"]
    remote.do("checkout", "--quiet", "main")
    remote.do("reset", "--quiet", "--hard", "HEAD~1")
    remote.do("push", "--quiet", "--force", "origin", "main")
    assert subjects(await reader.result("git_log", limit=1)) == ["Cut the pool"]


async def test_a_fresh_clone_is_not_fetched_again_and_twenty_calls_fetch_once(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetches: list[str] = []
    reach = program.GitProgram.reach

    async def counted(self: program.GitProgram, folder: Path, *rest: Any) -> program.Printed:
        fetches.append(str(folder))
        return await reach(self, folder, *rest)

    monkeypatch.setattr(program.GitProgram, "reach", counted)
    reader = Reader(remote, tmp_path / "clones", fresh_seconds=3600.0)
    found = await asyncio.gather(*(reader.result("git_log", limit=1) for _ in range(20)))
    assert len(fetches) == 1
    remote.commit("Later", {"x": "1"})
    assert await reader.result("git_log", limit=1) == found[0]
    assert len(fetches) == 1


async def test_readers_that_know_nothing_of_each_other_share_a_clone(remote: BareRepository, tmp_path: Path) -> None:
    readers = [Reader(remote, tmp_path / "clones", fresh_seconds=0.0) for _ in range(4)]
    for number in range(3):
        remote.commit(f"Round {number}", {"x": str(number)})
        found = await asyncio.gather(*(reader.result("git_log", limit=1) for reader in readers))
        assert [subjects(one) for one in found] == [[f"Round {number}"]] * len(readers)


async def test_long_answers_end_early_and_say_so(remote: BareRepository, tmp_path: Path) -> None:
    remote.commit("Much", {"much.txt": "many words\n" * 20_000, "one.txt": "x" * 100_000})
    reader = Reader(remote, tmp_path / "clones", fresh_seconds=0.0, output_bytes=4096)
    shown = await reader.result("git_show", revision="main")
    assert shown["truncated"]
    assert len(shown["diff"]) <= 4096
    file = await reader.result("git_show", revision="main", file="much.txt")
    assert file["truncated"]
    assert len(file["text"]) <= 4096
    found = await reader.result("git_grep", text="many")
    assert found["truncated"]
    assert 0 < len(found["matches"]) <= 200


async def test_a_long_answer_ends_early_though_a_program_that_left_holds_the_pipes(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    leaves = "import os, time\nif os.fork() == 0:\n os.setsid()\n"
    tells = f" open({str(pid)!r}, 'w').write(str(os.getpid()))\n time.sleep(600)\n"
    waits = f"while not os.path.exists({str(pid)!r}):\n time.sleep(0.01)\n"
    in_place_of_git(tmp_path, monkeypatch, f"{leaves}{tells}{waits}os.write(1, b'x' * 50_000)\ntime.sleep(600)\n")
    try:
        printed = await program.GitProgram().run(remote.folder, ("log",), seconds=60.0, most_bytes=4096)
        assert printed.cut
        assert len(printed.output) == 4096
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("waits", ["for a command", "for a remote"])
async def test_what_takes_too_long_is_ended_with_all_it_started(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    """A program in git's place starts another one and hangs; both are gone when the call has failed."""
    pids = tmp_path / "pids"
    tells = f" open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
    hangs = f"import os, time\nif child := os.fork():\n{tells}time.sleep(600)\n"
    in_place_of_git(tmp_path, monkeypatch, hangs)
    if waits == "for a remote":
        reader = Reader(remote, tmp_path / "clones", fetch_seconds=3.0)
        (tmp_path / "clones" / "payments.git").mkdir(parents=True)
        (tmp_path / "clones" / "payments.git" / "HEAD").write_text("ref: refs/heads/main\n")
        assert await reader.error("git_log") == "unreachable"
    else:
        with pytest.raises(ToolError) as error:
            await program.GitProgram().run(remote.folder, ("log",), seconds=3.0)
        assert error.value.code == "too_slow"
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    async with asyncio.timeout(60):  # both are killed; only the one that we started tells its end
        while any(map(is_running, started)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


def in_place_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!{sys.executable}\n{script}")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def is_running(pid: int) -> bool:
    """Return whether a process is there and not only its end, which nobody asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_remote_that_is_away_or_no_repository_is_told(remote: BareRepository, tmp_path: Path) -> None:
    reader = Reader(remote, tmp_path / "clones", fresh_seconds=0.0)
    await reader.result("git_log", limit=1)
    remote.folder.rename(tmp_path / "away.git")
    assert await reader.error("git_log") == "unreachable"
    (tmp_path / "away.git").rename(remote.folder)
    assert await reader.result("git_log", limit=1)


async def test_without_git_the_tools_say_so(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(remote, tmp_path / "clones")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await reader.error("git_log") == "no_git"


async def test_git_knows_neither_our_environment_nor_anybodys_configuration(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, home = tmp_path / "mark", tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[alias]\n\tlog = !touch {mark}\n[core]\n\tpager = touch {mark}\n[log]\n\tshowSignature = true\n"
    )
    for name, value in {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_EXTERNAL_DIFF": f"touch {mark}",
        "GIT_PAGER": f"touch {mark}",
        "GIT_DIR": "/nowhere",
        "GIT_TRACE": str(tmp_path / "trace"),
        "SLACK_BOT_TOKEN": "xoxb-secret",
    }.items():
        monkeypatch.setenv(name, value)
    reader = Reader(remote, tmp_path / "clones")
    assert subjects(await reader.result("git_log", limit=1)) == ["Delete what is old"]
    assert (await reader.result("git_show", revision="main~1"))["diff"]
    assert not mark.exists()
    assert not (tmp_path / "trace").exists()
    assert "SLACK_BOT_TOKEN" not in program.git_environment()


async def test_a_token_goes_to_the_address_by_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What git is called with: no argument, which everybody on the machine can read, holds the token."""
    seen = tmp_path / "seen"
    notes = f"import json, os, sys\njson.dump([sys.argv, dict(os.environ)], open({str(seen)!r}, 'w'))\nsys.exit(1)\n"
    in_place_of_git(tmp_path, monkeypatch, notes)
    monkeypatch.setenv("FORGE_TOKEN", "forge-0123456789")
    address = "https://git.example.com/payments.git"
    repository = RepositoryConfig(address=address, token=Secret(env="FORGE_TOKEN"))
    config = GitConfig(folder=tmp_path / "clones", repositories={"payments": repository})
    [log] = [tool for tool in git_tools(config) if tool.name == "git_log"]
    outcome = await call_tool(log, CONTEXT, {"repository": "payments"}, pause=_no_pause)
    assert isinstance(outcome, Failed)
    arguments, environment = cast("tuple[list[str], dict[str, str]]", json.loads(seen.read_text()))
    assert address in arguments
    assert "forge-0123456789" not in " ".join(arguments)
    assert environment["GIT_CONFIG_KEY_0"] == f"http.{address}.extraHeader"
    assert environment["GIT_CONFIG_VALUE_0"].startswith("Authorization: Basic ")
    assert environment["GIT_ALLOW_PROTOCOL"] == "https"
    assert "FORGE_TOKEN" not in environment
    assert "forge-0123456789" not in outcome.message


@asynccontextmanager
async def https_remote(remote: BareRepository, root: Path, login: str) -> AsyncGenerator[tuple[str, list[str]]]:
    """Serve a repository over https to whoever logs in so; yield its address and the headers it was asked with."""
    key, certificate = root / "key.pem", root / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, [*made, *named], check=True, capture_output=True)
    said: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        said.append(request.headers.get("Authorization", ""))
        if said[-1] != login:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(remote.folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
        body = await request.read()
        done = await asyncio.to_thread(
            subprocess.run, ["git", "http-backend"], input=body, env=environment, capture_output=True, check=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}/{remote.folder.name}", said
    finally:
        await runner.cleanup()


async def test_a_repository_is_cloned_over_https_with_its_token_from_a_server_that_proves_its_name(
    remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = "Basic " + base64.b64encode(b"x-access-token:forge-0123456789").decode()
    async with https_remote(remote, tmp_path, login) as (address, said):
        monkeypatch.setenv("FORGE_TOKEN", "forge-0123456789")
        repository = RepositoryConfig(address=address, token=Secret(env="FORGE_TOKEN"))
        config = GitConfig(folder=tmp_path / "clones", repositories={"payments": repository})

        async def log() -> Succeeded | Failed:
            [tool] = [tool for tool in git_tools(config) if tool.name == "git_log"]
            return await call_tool(tool, CONTEXT, {"repository": "payments", "limit": 1}, pause=_no_pause)

        outcome = await log()
        assert isinstance(outcome, Failed)
        assert (outcome.error, said) == ("unreachable", [])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        outcome = await log()
        assert isinstance(outcome, Succeeded)
        assert subjects(outcome.value) == ["Delete what is old"]
        assert set(said) == {login}
        monkeypatch.setenv("FORGE_TOKEN", "another-0123456789")
        outcome = await log()
        assert isinstance(outcome, Failed)
        assert outcome.error == "unreachable"
        assert "another-0123456789" not in outcome.message
