"""The tool calls of a subagent: which tools it is offered, what each call is answered, and which become nodes."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from agent.ids import Digest, NodeId, ToolName
from agent.plan.confidential import confidential_places, redacted
from agent.plan.file_names import FILES_READ, FILES_WRITE, OF_ONE_FILE
from agent.plan.json_schema import schema_issues
from agent.plan.json_values import truncated
from agent.plan.operations import HandedFile, Node, NodeKind, canonical_json, digest_of
from agent.plan.outcomes import INPUT_REQUIRED, ArtifactRef, Failed, Succeeded
from agent.plan.references import references_in, with_literals
from agent.plan.script_calls import DecidedCalls, ScriptCall
from agent.ports import UNKNOWN_MASK, UNREADABLE, AskedCall, OfferedTool
from agent.reading.egress import confined, guarded, hosts_written
from agent.reading.validation import MOST_FILES
from agent.redaction import SECRETS
from agent.roles import SubagentRole
from agent.scripts.replay import AsAuthor, as_app, check_arguments, told
from agent.subagents.dialogue import READ_BYTES, told_text, work_text
from agent.subagents.files import LENT, SubagentFiles, files_write
from agent.tool import CallContext, Colour, InputRequired, Registry, Tool, tools_of_role, workers_for
from agent.tools.call import issue_words
from agent.tools.call_bounds import CallBounds
from sandbox.script import CallRejected, Json, ToolCallRefused

HAND_OUT = "hand_out"
"""The tool with which a lead hands out work. It is no tool of an installation."""

MOST_CALLS = 16
"""Of one answer; more are refused."""

CHANGED_BY_A_PERSON = "A person changed the arguments of this call before it ran. It ran with:"
CONFIDENTIAL = "(confidential)"

_TITLE_CHARACTERS = 150
_CHANGED_CHARACTERS = 8 * 1024
_NAME_CHARACTERS = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a subagent is told of one of its calls."""

    text: str
    failed: bool = False
    #: The file that the call wrote.
    file: ArtifactRef | None = None


