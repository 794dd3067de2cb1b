"""Operations printed in the plan language and read again."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.ids import NodeId, ToolName
from agent.plan.operations import WRITTEN_FIELDS, Add, Cancel, Node, NodeKind, Operation
from agent.reading.operation_reader import read_operation
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.printer import plan_text
from agent.reading.plan_language.reader import PythonReader
from agent.roles import SubagentRole
from agent.tool import Registry
from infra.evaluation.goal import SHIPPED_GOALS, read_goals
from infra.tools.catalogue import known_tools
from tests.fakes.plans import REGISTRY, SCRIPT, Written, json_values, plans, tool

ROLES = {"writer"}
ODD = Registry(
    [*REGISTRY, tool("a.b"), tool("my-tool"), tool("one"), tool("class")],
    [SubagentRole(name=name, prompt="x") for name in ROLES],
)
"""Tools with names that are none in Python, or that mean something there."""

ODD_NAMES = {known.name for known in ODD}
NAMES = {known.name for known in REGISTRY}

IDS = st.sampled_from(
    ["shop", "restart-0", "9lives", "class", "match", "node", "fetch", "reply", "item", "index", "run_shop", "x_2", "A"]
)
POINTERS = st.lists(
    st.sampled_from(
        ["body", "0", "12", "007", "a b", "items", "from", 'say "x"', "it's", "back\\", "", "ä", "é~/", "#"]
    ),
    max_size=3,
).map(lambda keys: "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys))
TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "${x}",
        "$${x}",
        "${",
        "{shop.a}",
        "}}",
        '"""',
        "'''",
        "\\",
        "\\n",
        "\r\n",
        "\x00",
        "“x”",
        "#",
        "a" * 5_000,
        "\u2028",
    ]
)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
CODES = st.sampled_from(
    [
        SCRIPT,
        "def main(inputs):\n    return 1",
        "async def main(data):\n    x = data['a']\n    return await atools.look(page=x)\n",
        'import json\ndef main(inputs):\n    return json.loads("""\n x""")\n',
        'def main(inputs):\n\ta, b = inputs["a"], inputs.get("b", 3)\n\treturn a\n',
        'def main(inputs):\n    a = inputs["a"]\n    return [a for a in tools.look(page=0)]\n',
        "def main(inputs): return tools.fetch(url='x')\n",
        "def helper(x):\n    return x\n\ndef main(inputs):\n    return helper(1)\n",
        "def main(inputs):\n    return (\n",
        "X = 1\n\n\ndef main(inputs):\n    return X\n\n\n",
        "# first\ndef main(inputs):\n    # second\n    return '''\nx\n'''  # third\n# last\n",
        "def main(inputs, more=1):\n    return main(inputs)\n",
        'no python at all: """ \\ \x07\n' + "x" * 3_000,
    ]
)


@st.composite
def references(draw: st.DrawFn, ids: list[str], *, of_item: bool) -> str:
    """Draw a reference to one of the nodes, to whichever of several succeeded, or to the item."""
    if of_item and draw(st.booleans()):
        return draw(st.sampled_from(["${index}", "${item}"])) if draw(st.booleans()) else f"${{item#{draw(POINTERS)}}}"
    named = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True))
    pointer = draw(POINTERS)
    return f"${{{'|'.join(named)}{'#' + pointer if pointer or draw(st.integers(0, 9)) == 0 else ''}}}"


@st.composite
def values(draw: st.DrawFn, ids: list[str], *, of_item: bool) -> Any:
    """Draw a value with references, as operations hold it."""
    literals = TEXTS.map(lambda text: text.replace("${", "$${"))
    if not ids and not of_item:
        return draw(literals)
    refers = references(ids, of_item=of_item) if ids else st.just("${item}")
    texts = st.lists(literals | refers, max_size=4).map("".join) | refers
    leaves = texts | st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.just(1e300) | st.just(-0.5)
    keys = st.sampled_from(["url", "from", "a b", "after", "ask_first", "ü", "self", "class_"])
    return draw(
        st.recursive(
            leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2), max_leaves=5
        )
    )


@st.composite
def conditions(draw: st.DrawFn, ids: list[str], *, of_item: bool) -> Any:
    """Draw a condition: one reference, or a tree."""
    refers = references(ids, of_item=of_item)
    sides = values(ids, of_item=of_item)
    names = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in"])
    terms: st.SearchStrategy[Any] = st.recursive(
        refers | st.dictionaries(names, st.lists(sides, min_size=2, max_size=2), min_size=1, max_size=1),
        lambda inner: (
            st.dictionaries(st.just("not"), inner, min_size=1)
            | st.dictionaries(
                st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=1
            )
        ),
        max_leaves=4,
    )
    return draw(terms)


