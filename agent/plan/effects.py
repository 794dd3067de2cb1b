"""Effects of red calls, which of them still stand, and the plan that undoes them. Pure.

A tool says as its call ends which call would take the effect back (`agent.tool.Tool.inverse`); that is stored with the
call's row. A node that undoes an effect is an ordinary red node with the effect's node in `Node.undoes`, so undoing it
is the same thing once more.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias, cast

from agent.ids import NodeId, ToolName
from agent.plan.operations import Add, Dependency, LoggedOperation, Node, NodeKind, references_of
from agent.plan.outcomes import OUTCOME_UNKNOWN, Failed, Outcome, Succeeded
from agent.plan.references import PointerMissing, Reference, at_pointer, references_in, with_texts
from sandbox.script import Json

UNDO, REDO = "Undo: ", "Redo: "
"""Begin the titles of nodes that undo an effect, and of those that undo an undoing."""

_TITLE_CHARACTERS = 150


@dataclass(frozen=True, kw_only=True)
class InverseCall:
    """The call that takes back the effect of another one."""

    tool: ToolName
    #: Values, in which nothing is a reference.
    args: Mapping[str, Json]
    #: The name of what it changes back. Effects on the same one are undone in sequence; empty: nothing else changes it.
    resource: str = ""
    #: The JSON pointer to the argument that says which version of the resource it expects; empty: none does.
    version_at: str = ""
    #: The JSON pointer to the version that a call on the resource left, in its output.
    version_in: str = ""
    #: The version of the resource that the call to take back replaced; empty: nothing stood there.
    found: str = ""


class NoInverse(Enum):
    """Why there is no call that takes back what another one did, where that is not the tool's own nature."""

    #: It changed nothing.
    NO_EFFECT = "no_effect"
    #: It answered in a way that leaves open whether it changed anything.
    IN_DOUBT = "in_doubt"


Inverse: TypeAlias = InverseCall | NoInverse | None
"""How a call's effect can be taken back; None: it cannot."""


def inverse_json(inverse: Inverse) -> dict[str, Json] | None:
    """Return an inverse as it is stored; keys without a value are left out."""
    match inverse:
        case None:
            return None
        case NoInverse():
            return {inverse.value: True}
        case InverseCall(tool=tool, args=args):
            more = {name: value for name, value in vars(inverse).items() if name not in ("tool", "args") and value}
            return {"tool": tool, "args": args, **more}


def inverse_from_json(written: Mapping[str, Json] | None) -> Inverse:
    """Return the inverse that `inverse_json` printed. What cannot be read is none."""
    if written is None:
        return None
    for reason in NoInverse:
        if reason.value in written:
            return reason
    args = written.get("args")
    if not isinstance(args, Mapping):
        return None
    texts = {name: str(written.get(name, "")) for name in ("resource", "version_at", "version_in", "found")}
    return InverseCall(
        tool=ToolName(str(written.get("tool", ""))),
        args=args,
        **texts,
    )


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """What the ledger has of a node's red call."""

    node: NodeId
    #: Of the newest try; None: it was started and nobody knows what became of it.
    outcome: Outcome | None
    inverse: Inverse = None
    #: Whether nobody knows what became of an earlier try either.
    repeated: bool = False


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a red call did, or may have done."""

    node: Node
    #: The turn whose plan had it.
    turn: int
    #: None: no call takes it back.
    inverse: InverseCall | None = None
    #: Whether nobody knows if it took effect.
    unknown: bool = False
    #: Whether an earlier try may have taken effect as well.
    repeated: bool = False

    @property
    def id(self) -> NodeId:
        """The node's id."""
        return self.node.id

    @property
    def resource(self) -> str:
        """What it changed, if a later effect may have changed the same."""
        return "" if self.inverse is None else self.inverse.resource


def effects_of(logged: Sequence[LoggedOperation], calls: Sequence[RecordedCall]) -> Sequence[Effect]:
    """Return the effects of a thread in the order of `calls`, which is that in which they began."""
    added = {entry.operation.node.id: entry for entry in logged if isinstance(entry.operation, Add)}
    return [effect for call in calls for effect in _effects(call, added.get(call.node))]


