"""Makes a goal of a recorded run whose answer somebody found bad: its plan, and its calls' results as the world (pure).

What only one person may see is replaced by a placeholder of the same shape, and confidential arguments are, too. In
doubt there is no goal, but the reason why.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from pydantic import JsonValue

from agent.events import AttemptEnded, RecordedAnswer
from agent.facts import is_used
from agent.ids import NodeId, ToolName, UserId, thread_parts
from agent.plan.confidential import confidential_places, is_confidential, redacted
from agent.plan.file_names import file_read_by, node_of
from agent.plan.operations import Add, Cancel, Node, NodeKind, canonical_json, node_json, operation_json
from agent.plan.outcomes import Expired, Failed, Rejected, Succeeded
from agent.plan.references import references_in
from agent.plan.sources import OutputSources
from agent.reading.plan_file import read_plan
from agent.redaction import SECRETS
from agent.roles import SubagentRole
from agent.subagents.calls import may_be_called
from agent.tool import Colour, Registry, Tool, colour_of, tools_of_role
from infra.evaluation.goal import Goal, RoleShape, ToolShape, with_roles
from infra.evaluation.replay import PlanJudge
from infra.evaluation.run_record import RunRecord
from sandbox.script import Json, Sandbox

LEFT_OUT = "[left out]"
"""Stands for a text that is not told."""

_ENGINES = ("packed", "item_of", "position", "undoes")
"""Fields that no plan writes."""

MOST_BEFORE = 20
"""The newest messages of earlier turns that a goal tells."""

_SOMEBODY = UserId("")
"""Whose rights they were makes no difference here."""


class NoGoal(Exception):
    """The run becomes no goal; `why` is for the operator."""

    def __init__(self, *, why: str) -> None:
        super().__init__(why)
        self.why = why


async def recorded_goals(
    records: Sequence[RunRecord], registry: Registry, sandbox: Sandbox
) -> tuple[Sequence[Mapping[str, Json]], Sequence[str]]:
    """Return the goals of those runs whose plan, replayed, makes the recorded calls; and why the others have none."""
    judge = PlanJudge(registry, sandbox)
    goals: list[Mapping[str, Json]] = []
    left_out: list[str] = []
    for record in records:
        try:
            goal = goal_of(record, registry)
            await _check_replay(goal, registry, judge)
        except NoGoal as refused:
            left_out.append(f"{name_of(record)}: {refused.why}")
        else:
            goals.append(goal)
    return goals, left_out


async def _check_replay(written: Mapping[str, Json], registry: Registry, judge: PlanJudge) -> None:
    """Raise `NoGoal` unless the plan is read without faults and does in the goal's world what it did."""
    goal = Goal.model_validate(written)
    if not goal.plan:
        return  # an answer without one
    known = with_roles(goal, registry)
    plan = read_plan(json.dumps({"operations": goal.plan}), known, known=goal.known)
    if plan.faults:
        raise NoGoal(why=f"its plan is not read again: {plan.faults[0].message}")
    judged = await judge.judged(goal, [operation_json(operation) for operation in plan.operations])
    if judged.complaints:
        raise NoGoal(why=f"replayed, it does not do what it did: {judged.complaints[0]}")


def name_of(record: RunRecord) -> str:
    """Return the name of a run's goal."""
    _, channel, root_ts = thread_parts(record.turn.thread)
    return f"{channel}-{root_ts}-{record.turn.turn}"


def goal_of(record: RunRecord, registry: Registry) -> Mapping[str, Json]:
    """Return the goal in the form of a file of goals, without the secrets that this process knows.

    Raises:
        NoGoal: it would not be replayable, or would tell what only one person may see.
    """
    return SECRETS.hide_in(_Run(record, registry).goal())


def placeholder(value: Json) -> Json:
    """Return a value of the same shape: keys and lengths of lists stay."""
    match value:
        case bool() | None:
            return None if value is None else False
        case int() | float():
            return 0
        case str():
            return LEFT_OUT if value else ""
        case Mapping():
            return {key: placeholder(inner) for key, inner in value.items()}
        case _:
            return [placeholder(inner) for inner in value]


