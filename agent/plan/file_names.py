"""The names of files, and the tools that read them by name. Pure.

A file is `TURN/NODE/NAME`: the output of a node that was too large for the run's state, or what its script or subagent
wrote.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.ids import NodeId, ToolName
from agent.plan.json_values import json_issue_in
from agent.plan.operations import Node, NodeKind
from agent.plan.references import NODE_ID, BadReference, Reference, pieces
from sandbox.script import Json, ToolCallRefused

FILES_LIST = ToolName("files_list")
FILES_HEAD = ToolName("files_head")
FILES_READ = ToolName("files_read")
FILES_GREP = ToolName("files_grep")
FILE_TOOLS = frozenset({FILES_LIST, FILES_HEAD, FILES_READ, FILES_GREP})
"""Green tools that read the files of their own thread."""

FILES_WRITE = ToolName("files_write")
"""What a script or subagent calls to keep a file. No plan can: it is no tool of the registry."""

OF_ONE_FILE = frozenset({FILES_HEAD, FILES_READ, FILES_GREP})
"""Those whose `name` may say which file they read."""

NAME_CHARACTERS = 100
WRITTEN_FILES = 20
"""The most files that one script or subagent keeps."""

WRITTEN_BYTES = 4 * 1024 * 1024
"""The most that they come to together."""

WRITTEN_CALL_BYTES = 1024 * 1024
"""The most that a subagent writes in one call: its text stands in the journal of its steps, too."""

_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_. -]{{0,{NAME_CHARACTERS - 1}}}", re.ASCII)
_PATH = re.compile(r"([1-9][0-9]{0,8})/([^/\s]{1,200})/([^/]{1,200})")
_SHORT = re.compile(rf"({NODE_ID.pattern})/[^/]{{1,200}}")
_OUTPUT = r"(?P=node)\.(?P<end>json|txt)(?![\w-]|\.\w)"
_MENTION = rf"[1-9][0-9]{{0,8}}/(?P<node>{NODE_ID.pattern})/(?:{_OUTPUT}|(?=[A-Za-z0-9_]))"
_IN_TEXT = re.compile(rf"(?<![\w./-]){_MENTION}", re.ASCII)
_IN_SCRIPT = re.compile(rf"(?<=[\"']){_MENTION}", re.ASCII)

_MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
}
_PLAIN = "text/plain; charset=utf-8"


def is_file_name(name: str) -> bool:
    """Return whether a script may give a file this name; the outputs of its own node have others."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".")


def file_to_write(
    args: Mapping[str, Json], node: NodeId, held: Mapping[str, int], most_bytes: int = WRITTEN_BYTES
) -> tuple[str, str]:
    """Return name and text of a call of `files_write`; `held` are the node's files so far, name -> bytes.

    Raises:
        ToolCallRefused: the file cannot be kept.
    """
    match args:
        case {"name": str(name), "text": str(text)} if len(args) == 2:
            pass
        case _:
            raise ToolCallRefused(f"{FILES_WRITE} takes name and text, both texts")
    if not is_file_name(name) or name in (f"{node}.json", f"{node}.txt"):
        raise ToolCallRefused(f"{name[:80]!r} is no name for a file: letters, digits, '.', '_' and '-', as report.md")
    if (issue := json_issue_in(text, strict_text=True)) is not None:
        raise ToolCallRefused(f"the text cannot be kept: {issue.message}")
    sizes = {**held, name: len(text.encode())}
    if sizes[name] > most_bytes:
        raise ToolCallRefused(f"{name} has {sizes[name]} bytes, and may have {most_bytes}; write it as several files")
    if len(sizes) > WRITTEN_FILES:
        raise ToolCallRefused(f"a step keeps {WRITTEN_FILES} files at most")
    if sum(sizes.values()) > WRITTEN_BYTES:
        raise ToolCallRefused(f"the files of a step come to {WRITTEN_BYTES} bytes at most")
    return name, text


def media_type_of(name: str) -> str:
    """Return the type of a text file by the end of its name."""
    return _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), _PLAIN)


def node_of(path: str) -> NodeId | None:
    """Return the node that made the file of this name; None when it is no file's name."""
    found = _PATH.fullmatch(path)
    return NodeId(found[2]) if found else None


def file_read_by(node: Node) -> str | None:
    """Return the file that a step reads, by the name that its plan wrote; None: it reads none, or another way."""
    name = _written_name(node)
    return name if node_of(name) else None


def prefix_searched_by(node: Node) -> str | None:
    """Return how the names begin of the files that a step searches; None: none, one, all, or unsaid."""
    searches = node.kind is NodeKind.TOOL and node.tool == FILES_GREP and "name" not in node.args
    prefix = node.args.get("prefix") if searches else None
    return prefix if isinstance(prefix, str) and prefix and not _refers(prefix) else None


def with_turn(node: Node, turn_of: Callable[[NodeId], int]) -> Node:
    """Return the node with the file that it reads named whole, where its plan wrote `NODE/NAME`.

    `turn_of` returns the turn of the file's node; 0: nobody knows it, and the name stays.
    """
    name = _written_name(node)
    found = _SHORT.fullmatch(name)
    turn = 0 if found is None else turn_of(NodeId(found[1]))
    return replace(node, args={**node.args, "name": f"{turn}/{name}"}) if turn else node


def _written_name(node: Node) -> str:
    name = node.args.get("name") if node.kind is NodeKind.TOOL and node.tool in OF_ONE_FILE else None
    return name if isinstance(name, str) and not _refers(name) else ""


class RenamedFiles:
    """Puts the files of other nodes into texts, in place of those of the nodes that these stand for."""

    def __init__(self, nodes: Mapping[NodeId, NodeId], turn: int, ends: Mapping[NodeId, str] | None = None) -> None:
        self._nodes = nodes
        self._turn = turn
        #: How the outputs' names end of those where it is known; those of the others end as they did.
        self._ends = ends or {}
        #: Of `nodes` those whose files a text named, and which of them by the name of their output.
        self.named: dict[NodeId, None] = {}
        self.outputs: set[NodeId] = set()

    def text(self, text: str) -> str:
        """Return a text with the new names; what stands in a longer path, as in a URL, is no file's name."""
        return _IN_TEXT.sub(self._renamed, text)

    def script(self, code: str) -> str:
        """Return a script with the new names, where they begin a literal."""
        return _IN_SCRIPT.sub(self._renamed, code)

    def _renamed(self, found: re.Match[str]) -> str:
        old = NodeId(found["node"])
        if (new := self._nodes.get(old)) is None:
            return found.group()
        self.named[old] = None
        if found["end"] is None:
            return f"{self._turn}/{new}/"
        self.outputs.add(old)
        return f"{self._turn}/{new}/{new}.{self._ends.get(old, found['end'])}"


def _refers(text: str) -> bool:
    try:
        return any(isinstance(piece, Reference) for piece in pieces(text))
    except BadReference:
        return True