def _effects(call: RecordedCall, entry: LoggedOperation | None) -> Iterator[Effect]:
    if entry is None or not isinstance(entry.operation, Add):
        return
    node, turn, outcome = entry.operation.node, entry.turn, call.outcome
    unknown = outcome is None or (isinstance(outcome, Failed) and outcome.error == OUTCOME_UNKNOWN)
    if unknown or call.inverse is NoInverse.IN_DOUBT:
        yield Effect(node=node, turn=turn, unknown=True)
    elif isinstance(outcome, Succeeded) and call.inverse is not NoInverse.NO_EFFECT:
        inverse = call.inverse if isinstance(call.inverse, InverseCall) else None
        yield Effect(node=node, turn=turn, inverse=inverse, repeated=call.repeated)
    elif call.repeated:
        yield Effect(node=node, turn=turn, unknown=True)


def standing(effects: Sequence[Effect]) -> Sequence[Effect]:
    """Return the effects that nothing undid. One counts as undone, too, while nobody knows whether it was."""
    undone: set[NodeId] = set()
    for effect in reversed(effects):
        if effect.node.undoes is not None and effect.id not in undone:
            undone.add(effect.node.undoes)
    return [effect for effect in effects if effect.id not in undone]


def newest_turn(effects: Sequence[Effect]) -> int | None:
    """Return the newest turn of which an effect still stands."""
    return max((effect.turn for effect in standing(effects)), default=None)


class Left(StrEnum):
    """Why an effect is not undone."""

    #: Nobody knows if it took effect.
    UNKNOWN = "unknown"
    #: No call takes it back.
    FINAL = "final"
    #: The tool that would take it back is not available here.
    NO_TOOL = "no_tool"
    #: A later effect, which stands, changed the same thing.
    OVERWRITTEN = "overwritten"


@dataclass(frozen=True, kw_only=True)
class UndoPlan:
    """How the effects of a turn are undone."""

    #: In the reverse order of the effects.
    steps: Sequence[Node]
    #: The effects of the turn that still stand, newest first.
    effects: Sequence[Effect]
    #: Why those that no step undoes are left.
    left: Mapping[NodeId, Left]


def undo_plan(
    effects: Sequence[Effect],
    logged: Sequence[LoggedOperation],
    turn: int,
    *,
    by_turn: int,
    has_tool: Callable[[ToolName], bool],
) -> UndoPlan:
    """Return the plan that undoes what stands of a turn, for the plan of `by_turn`.

    Effects that came of each other, or changed the same thing, are undone in sequence, and each of those only when the
    later one was undone.
    """
    nodes = {entry.operation.node.id: entry.operation.node for entry in logged if isinstance(entry.operation, Add)}
    stand = standing(effects)
    wanted = [effect for effect in reversed(stand) if effect.turn == turn]
    needs = _Needs(nodes)
    steps: dict[NodeId, Node] = {}
    left: dict[NodeId, Left] = {}
    planned: list[Effect] = []
    first: dict[NodeId, frozenset[NodeId]] = {}  # effect -> those that are undone before it
    for effect in wanted:
        why = _left(effect, effects, stand, planned, has_tool)
        if why is not None or effect.inverse is None:
            left[effect.id] = why or Left.FINAL
            continue
        before: list[NodeId] = []
        first[effect.id] = frozenset()
        for later in reversed(planned):
            if later.id not in first[effect.id] and _in_sequence(effect, later, needs):
                before.append(later.id)
                first[effect.id] |= {later.id} | first[later.id]
        step = Node(
            id=_free_id(by_turn, len(steps) + 1, nodes),
            kind=NodeKind.TOOL,
            title=_title(effect.node),
            depends_on=tuple(Dependency(node=steps[later].id) for later in before),
            tool=effect.inverse.tool,
            args=_args(effect.inverse, effects, planned, steps),
            undoes=effect.id,
        )
        steps[effect.id] = step
        planned.append(effect)
    return UndoPlan(steps=list(steps.values()), effects=wanted, left=left)


def undone_title(node: Node) -> str:
    """Return the title of what a node undoes, without the word for that."""
    return node.title.removeprefix(UNDO).removeprefix(REDO)


def _title(undone: Node) -> str:
    word = REDO if undone.title.startswith(UNDO) and undone.undoes is not None else UNDO
    title = undone_title(undone) if undone.undoes is not None else undone.title
    return f"{word}{title}"[:_TITLE_CHARACTERS]