@st.composite
def odd_plans(draw: st.DrawFn) -> list[Operation]:
    """Draw operations with everything that is hard to write: names, keys, pointers, texts, conditions, scripts."""
    operations: list[Operation] = []
    ids: list[str] = []
    for name in draw(st.lists(IDS, min_size=1, max_size=5, unique=True)):
        written: Written = {"op": "add", "id": name, "title": draw(TEXTS)}
        earlier = [*ids, "elsewhere"] if draw(st.integers(0, 5)) == 0 else list(ids)
        loops = bool(earlier) and draw(st.integers(0, 3)) == 0
        if loops:
            written["for_each"] = draw(references(earlier, of_item=False))
            written["title"] += draw(
                st.sampled_from(["", " ${item}", " {item}", " ${item#/name}", " ${index}", " $${item}"])
            )
        if earlier and draw(st.integers(0, 2)) == 0:
            written["when"] = draw(conditions(earlier, of_item=loops))
        if earlier and draw(st.booleans()):
            names = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3, unique=True))
            written["depends_on"] = [
                {"id": name, "on": draw(st.sampled_from(["succeeded", "failed", "finished"]))} for name in names
            ]
        if draw(st.integers(0, 4)) == 0:
            written["require_human_approval"] = True
        given_values = draw(
            st.dictionaries(
                st.sampled_from(["url", "page", "from", "a", "after", "x y"]),
                values(earlier, of_item=loops),
                max_size=3,
            )
        )
        match draw(st.sampled_from(["tool", "tool", "package", "subagent"])):
            case "tool":
                names = [*(known.name for known in ODD), "not_there", "reply"]
                written |= {"kind": "tool", "tool": draw(st.sampled_from(names)), "args": given_values}
            case "package":
                written |= {"kind": "package", "code": draw(CODES), "inputs": given_values}
                written["tools"] = draw(st.lists(st.sampled_from(["look", "fetch"]), max_size=2, unique=True))
                if draw(st.booleans()):
                    written["result_schema"] = {"type": "object", "description": "${no reference}"}
            case _:
                written |= {
                    "kind": "subagent",
                    "role": draw(st.sampled_from(["worker", "writer", "look"])),
                    "instruction": draw(st.sampled_from(["do it", "do ${shop}" if "shop" in ids else "do $${it}"])),
                }
                if draw(st.booleans()):
                    written |= {"inputs": given_values, "expected_artifact": draw(TEXTS)}
                if earlier and draw(st.booleans()):
                    written["files"] = [f"${{{name}}}" for name in draw(st.lists(st.sampled_from(earlier), min_size=1))]
        read = read_operation(written, None)
        if isinstance(read, Add):
            operations.append(read)
            ids.append(name)
    if ids and draw(st.booleans()):
        operations.append(Cancel(id=NodeId(ids[0]), why=draw(TEXTS).replace("\x00", "")))
    return operations


def read_again(text: str, registry: Registry) -> list[object]:
    """Return the operations of a text in the plan language, and whatever else comes of it."""
    builder = PlanBuilder(registry=registry, known={})
    reader = PythonReader(registry, builder, printed=True)
    items = [*reader.feed(text), *reader.finish()]
    return [item.operation if isinstance(item, Placed) else item for item in items]


COUNTS = [pytest.param(300, id="300"), pytest.param(2_000, id="2000", marks=pytest.mark.chaos)]
"""How many plans: a short form, and the long one."""


@pytest.mark.parametrize("count", COUNTS)
def test_odd_operations_are_read_as_they_were_printed(count: int) -> None:
    @settings(max_examples=count, suppress_health_check=SLOW, deadline=None)
    @given(plan=odd_plans())
    def is_read_again(plan: list[Any]) -> None:
        text = plan_text(plan, ODD_NAMES, roles=ROLES)
        assert read_again(text, ODD) == plan, text

    is_read_again()


@pytest.mark.parametrize("count", COUNTS)
def test_plan_is_read_as_it_was_printed(count: int) -> None:
    @settings(max_examples=count, suppress_health_check=SLOW, deadline=None)
    @given(plan=plans())
    def is_read_again(plan: list[Written]) -> None:
        operations: list[Any] = [read_operation(written, None) for written in plan]
        text = plan_text(operations, NAMES)
        assert read_again(text, REGISTRY) == operations, text
        assert plan_text(operations, NAMES) == text

    is_read_again()


