"""The names that plans may use of branches, revisions and files. Pure.

git gives some texts a meaning of their own: options, ranges, `rev:path`, `@{upstream}`, `:(magic)`. None passes.
"""

import re

_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+#=-]{0,199}")
_REVISION = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._/+#=-]{0,199})((?:\^|~[0-9]{1,4}){0,20})")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

MOST_PATH_CHARACTERS = 500

_GIT_FOLDERS = re.compile(r"\.git[ .]*|git~[0-9]+", re.IGNORECASE)
"""The names under which some file system finds a repository's own folder."""


def is_branch(name: str) -> bool:
    """Return whether a branch may have this name (git-check-ref-format, and nothing that only looks like a commit)."""
    parts = name.split("/")
    return (
        _BRANCH.fullmatch(name) is not None
        and not is_commit_id(name)
        and name != "HEAD"
        and ".." not in name
        and not name.endswith(".")
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )


def is_commit_id(text: str) -> bool:
    """Return whether a text is a whole commit id."""
    return _COMMIT_ID.fullmatch(text) is not None


def revision_parts(text: str) -> tuple[tuple[str, ...], str] | None:
    """Return the refs and ids that a revision may mean, the likeliest first, and its `~2^`; None: it is none."""
    if (found := _REVISION.fullmatch(text)) is None:
        return None
    name, suffix = found[1], found[2]
    refs = (f"refs/heads/{name}", f"refs/tags/{name}") if is_branch(name) else ()
    ids = (name,) if _ABBREVIATED.fullmatch(name) else ()
    return ((*refs, *ids), suffix) if refs or ids else None


def is_path(path: str) -> bool:
    """Return whether a text is the path of a file or folder inside a repository."""
    parts = path.split("/")
    return (
        0 < len(path) <= MOST_PATH_CHARACTERS
        and _CONTROL.search(path) is None
        and "\\" not in path
        and all(part not in ("", ".", "..") for part in parts)
    )


def is_writable_path(path: str) -> bool:
    """Return whether a file may be written there: no clone takes it for a part of its own repository."""
    return is_path(path) and not any(_GIT_FOLDERS.fullmatch(part) for part in path.split("/"))