def _left(
    effect: Effect,
    effects: Sequence[Effect],
    stand: Sequence[Effect],
    planned: Sequence[Effect],
    has_tool: Callable[[ToolName], bool],
) -> Left | None:
    if effect.unknown:
        return Left.UNKNOWN
    if effect.inverse is None:
        return Left.FINAL
    if not has_tool(effect.inverse.tool):
        return Left.NO_TOOL
    in_doubt = {other.node.undoes for other in effects if other.unknown}  # nobody knows whether those stand
    later = effects[effects.index(effect) + 1 :]
    since = {other.id for other in later}  # what undid one of those left the thing as this effect did
    overwritten = any(
        other.resource == effect.resource != ""
        and other not in planned
        and (other.id in in_doubt or (other in stand and other.node.undoes not in since))
        for other in later
    )
    return Left.OVERWRITTEN if overwritten or not _was_next(effect.inverse, later) else None


def _was_next(inverse: InverseCall, later: Sequence[Effect]) -> bool:
    """Return whether the next effect on the same thing replaced what this one had left there.

    Else something between the two changed it that has no inverse, and that undoing both would take back unsaid.
    """
    same = [other.inverse for other in later if other.resource == inverse.resource != ""]
    return not same or same[0] is None or same[0].found == _left_version(inverse)


def _left_version(inverse: InverseCall) -> str:
    """Return which version a call left; empty: nothing, or it is not known."""
    try:
        return str(at_pointer(inverse.args, inverse.version_at)) if inverse.version_at else ""
    except PointerMissing:
        return ""


class _Needs:
    """Which nodes came of which: the closure of dependencies and references, as far as it is asked about."""

    def __init__(self, nodes: Mapping[NodeId, Node]) -> None:
        self._nodes = nodes
        self._known: dict[NodeId, frozenset[NodeId]] = {}

    def of(self, node: NodeId) -> Collection[NodeId]:
        """Return all nodes that had to end before this one could run."""
        if node not in self._known:
            found: set[NodeId] = set()
            waiting = [node]
            while waiting:
                new = self._direct(waiting.pop()) - found
                found |= new
                waiting += new
            self._known[node] = frozenset(found)
        return self._known[node]

    def _direct(self, node: NodeId) -> set[NodeId]:
        if (known := self._nodes.get(node)) is None:
            return set()
        named = {name for _, reference in references_in(references_of(known)) for name in reference.nodes}
        items = {other.id for other in self._nodes.values() if known.for_each and other.item_of == node}
        return named | {dependency.node for dependency in known.depends_on} | items


def _in_sequence(effect: Effect, later: Effect, needs: _Needs) -> bool:
    """Return whether `later` must be undone before the effect."""
    return effect.resource == later.resource != "" or effect.id in needs.of(later.id)


def _args(
    inverse: InverseCall,
    effects: Sequence[Effect],
    planned: Sequence[Effect],
    steps: Mapping[NodeId, Node],
) -> dict[str, Json]:
    """Return the arguments of the step that undoes an effect: they expect the version that will stand there then."""
    args: dict[str, Json] = with_texts(inverse.args, _literal)
    if not inverse.version_at:
        return args
    undone_first = [later for later in planned if later.resource == inverse.resource != ""]
    if undone_first:
        made = Reference(node=steps[undone_first[-1].id].id, pointer=inverse.version_in)
        return _with_value(args, inverse.version_at, str(made))
    same = [other for other in effects if other.resource == inverse.resource != ""]
    newest = same[-1].inverse if same else None
    if newest is None or newest is inverse or not (stands := _left_version(newest)):
        return args
    return _with_value(args, inverse.version_at, _literal(stands))


def _literal(text: str) -> str:
    """Return a text that means itself where references are read."""
    return text.replace("${", "$${")


def _with_value(value: Mapping[str, Json], pointer: str, new: Json) -> dict[str, Json]:
    """Return a copy of an object with another value at a pointer that leads through objects only."""
    key, _, rest = pointer.removeprefix("/").partition("/")
    key = key.replace("~1", "/").replace("~0", "~")
    inner = cast("Mapping[str, Json]", value.get(key) or {})
    return {**value, key: _with_value(inner, f"/{rest}", new) if rest else new}


def _free_id(turn: int, number: int, taken: Collection[NodeId]) -> NodeId:
    free = f"undo-{turn}-{number}"
    while NodeId(free) in taken:
        free += "x"
    return NodeId(free)