@settings(max_examples=100)
@given(value=json_values)
def test_arguments_are_read_as_they_were_printed(value: Any) -> None:
    read = read_operation({"op": "add", "id": "a", "kind": "tool", "tool": "fetch", "args": {"v": value}}, None)
    if isinstance(read, Add):
        assert read_again(plan_text([read], NAMES), REGISTRY) == [read]


def test_arguments_that_are_no_keywords_keep_their_place() -> None:
    args = {"after": ["${shop#}"], "page": "${queue#}", "from": 1}
    written: list[Written] = [{"id": "shop"}, {"id": "queue"}, {"id": "last", "args": args}]
    plan: list[Any] = [read_operation({"op": "add", "kind": "tool", "tool": "fetch", **node}, None) for node in written]
    assert read_again(plan_text(plan, NAMES), REGISTRY) == plan


FULL = Node(
    id=NodeId("all"),
    kind=NodeKind.TOOL,
    title="All of it",
    tool=ToolName("fetch"),
    args={"url": "${a}"},
    require_human_approval=True,
)


def test_every_field_that_plans_write_is_printed() -> None:
    # A field that the printer does not know would be lost: it needs a form here, and a line in this set.
    known = {"id", "kind", "title", "depends_on", "require_human_approval", "tool", "args", "code", "inputs", "tools"}
    known |= {"result_schema", "role", "instruction", "files", "expected_artifact", "for_each", "when"}
    assert WRITTEN_FIELDS.keys() == known


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ({"tool": "fetch", "args": {"url": "x"}}, 'a = fetch(url="x")\n'),
        ({"tool": "fetch", "title": "Fetch it"}, "a = fetch()  # Fetch it\n"),
        ({"tool": "a.b", "args": {"from": 1}}, 'a = tool["a.b"](**{"from": 1})\n'),
        ({"tool": "fetch", "args": {"url": "got ${b#/x/0}!"}}, "a = fetch(url=f\"got {node['b'].x[0]}!\")\n"),
        (
            {"tool": "fetch", "depends_on": ["b", {"id": "c", "on": "failed"}]},
            'a = fetch(after=[node["b"], failed(node["c"])])\n',
        ),
        ({"tool": "fetch", "when": {"gt": ["${b#/n}", 3]}}, 'if node["b"].n > 3:\n    a = fetch()\n'),
        (
            {
                "tool": "post",
                "for_each": "${b#/list}",
                "title": "Tell ${item#/name}",
                "args": {"text": "${item#/name}"},
            },
            'for item in node["b"].list:\n    a = post(text=item.name)  # Tell {item.name}\n',
        ),
        (
            {
                "kind": "subagent",
                "role": "writer",
                "instruction": "Write about ${b#/x}",
                "files": ["${b}"],
                "expected_artifact": "a note",
            },
            'a = writer(f"Write about {node[\'b\'].x}", files=[node["b"]], expected_artifact="a note")\n',
        ),
        (
            {"kind": "subagent", "role": "other", "instruction": "Do it"},
            'a = subagent(role="other", instruction="Do it")\n',
        ),
    ],
)
def test_node_is_printed_as_people_would_write_it(written: Written, printed: str) -> None:
    kind = {"op": "add", "id": "a", "kind": "tool"}
    read = read_operation({**kind, **written}, None)
    assert isinstance(read, Add)
    assert plan_text([read], ODD_NAMES, roles=ROLES) == printed


def test_steps_with_the_same_condition_share_one_if() -> None:
    kind = {"op": "add", "kind": "tool", "tool": "fetch", "when": {"not": "${b}"}}
    read: list[Any] = [read_operation({**kind, "id": name}, None) for name in ("x", "y")]
    assert plan_text(read, NAMES) == 'if not node["b"]:\n    x = fetch()\n    y = fetch()\n'


def test_shipped_goals_are_printed_without_a_script_in_quotes() -> None:
    registry = asyncio.run(known_tools())
    goals = [goal for goal in read_goals(SHIPPED_GOALS, registry) if goal.plan]
    for goal in goals:
        operations: list[Any] = [read_operation(written, None) for written in goal.plan]
        text = plan_text(operations, {known.name for known in registry})
        assert read_again(text, registry) == operations, goal.name
        assert "script(" not in text
