"""The red tools of git: branches and commits, through the API of the forge that keeps the repository.

A commit goes on top of what its card showed, or nowhere: a branch that moved is never written over. What takes a commit
back is another commit, with the edits reversed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall
from agent.preview import FileEdit, FilesPreview, Preview
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing, WorldChanged
from infra.tools.git.changes import (
    CHANGES,
    MOST_CHARACTERS,
    TEXT_CHARACTERS,
    Change,
    File,
    changed,
    changes_in,
    reversed_changes,
)
from infra.tools.git.clone import Clone
from infra.tools.git.forge import Forge, ForgeCommit, Moved, TreeChange
from infra.tools.git.history import Clones, commits, difference
from infra.tools.git.names import is_branch, is_commit_id, is_writable_path
from infra.tools.git.revert import changes_between
from sandbox.script import Json

CALL_KEY = "Greenlight-Call"
"""The trailer of a commit's message that says which approved call made it."""

_SUBJECT_CHARACTERS = 200
_LISTED_COMMITS = 20
_FROM = "A branch, or the whole id of a commit."
_REVERT = 'Revert "'
_FOLDER = "040000"
_EXECUTABLE = "100755"

_BRANCH: Mapping[str, Json] = {"type": "string", "minLength": 1, "maxLength": 200}
_COMMIT: Mapping[str, Json] = {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The branch that a call is about."""

    clone: Clone
    forge: Forge
    branch: str


class Branches:
    """The repositories whose forge is known, and what the tools do there."""

    def __init__(self, clones: Clones) -> None:
        self._clones = clones
        self._forges = {
            name: Forge(repository.api, repository.token)
            for name, repository in clones.config.repositories.items()
            if repository.api is not None and repository.token is not None
        }

    def target(self, args: Mapping[str, Json]) -> _Target:
        """Return the branch of a call.

        Raises:
            ToolError: there is no such repository, it can only be read, or that is no name of a branch.
        """
        clone, branch = self._clones.named(args), str(args["branch"])
        if (forge := self._forges.get(clone.name)) is None:
            raise ToolError("read_only", f"{clone.name} can only be read: no API of its forge is configured.")
        if not is_branch(branch):
            raise ToolError("bad_branch", f"{branch!r} is no name that a branch may have.")
        return _Target(clone=clone, forge=forge, branch=branch)

    @property
    def seconds(self) -> float:
        """The time that a call may take."""
        return self._clones.seconds + 30

    @property
    def repository(self) -> Mapping[str, Json]:
        """The schema of the argument that names a repository."""
        names = ", ".join(self._forges) or "none yet"
        return {"type": "string", "maxLength": 64, "description": f"One of: {names}."}


def writing_tools(clones: Clones) -> Sequence[Tool]:
    """Return the tools that change a repository at its forge."""
    at = Branches(clones)
    return (_create_branch(at), _delete_branch(at), _commit(at), _push(at))


def _create_branch(at: Branches) -> Tool:
    return Tool(
        name=ToolName("git_create_branch"),
        description="Make a branch of a git repository at the forge. Returns repository, branch and head.",
        arguments=_arguments(at, {"from": {**_BRANCH, "description": _FROM}}, ("branch",)),
        colour=Colour.RED,
        reversibility=Reversibility.REVERSIBLE,
        undoing=Undoing(inverse=_branch_deleted),
        call=partial(_make_branch, at),
        check=partial(_check_new_branch, at),
        precondition=partial(_new_branch, at),
        targets=("repository", "branch"),
        timeout_seconds=at.seconds,
    )


def _delete_branch(at: Branches) -> Tool:
    return Tool(
        name=ToolName("git_delete_branch"),
        description="Delete a branch of a git repository at the forge, while it stands at the commit head. Returns "
        "repository, branch and head.",
        arguments=_arguments(at, {"head": _COMMIT}, ("branch", "head")),
        colour=Colour.RED,
        reversibility=Reversibility.REVERSIBLE,
        undoing=Undoing(inverse=_branch_made_again),
        call=partial(_remove_branch, at),
        check=partial(_check_old_branch, at),
        precondition=partial(_old_branch, at),
        targets=("repository", "branch"),
        timeout_seconds=at.seconds,
    )


def _commit(at: Branches) -> Tool:
    return Tool(
        name=ToolName("git_commit"),
        description="Commit edits of files on a branch of a git repository, and push that to the forge. Returns "
        "repository, branch, head (the new commit), parent, files and page. It never goes over a branch that moved "
        "since people saw the edits.",
        arguments=_arguments(
            at,
            {
                "message": {"type": "string", "minLength": 1, "maxLength": 5000, "pattern": r"^[^\u0000]*$"},
                "changes": CHANGES,
                "base": {**_COMMIT, "description": "The commit whose files the edits were made of, where known."},
            },
            ("branch", "message", "changes"),
        ),
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_commit_reversed, before=partial(_before_commit, at), reversibility=_reversibility),
        preview=_preview,
        call=partial(_make_commit, at),
        check=partial(_check_commit, at),
        dry_run=partial(_describe_commit, at),
        precondition=partial(_head, at),
        targets=("repository", "branch"),
        timeout_seconds=at.seconds,
    )


def _push(at: Branches) -> Tool:
    return Tool(
        name=ToolName("git_push"),
        description="Move a branch of a git repository forward to a commit that is at the forge already, such as the "
        "head of another branch; never back or over other commits. Returns repository, branch, head and parent.",
        arguments=_arguments(at, {"commit": {**_BRANCH, "description": _FROM}}, ("branch", "commit")),
        colour=Colour.RED,
        reversibility=Reversibility.COMPENSABLE,
        undoing=Undoing(inverse=_commit_reversed, before=partial(_before_push, at), reversibility=_reversibility),
        call=partial(_move_branch, at),
        check=partial(_check_push, at),
        dry_run=partial(_describe_push, at),
        precondition=partial(_move, at),
        targets=("repository", "branch"),
        timeout_seconds=at.seconds,
    )


def _arguments(at: Branches, properties: Mapping[str, Json], required: Sequence[str]) -> Mapping[str, Json]:
    return {
        "type": "object",
        "properties": {"repository": at.repository, "branch": _BRANCH, **properties},
        "required": ["repository", *required],
        "additionalProperties": False,
    }


async def _standing(target: _Target) -> str:
    """Return the commit at which a branch stands at the forge.

    Raises:
        ToolError: there is no such branch.
    """
    if (head := await target.forge.head(target.branch)) is None:
        raise ToolError("unknown_revision", f"{target.clone.name} has no branch {target.branch!r}.")
    return head


async def _named_commit(target: _Target, name: str) -> str:
    """Return the commit that a whole id or a branch at the forge is.

    Raises:
        ToolError: it is neither.
    """
    if is_commit_id(name):
        return (await target.forge.commit(name)).id
    found = await target.forge.head(name) if is_branch(name) else None
    if found is None:
        raise ToolError("unknown_revision", f"{target.clone.name} has no branch {name!r}, nor is that a commit's id.")
    return found


def _check_expected(context: CallContext, key: str, found: str) -> None:
    """Return if a branch stands where the card said.

    Raises:
        WorldChanged: it stands elsewhere now.
    """
    expected = context.expected.get(key) if isinstance(context.expected, Mapping) else None
    if expected is not None and expected != found:
        raise WorldChanged


async def _check_new_branch(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> None:
    target = at.target(args)
    if await target.forge.head(target.branch) is not None:
        raise _is_there(target)
    await _source(target, args)


async def _new_branch(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return where the branch will begin, and where one of that name stands already."""
    target = at.target(args)
    head = await target.forge.head(target.branch)
    return {"from": await _source(target, args), **({} if head is None else {"head": head})}


async def _make_branch(at: Branches, context: CallContext, args: Mapping[str, Json]) -> Json:
    target = at.target(args)
    source = await _source(target, args)
    _check_expected(context, "from", source)
    if await target.forge.make_branch(context, target.branch, source) is Moved.REFUSED:
        raise _is_there(target)
    return _result(target, source)


async def _source(target: _Target, args: Mapping[str, Json]) -> str:
    return await _named_commit(target, str(args.get("from", target.clone.repository.branch)))


def _is_there(target: _Target) -> ToolError:
    return ToolError("name_taken", f"{target.clone.name} has a branch {target.branch!r} already. Nothing was changed.")


def _branch_deleted(_context: CallContext, args: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    if not isinstance(output, Mapping):
        return None
    taken_back = {"repository": args["repository"], "branch": args["branch"], "head": output.get("head")}
    return InverseCall(
        tool=ToolName("git_delete_branch"),
        args=taken_back,
        resource=_resource(args),
        version_at="/head",
        version_in="/head",
    )


async def _check_old_branch(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> None:
    target = at.target(args)
    if target.branch == target.clone.repository.branch:
        raise ToolError("not_allowed", f"{target.branch} is the main branch of {target.clone.name}.")
    if await _standing(target) != args["head"]:
        raise ToolError("changed_since", f"{target.branch} does not stand at that commit. Nothing was changed.")


async def _old_branch(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    target = at.target(args)
    return {"head": await target.forge.head(target.branch)}


async def _remove_branch(at: Branches, context: CallContext, args: Mapping[str, Json]) -> Json:
    target = at.target(args)
    await _check_old_branch(at, context, args)
    if await target.forge.delete_branch(context, target.branch) is Moved.REFUSED:
        raise _refused(target)
    return _result(target, str(args["head"]))


def _branch_made_again(_context: CallContext, args: Mapping[str, Json], _output: Json, _before: Json) -> Inverse:
    made = {"repository": args["repository"], "branch": args["branch"], "from": args["head"]}
    return InverseCall(
        tool=ToolName("git_create_branch"),
        args=made,
        resource=_resource(args),
        version_in="/head",
        found=str(args["head"]),
    )


def _preview(args: Mapping[str, Json]) -> Sequence[Preview]:
    edits = tuple(
        FileEdit(path=edit.path, before=edit.before, after=edit.after, executable=edit.executable)
        for edits in changes_in(args).values()
        for edit in edits
    )
    return [FilesPreview(covers=("changes",), edits=edits)]


async def _check_commit(at: Branches, context: CallContext, args: Mapping[str, Json]) -> None:
    target = at.target(args)
    top = await target.forge.commit(await _standing(target))
    if not _is_of(context, top):
        await _files(target, args, top.id)


async def _head(at: Branches, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return the commit that the new one goes on top of."""
    target = at.target(args)
    top = await target.forge.commit(await _standing(target))
    return {"head": top.parents[0] if _is_of(context, top) else top.id}


async def _describe_commit(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return what the commit goes on top of, and what becomes of each file."""
    target = at.target(args)
    head = await _standing(target)
    files = await _files(target, args, head)
    [top] = await commits(target.clone, "--max-count=1", "--end-of-options", head)
    return {
        "on top of": _named(top),
        "files": {path: _became(before, after) for path, (before, after) in files.items()},
    }


async def _make_commit(at: Branches, context: CallContext, args: Mapping[str, Json]) -> Json:
    target = at.target(args)
    top = await target.forge.commit(await _standing(target))
    paths = list(changes_in(args))
    if _is_of(context, top):
        return _committed(target, top, top.parents[0], paths)
    _check_expected(context, "head", top.id)
    files = await _files(target, args, top.id)
    message = f"{str(args['message']).rstrip()}\n\n{CALL_KEY}: {context.idempotency_key}\n"
    tree = [
        TreeChange(
            path=path,
            text=None if after is None else after.text,
            executable=(after or before or File(text="")).executable,
        )
        for path, (before, after) in files.items()
    ]
    made = await target.forge.make_commit(context, top, message, tree)
    await _moved(target, context, made.id, top.id)
    return _committed(target, made, top.id, paths)


async def _moved(target: _Target, context: CallContext, commit: str, head: str) -> None:
    """Move the branch forward from the commit at which it stands.

    Raises:
        WorldChanged: it does not stand there any more.
        ToolError: the forge refuses it, or nobody knows if it moved.
    """
    if await target.forge.move(context, target.branch, commit) is Moved.REFUSED:
        if await target.forge.head(target.branch) != head:
            raise WorldChanged
        raise _refused(target)


async def _files(target: _Target, args: Mapping[str, Json], head: str) -> Mapping[str, tuple[File | None, File | None]]:
    """Return path -> what stands there in a commit, and what stands there after the edits.

    Raises:
        ToolError: the edits do not fit, or are of files that are no texts.
    """
    clone = target.clone
    await clone.fetched(needs=head)
    base = str(args.get("base", ""))
    if base:
        await clone.fetched(needs=base)
    files: dict[str, tuple[File | None, File | None]] = {}
    for path, edits in changes_in(args).items():
        if not is_writable_path(path):
            raise ToolError("unknown_path", f"{path!r} is no path at which a file can be.")
        if base and await clone.entry(base, path) != await clone.entry(head, path):
            raise ToolError("changed_since", f"{path} was changed since. Nothing was changed now.")
        before = await _file(clone, head, path)
        files[path] = (before, changed(path, before, edits))
    return files


async def _file(clone: Clone, commit: str, path: str) -> File | None:
    entry = await clone.entry(commit, path)
    if entry is None:
        folders = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
        for folder in folders:
            if (above := await clone.entry(commit, folder)) is not None and above.mode != _FOLDER:
                raise ToolError("does_not_fit", f"{folder} is no folder.")
        return None
    if not entry.is_file:
        raise ToolError("no_text", f"{path} is no ordinary file.")
    return File(text=await clone.text(entry.id, path), executable=entry.mode == _EXECUTABLE)


async def _before_commit(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return the edits that would take these back, and the commit on top of which they would have been made."""
    target = at.target(args)
    head = await _standing(target)
    by_path = changes_in(args)
    files = await _files(target, args, head)
    back = [change for path, (before, _) in files.items() for change in reversed_changes(path, before, by_path[path])]
    return _kept(head, back)


def _kept(head: str, changes: Sequence[Change]) -> Json:
    """Return edits to keep; None: they are too long for a card."""
    sizes = [len(text) for change in changes for text in (change.before or "", change.after or "")]
    if sum(sizes) > MOST_CHARACTERS or max(sizes, default=0) > TEXT_CHARACTERS:
        return None
    return {"head": head, "changes": [change.as_json() for change in changes]}


def _reversibility(_args: Mapping[str, Json], before: Json) -> Reversibility:
    return Reversibility.FINAL if before is None else Reversibility.COMPENSABLE


def _commit_reversed(_context: CallContext, args: Mapping[str, Json], output: Json, before: Json) -> Inverse:
    """Return the commit with the reversed edits, of files that are still as this call left them."""
    if not isinstance(output, Mapping) or not isinstance(before, Mapping) or before["head"] != output["parent"]:
        return None
    head = str(output["head"])
    message = f"{_reverted(str(args.get('message', '')), head)}\n\nThis reverts commit {head}."
    return InverseCall(
        tool=ToolName("git_commit"),
        args={
            "repository": args["repository"],
            "branch": args["branch"],
            "message": message,
            "changes": before["changes"],
            "base": head,
        },
        resource=_resource(args),
        version_at="/base",
        version_in="/head",
        found=str(output["parent"]),
    )


def _reverted(message: str, commit: str) -> str:
    """Return the first line of the message of a revert; that of a revert's revert says so."""
    subject = message.strip().partition("\n")[0][:_SUBJECT_CHARACTERS] or f"{commit[:12]}"
    if subject.startswith(_REVERT) and subject.endswith('"'):
        return f'Reapply "{subject.removeprefix(_REVERT)[:-1]}"'
    return f'Revert "{subject}"'


async def _check_push(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> None:
    target = at.target(args)
    head, commit = await _standing(target), await _named_commit(target, str(args["commit"]))
    if head == commit:
        raise ToolError("already_there", f"{target.branch} stands at {commit[:12]} already.")
    await _check_forward(target, head, commit)


async def _check_forward(target: _Target, head: str, commit: str) -> None:
    for needed in (head, commit):
        await target.clone.fetched(needs=needed)
    if (await target.clone.run("merge-base", "--is-ancestor", head, commit)).code != 0:
        words = f"{commit[:12]} is not on top of {target.branch}, which stands at {head[:12]}. Nothing was changed."
        raise ToolError("not_forward", words)


async def _move(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return from where to where the branch will move."""
    target = at.target(args)
    return {"head": await _standing(target), "commit": await _named_commit(target, str(args["commit"]))}


async def _describe_push(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return the commits that the branch gets, and the files that they change."""
    target = at.target(args)
    head, commit = await _standing(target), await _named_commit(target, str(args["commit"]))
    await _check_forward(target, head, commit)
    limit = f"--max-count={_LISTED_COMMITS + 1}"
    found = await commits(target.clone, limit, "--end-of-options", f"{head}..{commit}")
    more = ["..."] if len(found) > _LISTED_COMMITS else []
    return {
        "commits": [*map(_named, found[:_LISTED_COMMITS]), *more],
        "files": (await difference(target.clone, (head, commit)))["files"],
    }


async def _move_branch(at: Branches, context: CallContext, args: Mapping[str, Json]) -> Json:
    target = at.target(args)
    head, commit = await _standing(target), await _named_commit(target, str(args["commit"]))
    _check_expected(context, "commit", commit)
    if head != commit:
        _check_expected(context, "head", head)
        await _check_forward(target, head, commit)
        await _moved(target, context, commit, head)
    return {**_result(target, commit), "parent": head}


async def _before_push(at: Branches, _context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return the edits that would take back what the branch gets, and where it stands."""
    target = at.target(args)
    head, commit = await _standing(target), await _named_commit(target, str(args["commit"]))
    await _check_forward(target, head, commit)
    return _kept(head, await changes_between(target.clone, commit, head))


def _resource(args: Mapping[str, Json]) -> str:
    return f"git:{args['repository']}:{args['branch']}"


def _result(target: _Target, head: str) -> Mapping[str, Json]:
    return {"repository": target.clone.name, "branch": target.branch, "head": head}


def _committed(target: _Target, commit: ForgeCommit, parent: str, paths: Sequence[str]) -> Json:
    page = {"page": commit.page} if commit.page else {}
    return {**_result(target, commit.id), "parent": parent, "files": list[Json](paths), **page}


def _is_of(context: CallContext, commit: ForgeCommit) -> bool:
    """Return whether an earlier try of this very call made the commit."""
    return f"{CALL_KEY}: {context.idempotency_key}" in commit.message.split("\n") and bool(commit.parents)


def _refused(target: _Target) -> ToolError:
    words = f"The forge does not let us change {target.branch}; a rule may protect it. Nothing was changed."
    return ToolError("not_allowed", words)


def _named(commit: Mapping[str, Json]) -> str:
    return f"{str(commit['id'])[:12]} {commit['subject']} ({commit['author']})"


def _became(before: File | None, after: File | None) -> str:
    return "new" if before is None else "deleted" if after is None else "edited"
