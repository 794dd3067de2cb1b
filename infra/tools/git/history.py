"""The green tools of git: what was committed, by whom, what it changed, and what stands where."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.git.clone import Clone, first_line, text_of
from infra.tools.git.names import is_path
from infra.tools.git.settings import GitConfig
from sandbox.script import Json

_MOST_COMMITS = 100
_USUAL_COMMITS = 20
_MOST_MATCHES = 200
_MOST_LINES = 400
_LINE_CHARACTERS = 400
_BODY_CHARACTERS = 2000
_NULS = 2
"""Those that `git grep --null` prints in a line: behind the path and behind the line's number."""

_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
_FIELDS = ("%H", "%P", "%an", "%aI", "%cI", "%B")
_SPECIAL = re.compile(r"[.\[\]{}()*+?^$|\\]")

_ONE_LINE: Mapping[str, Json] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\r\n\u0000]*$"}
REVISION: Mapping[str, Json] = {
    **_ONE_LINE,
    "description": "A branch, a tag or a commit id, also with ~2 or ^ behind it.",
}
PATH: Mapping[str, Json] = {"type": "string", "minLength": 1, "maxLength": 500, "description": "A file or folder."}


@dataclass(frozen=True, kw_only=True)
class Clones:
    """The repositories that plans may name."""

    by_name: Mapping[str, Clone]
    config: GitConfig

    def named(self, args: Mapping[str, Json]) -> Clone:
        """Return the repository of a call.

        Raises:
            ToolError: there is none of that name.
        """
        name = str(args["repository"])
        if (clone := self.by_name.get(name)) is None:
            names = ", ".join(self.by_name) or "none"
            raise ToolError("unknown_repository", f"There is no repository {name!r}; there are: {names}.")
        return clone

    @property
    def argument(self) -> Mapping[str, Json]:
        """The schema of the argument that names one."""
        return {"type": "string", "maxLength": 64, "description": f"One of: {', '.join(self.by_name) or 'none yet'}."}

    @property
    def seconds(self) -> float:
        """The time that a call may take: it may have to clone first."""
        return self.config.fetch_seconds + 3 * self.config.command_seconds


Reading = Callable[[Clone, Mapping[str, Json]], Awaitable[Json]]
"""What a tool does with the repository that a call names."""


def reading_tools(clones: Clones) -> Sequence[Tool]:
    """Return the tools that only read."""
    limit = {"type": "integer", "minimum": 1, "maximum": _MOST_COMMITS}
    line = {"type": "integer", "minimum": 1}
    return (
        reading_tool(
            clones,
            "git_log",
            "List commits of a git repository, the newest first: of a branch, a path, a time, an author, or those that "
            "changed lines with a text. Returns commits (id, parents, author, at, subject, body) and more, which says "
            "whether there are further ones.",
            {
                "revision": REVISION,
                "path": PATH,
                "since": {"type": "string", "pattern": _TIME, "description": "An ISO time, UTC unless it says so."},
                "until": {"type": "string", "pattern": _TIME},
                "author": _ONE_LINE,
                "message": {**_ONE_LINE, "description": "A text in the commit's message."},
                "text": {**_ONE_LINE, "description": "A text in a line that the commit added, removed or changed."},
                "limit": {**limit, "description": "How many at most; 20 unless it is given."},
            },
            (),
            _log,
        ),
        reading_tool(
            clones,
            "git_show",
            "Show a commit of a git repository: its message, files (path, added, removed) and diff against its first "
            "parent. With file: that file as it is there, from from_line on. Long texts end early; truncated says so.",
            {"revision": REVISION, "file": PATH, "from_line": line},
            ("revision",),
            _show,
        ),
        reading_tool(
            clones,
            "git_diff",
            "Show how one revision of a git repository differs from another: files (path, added, removed) and diff.",
            {"before": REVISION, "after": REVISION, "path": PATH},
            ("before", "after"),
            _diff,
        ),
        reading_tool(
            clones,
            "git_grep",
            f"Search the files of a git repository. Returns matches (path, line, text), {_MOST_MATCHES} at most.",
            {
                "text": {**_ONE_LINE, "description": "The words to find, as they are; with regex a POSIX one (ERE)."},
                "regex": {"type": "boolean"},
                "ignore_case": {"type": "boolean"},
                "revision": REVISION,
                "path": PATH,
            },
            ("text",),
            _grep,
        ),
        reading_tool(
            clones,
            "git_blame",
            "Say of each line of a file of a git repository which commit wrote it. Returns lines (line, commit, "
            f"author, at, subject, text), {_MOST_LINES} at most.",
            {"path": PATH, "revision": REVISION, "from_line": line, "to_line": line},
            ("path",),
            _blame,
        ),
    )