class SubagentCalls:
    """Answers the tool calls of one subagent, with the rights of the operation's author."""

    def __init__(
        self,
        registry: Registry,
        node: Node,
        role: SubagentRole,
        context: CallContext,
        bounds: CallBounds,
        pause: Callable[[float], Awaitable[None]],
        *,
        files: SubagentFiles,
        decided: DecidedCalls,
        reads_on: bool = False,
        most_nodes: int,
        as_author: AsAuthor = as_app,
    ) -> None:
        self._node = node
        self._registry = registry
        self._context = context
        self._bounds = bounds
        self._pause = pause
        self._files = files
        self._decided = decided
        self._most_nodes = most_nodes
        self._as_author = as_author
        allowed = tools_of_role(role, registry)
        reached = confined(registry, node)
        #: The roles that it may hand work to.
        self.team = {role.name: role for role in workers_for(node, registry)}
        #: Whether it may write files.
        self._writes = FILES_WRITE in role.tools
        own = [name for name in node.tools if name in allowed]
        #: The tools that reach its own files alone.
        self._lent = frozenset(LENT if self._writes or self.team or reads_on else ()) - {*own}
        found = (reached.find(name) for name in (*own, *sorted(self._lent)))
        #: Name for the model -> the tool.
        self._tools = _named([tool for tool in found if tool is not None])
        #: The calls that become nodes.
        self.waiting: list[ScriptCall] = []
        #: What the author must connect before a call can be made; None: nothing.
        self.needed: InputRequired | None = None

    @property
    def offered(self) -> Sequence[OfferedTool]:
        """The tools that its model may ask for."""
        offered = [
            OfferedTool(name=name, description=tool.description, arguments=tool.arguments)
            for name, tool in self._tools.items()
        ]
        offered += [files_write()] if self._writes else []
        return [*offered, _hand_out(tuple(self.team))] if self.team else offered

    async def answer(self, calls: Sequence[AskedCall], step: int, number: int) -> Told | None:
        """Return what a call is answered; None: it becomes a node, or its author must connect an account first.

        `number` is that of the call among those of its step, from 1.
        """
        call = calls[number - 1]
        if number > MOST_CALLS:
            return Told(text=f"one answer may have {MOST_CALLS} calls; this one was not made", failed=True)
        try:
            if UNREADABLE in call.args:
                raise ToolCallRefused("its arguments are no JSON object")
            if UNKNOWN_MASK in call.args:
                raise ToolCallRefused(f"{call.args[UNKNOWN_MASK]} stands for nothing here; write a mask as you read it")
            if call.name == FILES_WRITE and self._writes:
                ref = await self._files.write(calls, step, number)
                return Told(text=canonical_json({"name": ref.name, "size": ref.size}), file=ref)
            check_arguments(call.args)
            if call.name == HAND_OUT and self.team:
                return await self._handed_out(calls, step, number)
            tool = self._tools.get(call.name)
            if tool is None:
                names = ", ".join(offered.name for offered in self.offered) or "none"
                raise ToolCallRefused(
                    f"there is no tool {truncated(call.name, _NAME_CHARACTERS)!r}; there are: {names}"
                )
            if tool.colour is not Colour.GREEN:
                await _check_schema(tool, call.args)
                return self._become_node(ScriptCall(tool=tool.name, args=call.args, position=self._at(step, number)))
            return await self._called(tool, self._reading(tool, call.args), step, number)
        except CallRejected as rejected:
            return Told(text=f"a person rejected this call: {rejected}", failed=True)
        except ToolCallRefused as refused:
            return Told(text=str(refused), failed=True)

    def _reading(self, tool: Tool, args: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return the arguments of a call, one of its own files by the name that it has in the thread.

        No more is read at once than it is told of.

        Raises:
            ToolCallRefused: the tool reaches its own files alone, and this is none.
        """
        limit = args.get("limit")
        if tool.name == FILES_READ and isinstance(limit, int) and args.get("unit", "bytes") == "bytes":
            args = {**args, "limit": min(limit, READ_BYTES)}
        path = self._files.path(str(args.get("name", ""))) if tool.name in OF_ONE_FILE else None
        if path is not None:
            return {**args, "name": path}
        if tool.name in self._lent:
            names = ", ".join(self._files.names) or "none so far"
            raise ToolCallRefused(f"{tool.name} reads your own files here, by `name`: {names}")
        return args

    def _handed(self, call: AskedCall, calls: Sequence[AskedCall]) -> tuple[tuple[str, ...], tuple[HandedFile, ...]]:
        """Return the files that a lead hands out: those that it was given, by reference, and the others.

        Raises:
            ToolCallRefused: it does not have one of them.
        """
        names = dict.fromkeys(map(str, cast("Sequence[Json]", call.args.get("files", ()))))
        files = [self._files.to_hand_on(name, calls) for name in names]
        given = (self._node.files[file] for file in files if isinstance(file, int))
        handed = (file for file in files if isinstance(file, HandedFile))
        return tuple(dict.fromkeys(given)), tuple(dict.fromkeys(handed))

    def _at(self, step: int, number: int) -> Digest:
        return digest_of([self._context.idempotency_key, step, number])

    async def _called(self, tool: Tool, args: Mapping[str, Json], step: int, number: int) -> Told | None:
        context = replace(self._context, idempotency_key=self._at(step, number))
        try:
            outcome = await self._bounds.call(tool, self._as_author(tool, context, args), args, self._pause)
        except InputRequired as needed:
            if needed.asked.account:
                self.needed = needed
                return None
            outcome = Failed(error=INPUT_REQUIRED, message="it asks a person; it must be a step of the plan")
        await self._bounds.learn(context.thread, tool, outcome)
        if isinstance(outcome, Succeeded):
            return Told(text=told_text(outcome.value))
        return Told(text=f"{tool.name}: {outcome.error}: {outcome.message}", failed=True)

    def _become_node(self, call: ScriptCall) -> Told | None:
        outcome = self._decided.outcomes.get(call.position)
        changed = self._changed(call)
        if outcome is None:
            if len(self._decided.nodes) + len(self.waiting) >= self._most_nodes:
                raise ToolCallRefused(f"one step of a plan may make {self._most_nodes} such calls, and no more")
            self.waiting.append(call)
            return None
        if call.worker is not None and isinstance(outcome, Succeeded):
            return Told(text=work_text(call.worker.role, outcome))
        try:
            return Told(text=told_text(told(call.tool, outcome)) + changed)
        except ToolCallRefused as refused:
            if not changed:
                raise
            return Told(text=f"{refused}{changed}", failed=True)

    def _changed(self, call: ScriptCall) -> str:
        """Return what is told besides of a call whose arguments a person changed; no confidential one is."""
        args, tool = self._decided.edited.get(call.position), self._registry.find(call.tool)
        if args is None or tool is None:
            return ""
        shown = SECRETS.hide_in(redacted(dict(args), confidential_places(tool.arguments), lambda _: CONFIDENTIAL))
        return f"\n\n{CHANGED_BY_A_PERSON} {truncated(canonical_json(shown), _CHANGED_CHARACTERS)}"

    async def _handed_out(self, calls: Sequence[AskedCall], step: int, number: int) -> Told | None:
        """Hand work to another role: a node below this one."""
        call = calls[number - 1]
        schema = _hand_out(tuple(self.team)).arguments
        if issues := await schema_issues(call.args, schema):
            raise ToolCallRefused(f"bad_arguments: {issues[0].pointer or '/'}: {issues[0].message}")
        role = self.team[str(call.args["role"])]
        expected = str(call.args.get("expected_artifact", ""))
        given, handed = self._handed(call, calls)
        written = with_literals({"instruction": call.args["instruction"], "inputs": call.args.get("inputs", {})})
        first = " ".join(str(call.args["instruction"]).split())
        worker = Node(
            id=NodeId(""),
            kind=NodeKind.SUBAGENT,
            title=truncated(f"{role.name}: {first}", _TITLE_CHARACTERS),
            role=role.name,
            instruction=written["instruction"],
            inputs=written["inputs"],
            files=given,
            handed=handed,
            depends_on=tuple(edge for edge in self._node.depends_on if edge.node in _nodes_in(given)),
            expected_artifact=expected,
            tools=tools_of_role(role, self._registry),
            result_schema=role.result_schema,
            item_of=self._node.id,
            position=self._at(step, number),
        )
        # It asks first where it names a host that nobody named for its lead.
        worker = guarded(worker, self._registry, hosts_written(self._node))
        return self._become_node(
            ScriptCall(tool=ToolName(HAND_OUT), args=call.args, position=self._at(step, number), worker=worker)
        )


def _nodes_in(files: Sequence[str]) -> frozenset[NodeId]:
    """Return the nodes whose results files are."""
    return frozenset(node for text in files for _, reference in references_in(text) for node in reference.nodes)


async def _check_schema(tool: Tool, args: Mapping[str, Json]) -> None:
    if wrong := await schema_issues(args, tool.arguments):
        raise ToolCallRefused(f"{tool.name}: bad_arguments: {wrong[0].pointer or '/'}: {issue_words(tool, wrong[0])}")


def _named(tools: Sequence[Tool]) -> Mapping[str, Tool]:
    """Return name for the model -> tool: models know fewer characters in names than tools of servers have."""
    named: dict[str, Tool] = {}
    for tool in tools:
        base = _NOT_IN_NAMES.sub("_", tool.name)[:_NAME_CHARACTERS]
        name, number = base, 1
        while name in named or name in (HAND_OUT, FILES_WRITE):
            number += 1
            name = f"{base[: _NAME_CHARACTERS - 4]}_{number}"
        named[name] = tool
    return named


def may_be_called(tool: ToolName, name: str) -> bool:
    """Return whether a model may have meant a tool by a name; of tools that are named alike it may have meant each."""
    return name.startswith(_NOT_IN_NAMES.sub("_", tool)[: _NAME_CHARACTERS - 4])


def _hand_out(roles: tuple[str, ...]) -> OfferedTool:
    return OfferedTool(
        name=HAND_OUT,
        description=(
            "Hand one piece of work to a member of your team, who sees nothing but this instruction, these inputs and "
            "these files, and get back their result. Calls in one answer are worked on at the same time."
        ),
        arguments={
            "type": "object",
            "properties": {
                "role": {"type": "string", "enum": list(roles)},
                "instruction": {"type": "string", "minLength": 1, "maxLength": 16 * 1024},
                "inputs": {"type": "object"},
                "files": {
                    "type": "array",
                    "items": {"type": "string", "maxLength": 400},
                    "maxItems": MOST_FILES,
                    "description": "Files of yours that they get whole: File 1, say, as you were given it, or the name "
                    "of one that you or your team wrote.",
                },
                "expected_artifact": {"type": "string", "maxLength": 400},
            },
            "required": ["role", "instruction"],
            "additionalProperties": False,
        },
    )