class _Run:
    def __init__(self, record: RunRecord, registry: Registry) -> None:
        self._record = record
        self._registry = registry
        cancelled = {operation.id for operation, _ in record.operations if isinstance(operation, Cancel)}
        added = [operation.node for operation, _ in record.operations if isinstance(operation, Add)]
        before = [operation.node for operation in record.earlier if isinstance(operation, Add)]
        self._added = {node.id: node for node in added}
        self._nodes = {node.id: node for node in added if node.id not in cancelled}
        #: The nodes of earlier turns.
        self._known = {node.id: node for node in before}
        plain = [node for node in added if node.kind is not NodeKind.SUBAGENT and not self._within(node)]
        used = dict.fromkeys(name for node in plain for name in self._called_by(node))
        self._tools = {name: self._tool(name) for name in used}
        #: The nodes whose results only one person may see: what reads with their rights, and all that comes of it.
        self._private: set[NodeId] = set()
        sources = OutputSources()
        for node in (*before, *added):
            called = self._called_by(node) if node.kind is NodeKind.SUBAGENT else node.tools
            sources.add(_SOMEBODY, replace(node, tools=tuple(called)))
        for node in (*before, *self._nodes.values()):
            comes_of = {need.node for need in node.depends_on} | {node.item_of}
            behind = {*self._called_by(node), *(source.tool for source in sources.of(node.id))}
            if comes_of & self._private or any(self._is_personal(tool) for tool in behind):
                self._private.add(node.id)
        #: Node -> the names of its steps.
        self._steps_of: dict[NodeId, list[str]] = {}

    def goal(self) -> dict[str, Json]:
        if not self._record.operations and any(self._record.replies):
            return self._answered()
        self._check()
        steps: dict[str, dict[str, Json]] = {}
        work: dict[str, Json] = {}
        for node in self._nodes.values():
            if node.kind is NodeKind.SUBAGENT:
                made = dict(self._work(node))
                work |= made
            else:
                made = dict(self._steps(node))
                steps |= made
            self._steps_of[node.id] = [*made]
        if not steps and not work:
            raise NoGoal(why="it made no call")
        # A call takes the first step that it fits: those that say most about their call come first.
        in_order = dict(sorted(steps.items(), key=lambda step: -len(cast("Mapping[str, Json]", step[1]["args"]))))
        parts: dict[str, Json] = {"work": work, "roles": self._roles(), "earlier": self._earlier()}
        return {
            **self._words(),
            "tools": {**{name: _shape(tool) for name, tool in self._tools.items()}, **self._tools_of_roles()},
            **{name: part for name, part in parts.items() if part},
            "steps": in_order,
            "plan": [self._written(node) for node in self._nodes.values() if node.item_of is None],
        }

    def _answered(self) -> dict[str, Json]:
        """Return the goal of a turn without a plan: its answer was bad."""
        if not "".join(self._record.turn.requests).strip():
            raise NoGoal(why="nobody knows what was asked")
        if self._private:
            raise NoGoal(why="it was answered after a result that only one person may see")
        if any(self._may_be_confidential(node) for node in self._known.values()):
            raise NoGoal(why="it was answered after a step that may hold confidential arguments")
        self._check_facts()
        return {
            **self._words(),
            "bad_answer": "\n\n".join(filter(None, self._record.replies)),
            "steps": {},
        }

    def _words(self) -> dict[str, Json]:
        """Return what the thread and people said."""
        before: list[Json] = list(self._record.before[-MOST_BEFORE:])
        return {
            "name": name_of(self._record),
            "request": "\n".join(self._record.turn.requests),
            "comment": "; ".join(self._record.turn.reasons),
            **({"before": before} if before else {}),
        }

    def _may_be_confidential(self, node: Node) -> bool:
        able = filter(None, map(self._registry.find, [node.tool] if node.tool else node.tools))
        return any(confidential_places(tool.arguments) for tool in able)

    def _tool(self, name: str) -> Tool:
        if (found := self._registry.find(name)) is None:
            raise NoGoal(why=f"the tool {name} is not known here any more")
        return found

    def _called_by(self, node: Node) -> Sequence[ToolName]:
        """Return the tools that a node called; of a script, and where nobody knows, those that it may call."""
        if node.tool:
            return (node.tool,)
        asked = self._record.ended[node.id].asked if node.id in self._record.ended else frozenset[str]()
        if node.kind is not NodeKind.SUBAGENT or asked is None:
            return node.tools
        return [tool for tool in node.tools if any(may_be_called(tool, name) for name in asked)]

    def _is_personal(self, name: ToolName) -> bool:
        """Return whether only one person may see what a tool returns; in doubt it is so."""
        tool = self._registry.find(name)
        return tool is None or tool.personal or bool(tool.providers)

    def _within(self, node: Node) -> bool:
        """Return whether a node is a call of a subagent, or work that it handed out."""
        parent = None if node.item_of is None or node.position is None else self._added.get(node.item_of)
        return parent is not None and parent.kind is NodeKind.SUBAGENT

    def _referred(self) -> Sequence[NodeId]:
        """Return the nodes that the plan builds on, also by their files, in its order."""
        needed = (need.node for node in self._nodes.values() for need in node.depends_on)
        files = (node_of(file_read_by(node) or "") for node in self._nodes.values())
        return list(dict.fromkeys([*needed, *filter(None, files)]))

    def _check(self) -> None:
        """Refuse what cannot be replayed, and what could tell more than it may."""
        nodes, ended = self._nodes.values(), self._record.ended
        if not "".join(self._record.turn.requests).strip() or not self._nodes:
            raise NoGoal(why="it has no plan")
        if any(node.undoes is not None for node in nodes):
            raise NoGoal(why="it undoes an earlier run")
        known = {**self._known, **self._nodes}
        if missing := [node for node in self._referred() if node not in known]:
            raise NoGoal(why=f"it builds on {missing[0]}, a step that was cancelled or is not recorded")
        told = {**{node: known[node] for node in self._referred()}, **self._nodes}.values()
        if lost := next((node for node in told if node.id in ended and not ended[node.id].whole), None):
            raise NoGoal(why=f"the result of {lost.id} is not kept any more")
        for node in told:
            if not node.tool and self._may_be_confidential(node):
                what = "work" if node.kind is NodeKind.SUBAGENT else "script"
                raise NoGoal(why=f"the {what} of {node.id} may hold confidential arguments")
        self._check_facts()
        private = [at for node in self._private if node in ended and (at := ended[node].ended_at) is not None]
        # What subagents call is nothing that a planner wrote who had read more, and no part of the goal.
        planned = [
            at
            for operation, at in self._record.operations
            if not (isinstance(operation, Add) and self._within(operation.node))
        ]
        if private and any(at > min(private) for at in planned):
            raise NoGoal(why="its plan went on after a result that only one person may see")

    def _check_facts(self) -> None:
        if self._record.facts_gone:
            raise NoGoal(why="a fact that it was planned with is not kept any more, so nobody knows whose it was")
        asked, told = "\n".join(self._requests()), "\n".join(self._planned())
        if any(is_used(fact, asked, told) for fact in self._record.personal_facts):
            raise NoGoal(why="its plan or answer uses a fact that only one person may see")

    def _requests(self) -> Sequence[str]:
        """Return what people had asked, in earlier turns, too, as far as the goal tells of these."""
        return [*self._record.before[-MOST_BEFORE:], *self._record.turn.requests]

    def _earlier(self) -> Mapping[str, Json]:
        """Return node -> how it ended, for those of earlier turns that the plan needs."""
        needed = dict.fromkeys(need.node for node in self._nodes.values() for need in node.depends_on)
        results: dict[str, Json] = {}
        for node in (self._known[name] for name in needed if name in self._known):
            if (told := self._told(node)) is None:
                raise NoGoal(why=f"it builds on {node.id}, a step of an earlier turn that came to no end")
            tool: Mapping[str, Json] = {"tool": node.tool} if node.tool else {}
            results[node.id] = {"title": node.title, **tool, **told}
        return results

    def _roles(self) -> Mapping[str, Json]:
        """Return the roles that worked, without their prompts: name -> what planners see of it."""
        named = dict.fromkeys(node.role for node in self._nodes.values() if node.kind is NodeKind.SUBAGENT)
        return {name: _role_shape(self._role(name)) for name in named}

    def _role(self, name: str) -> SubagentRole:
        if (found := self._registry.role(name)) is None:
            raise NoGoal(why=f"the role {name} is not known here any more")
        return found

    def _tools_of_roles(self) -> Mapping[str, Json]:
        """Return the tools that the plan or a role names for subagents, as planners see them."""
        workers = [node for node in self._nodes.values() if node.kind is NodeKind.SUBAGENT]
        named = [name for node in workers for name in (*self._role(node.role).tools, *self._own_tools(node))]
        found = filter(None, map(self._registry.find, dict.fromkeys(named)))
        return {tool.name: _shape(tool) for tool in found}

    def _own_tools(self, node: Node) -> Sequence[ToolName]:
        """Return the tools of a subagent where the plan named them; of others its role says which they are."""
        of_role = tools_of_role(self._role(node.role), self._registry)
        return () if {*node.tools} >= {*of_role} else [tool for tool in node.tools if tool in of_role]

    def _work(self, node: Node) -> Iterator[tuple[str, dict[str, Json]]]:
        """Yield what a subagent came to, by itself; a template does nothing."""
        told = None if node.for_each else self._told(node)
        if told is None:
            return
        of: dict[str, Json] = {"of": str(node.item_of)} if self._within(node) else {}
        colour: dict[str, Json] = {} if of else {"colour": colour_of(replace(node, for_each=""), self._registry).value}
        yield node.id, {"role": node.role, "after": self._after(node), **of, **colour, **told}

    def _after(self, node: Node) -> list[Json]:
        return list(dict.fromkeys(name for need in node.depends_on for name in self._before(need.node)))

    def _told(self, node: Node) -> Mapping[str, Json] | None:
        """Return what may be told of a node's end; None: it has none that a replay could repeat."""
        ended, private = self._record.ended.get(node.id), node.id in self._private
        match None if ended is None else ended.outcome:
            case Succeeded() if ended is not None:
                return {"gives": placeholder(ended.value) if private else ended.value}
            case Failed(error=error, message=message):
                return {"fails": error if private or not message else message}
            case Rejected() | Expired():
                return {"fails": "a person did not approve it"}
            case _:
                return None

    def _planned(self) -> Iterator[str]:
        """Yield the texts that models planned: operations, and scripts as they were rewritten."""
        yield from self._record.replies
        before = self._record.earlier if self._known.keys() & {*self._referred()} else ()
        for operation in (*before, *(operation for operation, _ in self._record.operations)):
            yield json.dumps(operation_json(operation), ensure_ascii=False)
        for ended in self._record.ended.values():
            yield from (attempt.code for attempt in ended.attempts)

    def _steps(self, node: Node) -> Iterator[tuple[str, dict[str, Json]]]:
        ended = self._record.ended.get(node.id)
        if ended is None or node.for_each or self._within(node):
            return
        after = self._after(node)
        if node.kind is NodeKind.PACKAGE:
            yield from self._script_steps(node, after)
            return
        tool = self._tools[node.tool or ToolName("")]
        if (told := self._told(node)) is None:
            return
        scripted = node.position is not None
        written = node if node.item_of is None or scripted else self._nodes.get(node.item_of, node)
        args = self._fixed(tool, written.args, scripted=scripted)
        colour = colour_of(replace(node, for_each=""), self._registry).value
        yield node.id, {"tool": tool.name, "args": args, "colour": colour, "after": [] if scripted else after, **told}

    def _script_steps(self, node: Node, after: Sequence[Json]) -> Iterator[tuple[str, dict[str, Json]]]:
        """Yield the green calls of a script, as its last attempt made them."""
        attempts, private = self._record.ended[node.id].attempts, node.id in self._private
        if private and len({attempt.code for attempt in attempts}) > 1:
            raise NoGoal(why=f"the script {node.id} was rewritten after what only one person may see")
        answers = list(_answers_of(attempts))
        if self._lacks(answers, attempts):
            raise NoGoal(why=f"what the calls of the script {node.id} were answered is not recorded, or not whole")
        for number, answer in enumerate(answers, start=1):
            name, args = json.loads(answer.call)
            tool = self._tools[name] if name in self._tools else self._tool(name)
            gives: dict[str, Json] = {"gives": placeholder(answer.value) if private else answer.value}
            fails: dict[str, Json] = {"fails": LEFT_OUT if private else answer.error}
            yield (
                f"{node.id}/{number}",
                {
                    "tool": name,
                    "args": self._fixed(tool, args, scripted=True),
                    "colour": tool.colour.value,
                    "after": list(after),
                    **(fails if answer.error else gives),
                },
            )

    def _lacks(self, answers: Sequence[RecordedAnswer], attempts: Sequence[AttemptEnded]) -> bool:
        """Return whether the last attempt had answers of green tools that are not among these."""
        made = Counter(call.tool for attempt in attempts[-1:] for call in attempt.calls if call.ok)
        kept = Counter(json.loads(answer.call)[0] for answer in answers if not answer.error)
        found = {name: self._registry.find(name) for name in made}
        green = {name for name, tool in found.items() if tool is not None and tool.colour is Colour.GREEN}
        return any(made[name] > kept[name] for name in green)

    def _before(self, node: NodeId) -> Sequence[str]:
        """Return the steps of a node, or of those before it when it has none."""
        if own := self._steps_of.get(node):
            return own
        needs = self._nodes[node].depends_on if node in self._nodes else ()
        return [name for need in needs for name in self._before(need.node)]

    def _fixed(self, tool: Tool, args: Mapping[str, Json], *, scripted: bool) -> dict[str, Json]:
        """Return the arguments that the plan itself wrote, without confidential ones.

        A script works its own out, perhaps of what only one person may see.
        """
        places = confidential_places(tool.arguments)
        return {
            name: value
            for name, value in args.items()
            if not is_confidential(name, places)
            and (not self._private if scripted else not any(True for _ in references_in(value)))
        }

    def _written(self, node: Node) -> dict[str, Json]:
        """Return the operation as a plan writes it, with the script that ran last."""
        attempts = self._record.ended[node.id].attempts if node.id in self._record.ended else ()
        code = {"code": attempts[-1].code} if len(attempts) > 1 else {}
        written = {name: value for name, value in {**node_json(node), **code}.items() if name not in _ENGINES}
        if node.tool:
            places = confidential_places(self._tools[node.tool].arguments)
            written["args"] = redacted(node.args, places, placeholder)
        if node.kind is NodeKind.SUBAGENT:
            written["tools"] = list(self._own_tools(node))
        return {"op": "add", **written}