def reading_tool(
    clones: Clones,
    name: str,
    description: str,
    properties: Mapping[str, Json],
    required: Sequence[str],
    read: Reading,
) -> Tool:
    """Return a green tool on one of the repositories."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        return await read(clones.named(args), args)

    return Tool(
        name=ToolName(name),
        description=description,
        arguments={
            "type": "object",
            "properties": {"repository": clones.argument, **properties},
            "required": ["repository", *required],
            "additionalProperties": False,
        },
        colour=Colour.GREEN,
        call=call,
        returns_outside_text=True,
        retryable=True,
        timeout_seconds=clones.seconds,
    )


async def commits(clone: Clone, *arguments: str, path: str = "") -> Sequence[Mapping[str, Json]]:
    """Return the commits that `git log` lists with these arguments, as people read them."""
    printed = await clone.printed(
        "log", "-z", f"--format={'%x00'.join(_FIELDS)}", *arguments, "--", *([path] * bool(path))
    )
    texts = printed.output.decode("utf-8", "replace").split("\0")
    whole = len(texts) // len(_FIELDS)
    rows = [texts[at * len(_FIELDS) : (at + 1) * len(_FIELDS)] for at in range(whole)]
    return [_commit(*row) for row in rows]


def _commit(id: str, parents: str, author: str, written: str, committed: str, message: str) -> Mapping[str, Json]:
    subject, _, body = message.strip().partition("\n")
    return {
        "id": id,
        "parents": list[Json](parents.split()),
        "author": author,
        "at": committed,
        **({"written_at": written} if written != committed else {}),
        "subject": subject[:_LINE_CHARACTERS],
        "body": body.strip()[:_BODY_CHARACTERS],
    }


async def _log(clone: Clone, args: Mapping[str, Json]) -> Json:
    commit = await clone.commit(str(args.get("revision", "HEAD")))
    limit = cast("int", args.get("limit", _USUAL_COMMITS))
    path = _path(args)
    wanted = [f"--max-count={limit + 1}"]
    for name, option in (("since", "--since"), ("until", "--until")):
        if name in args:
            wanted.append(f"{option}={_time(str(args[name]))}")
    for name, option in (("author", "--author"), ("message", "--grep")):
        if name in args:
            wanted += [f"{option}={args[name]}", "--fixed-strings", "--regexp-ignore-case"]
    if "text" in args:
        wanted += ["-G", _SPECIAL.sub(r"\\\g<0>", str(args["text"])), "--no-ext-diff", "--no-textconv"]
    found = await commits(clone, *wanted, "--end-of-options", commit, path=path)
    return {"commits": cast("Json", found[:limit]), "more": len(found) > limit}


async def _show(clone: Clone, args: Mapping[str, Json]) -> Json:
    commit = await clone.commit(str(args["revision"]))
    if "file" in args:
        return await _file(clone, commit, str(args["file"]), cast("int", args.get("from_line", 1)))
    [shown] = await commits(clone, "--max-count=1", "--end-of-options", commit)
    parents = cast("Sequence[str]", shown["parents"])
    trees = (parents[0], commit) if parents else ("--root", "--no-commit-id", commit)
    return {"commit": shown, **await difference(clone, trees)}


async def _file(clone: Clone, commit: str, path: str, from_line: int) -> Json:
    entry = await clone.entry(commit, path)
    if entry is None or not entry.is_file:
        raise ToolError("unknown_path", f"There is no file {path!r} in {commit[:12]} of {clone.name}.")
    printed = await clone.blob(entry.id)
    if text_of(printed.output) is None and not printed.cut:
        raise ToolError("no_text", f"{path} is no text.")
    rest = printed.text.split("\n")[from_line - 1 :]
    text = "\n".join(rest)
    shown = text.encode()[: clone.output_bytes].decode("utf-8", "ignore")
    return {"commit": commit, "path": path, "text": shown, "truncated": printed.cut or shown != text}


async def _diff(clone: Clone, args: Mapping[str, Json]) -> Json:
    before, after = [await clone.commit(str(args[name])) for name in ("before", "after")]
    return {"before": before, "after": after, **await difference(clone, (before, after), _path(args))}


async def difference(clone: Clone, trees: Sequence[str], path: str = "") -> Mapping[str, Json]:
    """Return `{"files", "diff", "truncated"}` of two trees, or of one without a parent."""
    plain = ("--no-ext-diff", "--no-textconv", "--submodule=short", "-r")
    where = ("--", *([path] * bool(path)))
    counted = await clone.printed("diff-tree", *plain, "-z", "--no-renames", "--numstat", *trees, *where)
    diff = await clone.printed("diff-tree", *plain, "--find-renames", "--patch", *trees, *where)
    files = counted.output.decode("utf-8", "replace").split("\0")
    whole = files[:-1]  # what was cut, or the nothing behind the last one
    return {
        "files": [_file_counts(line) for line in whole],
        "diff": diff.text,
        "truncated": diff.cut or counted.cut,
    }


def _file_counts(line: str) -> Json:
    added, removed, path = line.split("\t", 2)
    if not added.isdigit():
        return {"path": path, "binary": True}
    return {"path": path, "added": int(added), "removed": int(removed)}


async def _grep(clone: Clone, args: Mapping[str, Json]) -> Json:
    commit = await clone.commit(str(args.get("revision", "HEAD")))
    path = _path(args)
    how = [
        "--extended-regexp" if args.get("regex") else "--fixed-strings",
        *(["--ignore-case"] if args.get("ignore_case") else []),
    ]
    arguments = ["grep", "--null", "--line-number", "--no-color", "-I", "--no-textconv", *how, "-e", str(args["text"])]
    printed = await clone.run(*arguments, commit, "--", *([path] * bool(path)))
    if printed.code not in (0, 1) and not printed.cut:
        raise ToolError("bad_expression", f"git cannot search for that: {first_line(printed.errors)}")
    found = [_match(line, commit) for line in printed.text.split("\n") if line.count("\0") >= _NULS]
    truncated = printed.cut or len(found) > _MOST_MATCHES
    return {"commit": commit, "matches": found[:_MOST_MATCHES], "truncated": truncated}


def _match(line: str, commit: str) -> Json:
    path, number, text = line.split("\0", _NULS)
    return {"path": path.removeprefix(f"{commit}:"), "line": int(number), "text": text[:_LINE_CHARACTERS]}


async def _blame(clone: Clone, args: Mapping[str, Json]) -> Json:
    commit = await clone.commit(str(args.get("revision", "HEAD")))
    path, first = _path(args), cast("int", args.get("from_line", 1))
    if await clone.entry(commit, path) is None:
        raise ToolError("unknown_path", f"There is no file {path!r} in {commit[:12]} of {clone.name}.")
    last = min(cast("int", args.get("to_line", first + _MOST_LINES - 1)), first + _MOST_LINES - 1)
    printed = await clone.run(
        "blame", "--line-porcelain", "--no-progress", "-L", f"{first},{max(first, last)}", commit, "--", path
    )
    if printed.code != 0 and not printed.cut:
        raise ToolError("unknown_path", f"{path} has no line {first}.")
    return {"commit": commit, "path": path, "lines": list[Json](_blamed(printed.text)), "truncated": printed.cut}


def _blamed(porcelain: str) -> Iterator[Json]:
    """Yield the lines that `git blame --line-porcelain` tells of: heads, then the line behind a tab."""
    head: dict[str, str] = {}
    for line in porcelain.split("\n"):
        if line.startswith("\t"):
            commit, _, number = (head.get("") or "").split(" ")[:3]
            at = datetime.fromtimestamp(int(head.get("author-time", "0")), UTC).isoformat()
            names = {"author": head.get("author", ""), "at": at, "subject": head.get("summary", "")[:_LINE_CHARACTERS]}
            yield {"line": int(number), "commit": commit, **names, "text": line[1 : _LINE_CHARACTERS + 1]}
            head = {}
        else:
            name, _, value = line.partition(" ")
            head.setdefault(name if head else "", value if head else line)


def _path(args: Mapping[str, Json]) -> str:
    path = str(args.get("path", ""))
    if path and not is_path(path):
        raise ToolError("unknown_path", f"{path!r} is no path inside a repository.")
    return path


def _time(text: str) -> str:
    """Return a time as git reads it; a day alone is its beginning."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ToolError("bad_time", f"{text!r} is no time.") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(timespec="seconds")
