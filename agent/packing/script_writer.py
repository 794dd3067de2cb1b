"""The script of a packed chain: its steps one after the other, written without a model. Pure.

It uses only the Python that both sandboxes know. Each step's result is a local variable; a reference
to a step becomes an expression over it, a reference to any other node an entry of `inputs`.
"""

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.ids import NodeId, ToolName
from agent.packing.embedding import CannotEmbed, Embedded, embedded
from agent.plan.operations import Node, NodeKind
from agent.plan.references import Reference, pieces
from sandbox.script import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
_OURS = frozenset({"json", "main", "inputs", "tools", "atools", "asyncio", "ToolError"})
_RESERVED = _OURS.union(dir(builtins), keyword.kwlist, keyword.softkwlist)

_PART = """\
def _part(value, *path):
    for key in path:
        if isinstance(value, dict):
            key = str(key)
        elif not isinstance(value, list):
            raise LookupError("an earlier result has nothing at " + repr(list(path)))
        value = value[key]
    return value
"""
_TEXT = """\
def _text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
"""
_PLAIN = """\
def _plain(value):
    return json.loads(json.dumps(value, allow_nan=False))
"""


HELPERS: Mapping[str, str] = {"_part": _PART, "_text": _TEXT, "_plain": _PLAIN}
"""The functions that a script brings along when its steps need them."""


@dataclass(frozen=True, kw_only=True)
class PackedScript:
    """A chain as one script."""

    code: str
    #: Taken from other nodes.
    inputs: Mapping[str, Json]
    #: The tools that it calls.
    tools: tuple[ToolName, ...]


@dataclass(frozen=True, kw_only=True)
class CannotPack:
    """A step cannot be a part of a longer script."""

    step: NodeId
    why: str


def callable_by_name(tool: str) -> bool:
    """Return whether a script can write `tools.<tool>`."""
    return tool.isidentifier() and not keyword.iskeyword(tool) and not tool.startswith("__")


def fitness(node: Node) -> CannotPack | None:
    """Return why a node can be no step of a longer script, or None."""
    if node.kind is NodeKind.TOOL:
        fit = callable_by_name(node.tool or "")
        return None if fit else CannotPack(step=node.id, why="a script cannot write its tool's name")
    script = embedded(node.code, "_script")
    return CannotPack(step=node.id, why=script.value) if isinstance(script, CannotEmbed) else None


def packed_script(chain: Sequence[Node]) -> PackedScript | CannotPack:
    """Return the script that runs the steps in order and returns the last one's result."""
    scripts: dict[NodeId, Embedded] = {}
    for number, node in enumerate(chain, start=1):
        if (refused := fitness(node)) is not None:
            return refused
        if node.kind is NodeKind.PACKAGE:
            script = embedded(node.code, f"_script_{number}")
            assert isinstance(script, Embedded)  # noqa: S101 -- it was fit
            scripts[node.id] = script
    return _Writer(chain, scripts).script()


@dataclass
class _Writer:
    chain: Sequence[Node]
    scripts: Mapping[NodeId, Embedded]
    inputs: dict[str, Json] = field(default_factory=dict[str, Json])
    used: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self._names = _variables(self.chain)
        self._async = any(script.awaited for script in self.scripts.values())

    def script(self) -> PackedScript:
        lines = [self._line(node) for node in self.chain]
        helpers = [text for name, text in HELPERS.items() if name in self.used]
        main = f"{'async ' if self._async else ''}def main(inputs):\n" + "".join(f"    {line}\n" for line in lines)
        imports = ["import json\n"] if {"_text", "_plain"} & self.used else []
        title = "# Packed: " + " -> ".join(node.id for node in self.chain) + "\n"
        parts = [*imports, *helpers, *(script.text for script in self.scripts.values()), main]
        tools = dict.fromkeys(tool for node in self.chain for tool in _tools(node))
        return PackedScript(code=title + "\n\n".join(parts), inputs=self.inputs, tools=tuple(tools))

    def _line(self, node: Node) -> str:
        call = self._tool_call(node) if node.kind is NodeKind.TOOL else self._script_call(self.scripts[node.id], node)
        return f"return {call}" if node is self.chain[-1] else f"{self._names[node.id]} = {call}"

    def _tool_call(self, node: Node) -> str:
        bridge = "await atools" if self._async else "tools"
        if all(key.isidentifier() and not keyword.iskeyword(key) for key in node.args):
            arguments = ", ".join(f"{key}={self._written(value)}" for key, value in node.args.items())
        else:
            arguments = self._written(node.args)
        return f"{bridge}.{node.tool}({arguments})"

    def _script_call(self, script: Embedded, node: Node) -> str:
        # A copy each way: values that enter or leave a script of its own are JSON that is not shared.
        self.used.add("_plain")
        call = f"{script.name}()(_plain({self._written(node.inputs)}))"
        return f"_plain({'await ' if script.awaited else ''}{call})"

    def _written(self, value: Json) -> str:
        """Return the Python expression of a value with references in it."""
        match value:
            case str():
                return self._text(value)
            case Mapping():
                return "{" + ", ".join(f"{key!r}: {self._written(inner)}" for key, inner in value.items()) + "}"
            case list() | tuple():
                return "[" + ", ".join(self._written(inner) for inner in value) + "]"
            case _:
                return repr(value)

    def _text(self, text: str) -> str:
        parts = pieces(text)
        match parts:
            case (Reference() as reference,):
                return self._referred(reference)
            case _ if any(isinstance(part, Reference) for part in parts):
                self.used.add("_text")
                shown = (repr(part) if isinstance(part, str) else f"_text({self._referred(part)})" for part in parts)
                return " + ".join(shown)
            case _:
                return repr("".join(str(part) for part in parts))

    def _referred(self, reference: Reference) -> str:
        variable = self._names.get(reference.node)
        if variable is None:
            key = f"{reference.node}#{reference.pointer}" if reference.pointer else str(reference.node)
            self.inputs[key] = str(reference)
            return f"inputs[{key!r}]"
        if not reference.pointer:
            return variable
        self.used.add("_part")
        return f"_part({variable}, {', '.join(_path(reference.pointer))})"


def _tools(node: Node) -> Iterable[ToolName]:
    if node.kind is NodeKind.TOOL:
        return (ToolName(node.tool or ""),)
    return node.tools


def _path(pointer: str) -> Iterable[str]:
    """Yield the pointer's tokens as Python: one that may be an index as an int, any other as a text."""
    for token in pointer.split("/")[1:]:
        yield token if _INDEX.fullmatch(token) else repr(token.replace("~1", "/").replace("~0", "~"))


def _variables(chain: Sequence[Node]) -> Mapping[NodeId, str]:
    names: dict[NodeId, str] = {}
    for number, node in enumerate(chain, start=1):
        wanted = node.id.replace("-", "_")
        taken = wanted in _RESERVED or wanted in names.values()
        # No id begins with an underscore, so the other name is free.
        names[node.id] = f"_step_{number}" if taken or not wanted.isidentifier() else wanted
    return names