def _answers_of(attempts: Sequence[AttemptEnded]) -> Iterator[RecordedAnswer]:
    """Yield what the last attempt was answered: it took earlier attempts' answers to the calls that it made again."""
    made: Counter[str] = Counter()
    shortened: set[str] = set()
    for call in (call for attempt in attempts[-1:] for call in attempt.calls):
        try:
            made[canonical_json([call.tool, json.loads(call.args)])] += 1
        except ValueError:
            shortened.add(call.tool)  # one of these may be any call of the tool
    for attempt in attempts[:-1]:
        for answer in attempt.answers:
            if not answer.error and (made[answer.call] > 0 or json.loads(answer.call)[0] in shortened):
                made[answer.call] -= 1
                yield answer
    for attempt in attempts[-1:]:
        yield from attempt.answers


def _shape(tool: Tool) -> Json:
    return ToolShape(
        description=tool.description, arguments=cast("dict[str, JsonValue]", tool.arguments), colour=tool.colour
    ).model_dump(mode="json")


def _role_shape(role: SubagentRole) -> Json:
    return RoleShape(
        purpose=role.purpose,
        tools=role.tools,
        result_schema=cast("dict[str, JsonValue] | None", role.result_schema),
        lead=role.lead,
        roles=role.roles,
    ).model_dump(mode="json", exclude_defaults=True)
