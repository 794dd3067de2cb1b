"""Works out edits from a clone: those that revert a commit on a branch, and those between two commits."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from agent.tool import Tool, ToolError
from infra.tools.git.changes import MOST_CHANGES, MOST_CHARACTERS, Change, line_edits
from infra.tools.git.clone import Clone, TreeEntry
from infra.tools.git.history import REVISION, Clones, commits, reading_tool
from infra.tools.git.names import is_branch
from sandbox.script import Json

_PATCH_BYTES = 4 * 1024 * 1024
_DELETED_MODE = "000000"


def revert_changes(clones: Clones) -> Tool:
    """Return the tool; it changes nothing."""
    return reading_tool(
        clones,
        "git_revert_changes",
        "Work out the revert of a commit of a git repository on a branch as it is now, and change nothing. Returns "
        "branch, base, message and changes, which are arguments for git_commit.",
        {"commit": REVISION, "branch": {"type": "string", "description": "The usual one unless it is given."}},
        ("commit",),
        _reverted,
    )


async def _reverted(clone: Clone, args: Mapping[str, Json]) -> Json:
    branch = str(args.get("branch", clone.repository.branch))
    if not is_branch(branch):
        raise ToolError("unknown_revision", f"{branch!r} is no name of a branch.")
    commit = await clone.commit(str(args["commit"]))
    head = await clone.commit(branch)
    [shown] = await commits(clone, "--max-count=1", "--end-of-options", commit)
    parents = cast("Sequence[str]", shown["parents"])
    if len(parents) != 1:
        what = "a merge; revert the commits that it merged" if parents else "the first one"
        raise ToolError("not_reverted", f"{commit[:12]} is {what}.")
    if (await clone.run("merge-base", "--is-ancestor", commit, head)).code != 0:
        raise ToolError("not_reverted", f"{commit[:12]} is not part of {branch}.")
    changes = await changes_between(clone, head, await _tree_without(clone, commit, parents[0], head))
    if not changes:
        raise ToolError("not_reverted", f"{branch} holds nothing of {commit[:12]} any more.")
    return {
        "repository": clone.name,
        "branch": branch,
        "base": head,
        "commit": shown,
        "message": f'Revert "{shown["subject"]}"\n\nThis reverts commit {commit}.',
        "changes": [change.as_json() for change in changes],
    }


async def _tree_without(clone: Clone, commit: str, parent: str, head: str) -> str:
    """Return the tree of a branch's head without what a commit changed, merged as git does.

    Raises:
        ToolError: what it changed was changed again since.
    """
    plain = ("--no-ext-diff", "--no-textconv", "--no-renames", "-r", "--full-index", "--binary", "--patch")
    patch = await clone.printed("diff-tree", *plain, commit, parent, most_bytes=_PATCH_BYTES)
    if patch.cut:
        raise ToolError("too_large_change", f"{commit[:12]} changes too much to be shown on a card.")
    with tempfile.TemporaryDirectory(prefix="greenlight-git-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        await clone.printed("read-tree", head, extra=index)
        applied = await clone.run(
            "apply", "--cached", "--3way", "--whitespace=nowarn", "-", given=patch.output, extra=index
        )
        if applied.code != 0:
            words = f"What {commit[:12]} changed was changed again since; its revert takes a person."
            raise ToolError("not_reverted", words)
        return (await clone.printed("write-tree", extra=index)).text.strip()


async def changes_between(clone: Clone, before: str, after: str) -> Sequence[Change]:
    """Return the edits that make one tree of another.

    Raises:
        ToolError: they are too many for a card, or about something else than texts.
    """
    plain = ("--no-ext-diff", "--no-textconv", "--no-renames", "-r", "-z", "--full-index", "--raw")
    listed = await clone.printed("diff-tree", *plain, before, after)
    words = listed.output.decode("utf-8", "replace").split("\0")[:-1]
    if listed.cut or len(words) > 2 * MOST_CHANGES:
        raise ToolError("too_large_change", "That changes too many files to be shown on a card.")
    changes: list[Change] = []
    for head, path in zip(words[::2], words[1::2], strict=True):
        old_mode, new_mode, old, new, _ = head.removeprefix(":").split(" ")
        changes += await _file_changes(clone, path, TreeEntry(mode=old_mode, id=old), TreeEntry(mode=new_mode, id=new))
    if sum(len(change.before or "") + len(change.after or "") for change in changes) > MOST_CHARACTERS:
        raise ToolError("too_large_change", "That changes too much to be shown on a card.")
    return changes


async def _file_changes(clone: Clone, path: str, old: TreeEntry, new: TreeEntry) -> Sequence[Change]:
    there = [entry for entry in (old, new) if entry.mode != _DELETED_MODE]
    if not all(entry.is_file for entry in there) or len({entry.mode for entry in there}) > 1:
        raise ToolError("no_text", f"{path} changes otherwise than in its text.")
    before, after = [await clone.text(entry.id, path) if entry in there else None for entry in (old, new)]
    if before is None or after is None:
        executable = there[0].mode == "100755"
        return [Change(path=path, before=before, after=after, executable=executable)]
    return line_edits(path, before, after, await _hunks(clone, old.id, new.id))


async def _hunks(clone: Clone, old: str, new: str) -> Sequence[tuple[int, int, int, int]]:
    """Return the hunks of the difference of two files, as `line_edits` takes them."""
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--text", "--unified=0", "--no-renames")
    printed = await clone.printed("diff", *plain, old, new, most_bytes=_PATCH_BYTES)
    if printed.cut:
        raise ToolError("too_large_change", "That changes too much to be shown on a card.")
    heads = [line.split(" ")[1:3] for line in printed.text.split("\n") if line.startswith("@@ -")]
    return [(*_lines(removed), *_lines(added)) for removed, added in heads]


def _lines(numbers: str) -> tuple[int, int]:
    """Return the first line, counted from 0, and the number of lines of `-3,2`, `+7` or `+7,0`."""
    first, _, count = numbers[1:].partition(",")
    number = int(count or "1")
    # Of no line git names the one before it.
    return int(first) - (1 if number else 0), number
