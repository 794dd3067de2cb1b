"""Drafts: plans in the plan language, as models write them, with the faults that models make."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ids import NodeId
from agent.limits import DEFAULT_LIMITS
from agent.plan.operations import Add, Cancel, Dependency, Node, On, operation_json
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.reader import PythonReader
from agent.reading.plan_language.statements import Item, Scope
from agent.reading.validation import Fault, FaultCode
from agent.roles import SubagentRole
from agent.tool import Registry
from tests.fakes.plans import REGISTRY
from tests.fakes.work import node

PLAN = """\
shop = fetch(url="https://shop.example.com/health")  # Check the shop
queue = fetch(url=f"{shop.body.queue}/depth")  # Read the queue's depth

def slowest(log, shop, most=3) -> {"type": "object"}:
    pages = [tools.look(page=n) for n in range(log["pages"])]
    return {"hosts": pages[:most]}

worst = slowest(log={"pages": 12}, shop=shop)  # Find the slowest
if queue.body.depth > 1000:
    drain = post(channel="#ops", text="drain", after=[worst])  # Drain the queue
for host in worst.hosts:
    restart = post(channel="#ops", text=host.name)  # Restart {host.name}
post(channel="#ops", text=f"{worst.path} ({worst.p99} ms)", after=[finished(restart)])  # Tell #ops
"""


def read(text: str, *known: Node, pieces: int = 0, scope: Scope | None = None) -> list[Item]:
    """Return the items of a text that arrives in pieces of so many characters, and the faults of the whole plan."""
    builder = PlanBuilder(registry=REGISTRY, known={earlier.id: earlier for earlier in known}, added_before=frozenset())
    return read_into(builder, text, pieces=pieces, scope=scope)


def read_into(builder: PlanBuilder, text: str, *, pieces: int = 0, scope: Scope | None = None) -> list[Item]:
    reader = PythonReader(REGISTRY, builder, scope=scope)
    chunks = [text[at : at + pieces] for at in range(0, len(text), pieces)] if pieces else [text]
    found: list[Item] = []
    for item in (*(item for chunk in chunks for item in reader.feed(chunk)), *reader.finish()):
        found.append(item)
        if isinstance(item, Placed):
            found += builder.offer(item).faults
        elif isinstance(item, Fault):
            builder.refuse(item)
    return [*found, *builder.close()]


def admitted(text: str) -> tuple[list[Node], list[Fault]]:
    """Return the nodes of a text that a plan gets, and the faults."""
    builder = PlanBuilder(registry=REGISTRY, known={})
    reader = PythonReader(REGISTRY, builder)
    made: list[Node] = []
    found: list[Fault] = []
    for item in (*reader.feed(text), *reader.finish()):
        if isinstance(item, Placed):
            admission = builder.offer(item)
            made += [operation.node for operation in admission.admitted if isinstance(operation, Add)]
            found += admission.faults
        elif isinstance(item, Fault):
            builder.refuse(item)
            found.append(item)
    return made, [*found, *builder.close()]


def nodes(items: Sequence[Item]) -> dict[str, Node]:
    """Return the nodes of a plan without faults."""
    assert [item for item in items if isinstance(item, Fault)] == []
    operations = [item.operation for item in items if isinstance(item, Placed)]
    return {operation.node.id: operation.node for operation in operations if isinstance(operation, Add)}


def without_code(text: str) -> dict[str, Any]:
    """Return the operations of a text; the scripts keep the indentation they were written with."""
    return {name: {**operation_json(Add(node=found)), "code": ""} for name, found in nodes(read(text)).items()}


def only(text: str, *known: Node) -> Node:
    """Return the one node of a text."""
    [found] = nodes(read(text, *known)).values()
    return found


def faults(text: str, *known: Node) -> list[tuple[str, int | None, int | None, str]]:
    found = [item for item in read(text, *known) if isinstance(item, Fault)]
    return [(fault.code.value, fault.line, fault.column, fault.message) for fault in found]


def test_plan_becomes_the_operations_that_its_words_say() -> None:
    found = nodes(read(PLAN))
    assert {name: operation_json(Add(node=step)) for name, step in found.items()} == {
        "shop": {
            "op": "add",
            "id": "shop",
            "kind": "tool",
            "title": "Check the shop",
            "tool": "fetch",
            "args": {"url": "https://shop.example.com/health"},
        },
        "queue": {
            "op": "add",
            "id": "queue",
            "kind": "tool",
            "title": "Read the queue's depth",
            "depends_on": ["shop"],
            "tool": "fetch",
            "args": {"url": "${shop#/body/queue}/depth"},
        },
        "worst": {
            "op": "add",
            "id": "worst",
            "kind": "package",
            "title": "Find the slowest",
            "depends_on": ["shop"],
            "code": (
                "def main(inputs):\n"
                '    log, shop, most = inputs["log"], inputs["shop"], inputs.get("most", 3)\n'
                '    pages = [tools.look(page=n) for n in range(log["pages"])]\n'
                '    return {"hosts": pages[:most]}\n'
            ),
            "inputs": {"log": {"pages": 12}, "shop": "${shop}"},
            "tools": ["look"],
            "result_schema": {"type": "object"},
        },
        "drain": {
            "op": "add",
            "id": "drain",
            "kind": "tool",
            "title": "Drain the queue",
            "depends_on": ["worst", "queue"],
            "tool": "post",
            "args": {"channel": "#ops", "text": "drain"},
            "when": {"gt": ["${queue#/body/depth}", 1000]},
        },
        "restart": {
            "op": "add",
            "id": "restart",
            "kind": "tool",
            "title": "Restart ${item#/name}",
            "depends_on": ["worst"],
            "tool": "post",
            "args": {"channel": "#ops", "text": "${item#/name}"},
            "for_each": "${worst#/hosts}",
        },
        "post_1": {
            "op": "add",
            "id": "post_1",
            "kind": "tool",
            "title": "Tell #ops",
            "depends_on": [{"id": "restart", "on": "finished"}, "worst"],
            "tool": "post",
            "args": {"channel": "#ops", "text": "${worst#/path} (${worst#/p99} ms)"},
        },
    }


@settings(max_examples=100)
@given(pieces=st.integers(1, 90), ends=st.sampled_from(["\n", "\r\n", "\r"]))
def test_chunks_and_line_ends_change_nothing(pieces: int, ends: str) -> None:
    assert nodes(read(PLAN.replace("\n", ends), pieces=pieces)) == nodes(read(PLAN))


@pytest.mark.parametrize(
    "text",
    [
        f"Sure! Here is the plan (I hope it's fine):\n\n```python\n{PLAN}```\n\nLet me know, isn't it?\n",
        f"<think>\nwild = post(channel='#general', text='x')\n</think>\n{PLAN}",
        "".join(f"    {line}" for line in PLAN.splitlines(keepends=True)),
        "\ufeff" + PLAN,
        PLAN.replace("    ", "\t"),
        PLAN.replace("    ", "  "),
        PLAN.rstrip("\n"),
        PLAN.replace('"#ops"', "“#ops”").replace('"drain"', "‘drain’"),
        PLAN.replace("worst = slowest", "worst: dict = await slowest"),
        '"""The plan.\n\nx = nothing(1)\n"""\n' + PLAN,
        PLAN.replace("channel=", "\n    channel=").replace("worst = slowest", "worst = \\\n    slowest"),
    ],
    ids=["fence", "thought", "indented", "mark", "tabs", "two", "end", "quotes", "annotated", "docstring", "rows"],
)
def test_what_models_put_around_a_plan_changes_nothing(text: str) -> None:
    assert without_code(text) == without_code(PLAN)


def test_step_is_given_out_when_its_line_is_complete_inside_blocks_too() -> None:
    reader = PythonReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
    text = 'a = fetch(url="x")\nif a.ok:\n    b = fetch(url="y")\n'
    seen = [len(text[: at + 1].split("\n")) for at in range(len(text)) for _ in reader.feed(text[at])]
    assert seen == [2, 4]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"${x} {y}"', "$${x} {y}"),
        ("a", "${a}"),
        ("a.items", "${a#/items}"),
        ('a["b/c"].d[0]["~"]', "${a#/b~1c/d/0/~0}"),
        ('f"{a}"', "${a}"),
        ('f"{{x}} {a.b} ${{"', "{x} ${a#/b} $${"),
        ("[1, -2.5, (True, None), {'k': a}]", [1, -2.5, [True, None], {"k": "${a}"}]),
        ('("one " "two")', "one two"),
        ('node["a"].b', "${a#/b}"),
        ("first_of(a, node['b']).c", "${a|b#/c}"),
        ('stored("${a#}")', "${a#}"),
    ],
)
def test_expression_is_a_value_with_references(expression: str, value: Any) -> None:
    items = read(f'v = tool["any"](x={expression})', node("a"), node("b"))
    [placed] = [item for item in items if isinstance(item, Placed)]
    assert isinstance(placed.operation, Add)
    assert placed.operation.node.args == {"x": value}


@pytest.mark.parametrize(
    ("test", "when"),
    [
        ("a", "${a}"),
        ("a.ok", "${a#/ok}"),
        ("not a", {"not": "${a}"}),
        ("a.n > 3 and not a.x", {"all": [{"gt": ["${a#/n}", 3]}, {"not": "${a#/x}"}]}),
        ("a.x or a.y in ['p', 'q']", {"any": ["${a#/x}", {"in": ["${a#/y}", ["p", "q"]]}]}),
        ("0 < a.n <= 10", {"all": [{"lt": [0, "${a#/n}"]}, {"le": ["${a#/n}", 10]}]}),
        ("a.x is not None", {"ne": ["${a#/x}", None]}),
        ("'${x' == a.x", {"eq": ["$${x", "${a#/x}"]}),
        ("any([a.x])", {"any": ["${a#/x}"]}),
    ],
)
def test_condition_is_a_tree(test: str, when: Any) -> None:
    assert only(f'if {test}:\n    b = fetch(url="x")\n', node("a")).when == when


BRANCHES = """\
if a.n > 1:
    if a.ok:
        x = fetch(url="1")
elif a.n > 0:
    x = fetch(url="2")
else:
    x = fetch(url="3")
    y = fetch(url=x.next)
z = fetch(url=x.url, after=[finished(x)])
w = fetch(url=y.url)
"""


def test_branches_have_the_negation_of_those_above_and_a_name_means_whichever_ran() -> None:
    found = nodes(read(BRANCHES, node("a")))
    more, some = {"gt": ["${a#/n}", 1]}, {"gt": ["${a#/n}", 0]}
    assert {name: step.when for name, step in found.items()} == {
        "x": {"all": [more, "${a#/ok}"]},
        "x_2": {"all": [{"not": more}, some]},
        "x_3": {"all": [{"not": more}, {"not": some}]},
        "y": {"all": [{"not": more}, {"not": some}]},
        "z": "",
        "w": "",
    }
    assert found["y"].args == {"url": "${x_3#/next}"}
    assert found["z"].args == {"url": "${x|x_2|x_3#/url}"}
    assert found["z"].depends_on == tuple(Dependency(node=NodeId(name), on=On.FINISHED) for name in ("x", "x_2", "x_3"))
    assert found["w"].args == {"url": "${y#/url}"}


@pytest.mark.parametrize(
    "text",
    [
        'for h in a.list:\n    t = post(channel="#a", text=f"{h.name} {n}")\n'.replace("for h", "for n, h").replace(
            "a.list", "enumerate(a.list)"
        ),
        't = [post(channel="#a", text=f"{h.name} {n}") for n, h in enumerate(a.list)]\n',
        'for n, h in enumerate(a.list): t = post(channel="#a", text=f"{h.name} {n}")\n',
    ],
)
def test_loop_is_a_template(text: str) -> None:
    found = only(text + "u = fetch(url=t[0])", node("a")) if "u =" in text else nodes(read(text, node("a")))["t"]
    assert (found.for_each, found.args["text"]) == ("${a#/list}", "${item#/name} ${index}")


def test_condition_in_a_loop_is_asked_of_each_item() -> None:
    found = only('for h in a.list:\n    if h.down:\n        t = post(channel="#a", text=h.name)\n', node("a"))
    assert (found.for_each, found.when) == ("${a#/list}", "${item#/down}")


def test_call_inside_a_call_is_a_step_of_its_own() -> None:
    found = nodes(read('if a:\n    b = fetch(url=fetch(url="x").body.next)  # Get it\n', node("a")))
    assert [*found] == ["fetch_1", "b"]
    assert (found["fetch_1"].when, found["fetch_1"].title, found["b"].title) == ("${a}", "fetch_1", "Get it")
    assert found["b"].args == {"url": "${fetch_1#/body/next}"}


def test_function_takes_along_the_imports_and_functions_that_it_uses() -> None:
    text = (
        "import json, re\nfrom math import ceil as up\n"
        "def half(n):\n    return up(n / 2)\n"
        "async def other():\n    return await atools.fetch(url='x')\n"
        "async def job(**all):\n    # how\n    return half(json.loads(all['n'])), await other(), tools.look(page=1)\n"
        "x = job(n='3')\n"
    )
    found = only(text)
    assert found.code == (
        "from math import ceil as up\nimport json, re\n"
        "def half(n):\n    return up(n / 2)\n\n"
        "async def other():\n    return await atools.fetch(url='x')\n\n"
        "async def main(all):\n    return half(json.loads(all['n'])), await other(), tools.look(page=1)\n"
    ).replace("from math import ceil as up\nimport json, re\n", "import json, re\nfrom math import ceil as up\n")
    assert found.tools == ("fetch", "look")


def test_function_that_calls_itself_stays_one() -> None:
    found = only("def f(n):\n    return n and f(n=n - 1)\nx = f(n=3)\n")
    assert found.code == "def f(n):\n    return n and f(n=n - 1)\n\ndef main(inputs):\n    return f(**inputs)\n"


def test_words_of_the_language_and_its_operations() -> None:
    assert read('tools("send mail")\n') == [NeedTools(need="send mail")]
    items = read('reply("Which one?")\nask("Why?")\ncancel(a, "no longer")\ncancel(node["b"])\n', node("a"), node("b"))
    replies = [item for item in items if isinstance(item, Reply | Ask)]
    cancels = [item.operation for item in items if isinstance(item, Placed)]
    assert replies == [Reply(text="Which one?"), Ask(question="Why?")]
    assert cancels == [Cancel(id=NodeId("a"), why="no longer"), Cancel(id=NodeId("b"))]


def test_name_of_an_earlier_turn_gets_the_next_free_id_and_means_the_newest_from_then_on() -> None:
    found = nodes(read("a = fetch(url=a.next)\nb = fetch(url=a.url)\n", node("a"), node("a_2")))
    assert {name: step.args["url"] for name, step in found.items()} == {"a_3": "${a#/next}", "b": "${a_3#/url}"}


def test_repetition_of_this_turns_steps_is_no_new_step() -> None:
    text = 'a = fetch(url="x")\nfetch(url=a.y)\nfetch(url="z")\n'
    known = {step.id: step for step in nodes(read(text)).values()}
    builder = PlanBuilder(registry=REGISTRY, known=known, added_before=known.keys())
    items = read_into(builder, 'fetch(url="z")\n' + text)
    ids = [item.operation.node.id for item in items if isinstance(item, Placed) and isinstance(item.operation, Add)]
    assert ids == ["fetch_2", "a", "fetch_1", "fetch_3"]
    assert [item for item in items if isinstance(item, Fault)] == []


def test_next_answer_knows_the_names_and_functions_of_the_one_before() -> None:
    scope = Scope()
    builder = PlanBuilder(registry=REGISTRY, known={}, added_before=frozenset())
    first = (
        'a = fetch(url="1")\nif a:\n    x = fetch(url="2")\nelse:\n    x = fetch(url="3")\ndef f(v):\n    return v\n'
    )
    read_into(builder, first, scope=scope)
    items = read_into(builder, "y = f(v=x)\n", scope=scope)
    assert nodes(items)["y"].inputs == {"v": "${x|x_2}"}


FAULTS: list[tuple[str, str, int, int, str]] = [
    ("x = 1 + 2", "bad_statement", 1, 5, "put it into a function"),
    ('x = "text"', "bad_statement", 1, 5, "write this value where it is needed"),
    ("x = a.b", "bad_statement", 1, 5, "write this reference where it is needed"),
    ('x = fetch("y")', "bad_arguments", 1, 11, "fetch takes its arguments by name: url, tries; write fetch(url=...)"),
    ('x = fetch(url="y", url="z")', "bad_arguments", 1, 24, "stands twice"),
    ("x = fetch(url=1)", "bad_arguments", 1, 15, "string"),
    ('x = fetch(url="y",\n  tries="many")', "bad_arguments", 2, 9, "integer"),
    ("x = fetch()", "bad_arguments", 1, 5, "url"),
    ('x = fetsch(url="y")', "unknown_tool", 1, 5, "is it fetch?"),
    ("x = len(a)", "bad_statement", 1, 5, "stands in a function"),
    ('x = a.get("b")', "bad_statement", 1, 5, "put it into a function"),
    ("x = fetch(url=later)", "unknown_node", 1, 15, "assigned before it is used"),
    ('x = fetch(url=f"ä{later.b}")', "unknown_node", 1, 15, "no 'later'"),
    ("x = fetch(url=post)", "unknown_node", 1, 15, "is no result"),
    ("ä = 1; x = fetch(url=no)", "bad_statement", 1, 5, "where it is needed"),
    ("x = fetch(url=a.list[-1])", "bad_value", 1, 15, "counting from the end"),
    ("x = fetch(url=a.list[1:2])", "bad_value", 1, 15, "slice"),
    ("x = fetch(url=a[a])", "bad_value", 1, 15, "by a text or by a number"),
    ('x = fetch(url="a" + a.b)', "bad_value", 1, 15, 'f"... {name.field} ..."'),
    ('x = fetch(url=f"{a.b:.2f}")', "bad_value", 1, 15, "let a function make it"),
    ('x = fetch(url=f"{look()}")', "bad_value", 1, 15, "no call inside a text"),
    ('x = fetch(url=f"${a.b}")', "bad_reference", 1, 15, "put a space between"),
    ('x = fetch(url="x" if a else "y")', "bad_value", 1, 15, "put it into a function"),
    ('x = fetch(url=b"x")', "bad_value", 1, 15, "bytes"),
    ("x = fetch(**a)", "bad_statement", 1, 13, '**{"key": value}'),
    ('x = post(channel="#a", text={"k": 1, "k": 2})', "bad_value", 1, 38, "twice"),
    ('x = fetch(url="1")\nx = fetch(url="2")', "duplicate_id", 2, 1, "assigned twice"),
    ('fetch = fetch(url="1")', "duplicate_id", 1, 1, "is a tool"),
    ('reply = fetch(url="1")', "duplicate_id", 1, 1, "a word of the plan language"),
    ('x, y = fetch(url="1"), fetch(url="2")', "bad_statement", 1, 1, "one name for each call"),
    ("x += 1", "bad_statement", 1, 1, "put it into a function"),
    ('x = reply("a")', "bad_statement", 1, 5, "without a name"),
    ('reply(f"{a}")', "bad_statement", 1, 7, "one plain text"),
    ('if a:\n    reply("x")', "bad_statement", 2, 5, "stands alone"),
    ("cancel(nobody)", "unknown_node", 1, 8, "no 'nobody'"),
    ('x = fetch(url="y", after=[a.b])', "bad_statement", 1, 27, "after names"),
    ('x = fetch(url="y", after=["a"])', "bad_statement", 1, 27, "after names steps"),
    ('x = fetch(url="y", ask_first=a)', "bad_statement", 1, 30, "True or False"),
    ('if len(a) > 1:\n    x = fetch(url="y")', "bad_value", 1, 4, "of its own"),
    ('if True:\n    x = fetch(url="y")', "bad_value", 1, 4, "asks about a result"),
    ('for x in [1, 2]:\n    y = fetch(url="y")', "bad_statement", 1, 10, "goes through a list of a result"),
    ("for x in a.b:\n    y = fetch(url=x)\n    z = fetch(url=y)", "bad_statement", 3, 5, "a loop has one step"),
    ("for x in a.b:\n    for y in x.c:\n        z = fetch(url=y)", "bad_statement", 2, 14, "a loop inside a loop"),
    ("x = [fetch(url=y) for y in a.b if y.ok]", "bad_statement", 1, 35, "let a function return the list"),
    ("x = [fetch(url=y.z) for y in a for z in y]", "bad_statement", 1, 5, "a loop inside a loop"),
    ('while a:\n    x = fetch(url="y")', "bad_statement", 1, 1, "while is no step"),
    ('try:\n    x = fetch(url="y")\nexcept ValueError:\n    pass', "bad_statement", 1, 1, "try is no step"),
    ('x = fetch(url="y"\ny = fetch(url="z")', "unfinished", 1, 1, "never closed"),
    ('x = fetch(url="y', "unfinished", 1, 1, "ends inside"),
    ('x = fetch(url="y"))', "not_python", 1, 19, "unmatched"),
    ('x = fetch(url:"y")', "not_python", 1, 14, "invalid syntax"),
    ('  x = fetch(url="y")\n    z = fetch(url="z")', "bad_indent", 2, 5, "indented by 4"),
    ('if a:\nx = fetch(url="y")', "bad_indent", 1, 1, "nothing is indented"),
    ('else:\n    x = fetch(url="y")', "bad_indent", 1, 1, "no if"),
    ("def f(*a):\n    return 1\nx = f()", "bad_statement", 1, 8, "names each parameter"),
    ("@cached\ndef f():\n    return 1\n", "bad_statement", 1, 2, "no decorators"),
    ("def f(n):\n    return n\nx = f()", "bad_arguments", 3, 5, "needs 'n'; its parameters are: n"),
    ("def f(n):\n    return n\nx = f(n=1, m=2)", "bad_arguments", 3, 14, "has no 'm'"),
    ("def f(n):\n    return n\nx = f(1)", "bad_arguments", 3, 7, "write f(n=...)"),
    (
        "def f():\n    return [tools.post(text=1)]\n\nx = f(ask_first=True)",
        "red_tool_in_package",
        1,
        1,
        "asked about this script as a whole",
    ),
    ('def f():\n    return 1 +\nx = fetch(url="y")', "not_python", 2, 15, "invalid syntax"),
    ('x = subagent(role="r", instruction="do")', "not_available", 1, 5, "no roles here"),
    ("class A:\n    b = 1", "bad_statement", 1, 1, "a class is no step"),
    ("return x", "bad_statement", 1, 1, "returns nothing"),
    ('{"op": "add"}', "bad_statement", 1, 1, "where it is needed"),
    ('print("x")', "bad_statement", 1, 1, "stands in a function"),
]


@pytest.mark.parametrize(("text", "code", "line", "column", "words"), FAULTS, ids=[case[0] for case in FAULTS])
def test_fault_is_named_at_its_place_and_says_what_to_write(
    text: str, code: str, line: int, column: int, words: str
) -> None:
    if text == "return x":
        text = "return (x)"
    found = faults(text, node("a"))
    assert found, "no fault"
    assert found[0][:3] == (code, line, column), found
    assert words in found[0][3]


@settings(max_examples=1_000)
@given(case=st.sampled_from(FAULTS), before=st.integers(0, 4), after=st.booleans())
def test_fault_keeps_its_place_among_right_lines_and_spoils_none(
    case: tuple[str, str, int, int, str], before: int, after: bool
) -> None:
    text, code, line, column, _ = case
    above = [f'ok_{number} = fetch(url="{number}")  # Right' for number in range(before)]
    below = ['last = fetch(url="z")'] if after else []
    # What stands left of the others is not theirs.
    if text.startswith("  "):
        return
    items = read("\n".join([*above, text.replace("return x", "return (x)"), *below]), node("a"))
    found = [item for item in items if isinstance(item, Fault)]
    assert (found[0].code, found[0].line, found[0].column) == (code, line + before, column)
    ids = {item.operation.node.id for item in items if isinstance(item, Placed) and isinstance(item.operation, Add)}
    assert {f"ok_{number}" for number in range(before)} <= ids
    # A text that is never closed takes the rest of the answer with it, or ends at the line.
    assert not after or "last" in ids or code in ("unfinished", "not_python")


def test_step_behind_a_refused_one_is_held_back_without_a_fault_of_its_own() -> None:
    found = faults('x = fetch(1)\ny = fetch(url=x.a)\nif x.ok:\n    z = fetch(url="z")\n')
    assert [code for code, *_ in found] == ["bad_arguments", "held_back", "held_back"]


CHANGES = {
    "assigned again": "page = fetch(url=page.next)",
    "assigned again without a call": "page = page.next",
    "assigned again and wrong": "page = fetsch(url=page.next)",
    "with an annotation": "page: dict = fetch(url=page.next)",
    "unfinished": "page = fetch(url=page.next",
    "unfinished with an annotation": "page: dict = fetch(url=page.next",
    "unfinished with others": "page, more = fetch(url=page.next",
    "changed": "page += fetch(url=page.next)",
    "with others": "page, more = fetch(url=page.next)",
    "in a chain": "more = page = fetch(url=page.next)",
    "a field": "page.title = fetch(url=page.next)",
    "a key": 'page["title"] = "Another"',
    "by a method": "page.update(fetch(url=page.next))",
    "a key taken out": 'del page["title"]',
    "by with": "with fetch(url=page.next) as page:\n    pass",
    "as a loop's variable": "for page in page.more:\n    fetch(url=page.next)",
    "as a variable of a loop that is refused": "for page in [1, 2]:\n    fetch(url=page.next)",
    "as a variable of a loop that is no Python": "for page in page.more[:\n    fetch(url=page.next)",
    "in a loop with two steps": "for one in page.more:\n    two = fetch(url=one)\n    page = fetch(url=two)",
    "in a while": "while page.next:\n    page = fetch(url=page.next)",
    "in a while on its line": "while page.next: page = fetch(url=page.next)",
    "in a try": "try:\n    page += fetch(url=page.next)\nexcept OSError:\n    pass",
    "in an if": "if page.next:\n    page = fetch(url=page.next)",
    "in an if that is refused": "if len(page) > 1:\n    page = fetch(url=page.next)",
    "in an if that is refused, on its line": "if len(page) > 1: page = fetch(url=page.next)",
    "indented": "   page = fetch(url=page.next)",
    "as a function": "def page(url):\n    return url",
    "as a class": "class page:\n    pass",
}


@pytest.mark.parametrize("named", ["page", "_page"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_step_behind_a_refused_change_of_a_name_does_not_take_the_old_result(change: str, named: str) -> None:
    text = f'page = fetch(url="1")\n{change}\nlast = post(channel="#a", text=f"It is {{page.title}}")\n'
    made, found = admitted(text.replace("page", named))
    assert "last" not in [step.id for step in made], made
    assert found[-1].line == text.count("\n")


def test_name_that_is_none_may_be_given_again_and_again() -> None:
    text = '_ = fetch(url="1")\n_ = fetch(url="2")\n'
    assert [*nodes(read(text))] == ["fetch_1", "fetch_2"]
    assert [fault[:2] for fault in faults(text + "x = fetch(url=_.next)\n")] == [("unknown_node", 3)]


def test_name_of_a_loop_means_nothing_behind_it() -> None:
    text = 'for a in b.list:\n    fetch(url=a)\nlast = post(channel="#a", text=a.title)\n'
    assert [fault[:2] for fault in faults(text, node("a"), node("b"))] == [("unknown_node", 3)]


def test_what_stands_in_a_refused_block_never_runs() -> None:
    text = 'if a ==:\n    x = fetch(url="1")\nelse:\n    y = fetch(url="2")\nz = fetch(url="3")\nw = fetch(url=x.b)\n'
    items = read(text, node("a"))
    ids = [item.operation.node.id for item in items if isinstance(item, Placed) and isinstance(item.operation, Add)]
    codes = [(item.code, item.node) for item in items if isinstance(item, Fault)]
    assert ids == ["z", "w"]
    assert codes == [
        (FaultCode.NOT_PYTHON, ""),
        (FaultCode.HELD_BACK, "x"),
        (FaultCode.HELD_BACK, "y"),
        (FaultCode.HELD_BACK, "w"),
    ]


def test_answer_that_was_cut_off_keeps_its_complete_steps_and_guesses_none() -> None:
    for end in range(len(PLAN)):
        reader = PythonReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
        steps = [item for item in reader.feed(PLAN[:end]) if isinstance(item, Placed)]
        whole = [item.operation for item in read(PLAN) if isinstance(item, Placed)]
        assert [step.operation for step in steps] == whole[: len(steps)]


def test_prose_alone_is_nothing() -> None:
    assert read("I cannot do that, sorry (really).\n- Note: x is y\n\n# comment\n") == []


def test_text_that_is_too_long_is_read_up_to_the_limit() -> None:
    line = 'x{} = fetch(url="y")\n'
    count = DEFAULT_LIMITS.python_characters // len(line) + 10
    items = read("".join(line.format(number) for number in range(count)))
    assert [item.code for item in items if isinstance(item, Fault)][-1] is FaultCode.TOO_MANY_NODES or any(
        isinstance(item, Fault) and item.code is FaultCode.TOO_LARGE for item in items
    )


@pytest.mark.parametrize("characters", [DEFAULT_LIMITS.line_characters - 40, DEFAULT_LIMITS.line_characters + 1])
def test_line_that_is_too_long_is_a_fault_and_the_next_one_is_read(characters: int) -> None:
    text = f'x = fetch(url="{"y" * characters}")\nz = fetch(url="1")\n'
    found = [item.code for item in read(text) if isinstance(item, Fault)]
    assert found == ([FaultCode.TOO_LARGE] if characters > DEFAULT_LIMITS.line_characters else [])


def test_long_function_is_parsed_once() -> None:
    body = "".join(f"    x{number} = {number}\n" for number in range(700))
    reader = PythonReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
    started = time.thread_time()
    for character in f"def f():\n{body}":
        assert list(reader.feed(character)) == []
    spent = time.thread_time() - started
    started = time.thread_time()
    [placed] = reader.feed("x = f()\n")
    assert isinstance(placed, Placed)
    # Nothing of the body is looked at again while it arrives: per character it costs what plain text does.
    assert spent < 40 * max(0.002, time.thread_time() - started)


def test_line_that_is_said_twice_means_one_step() -> None:
    text = "def f():\n    return 1\nx = f()\nfor h in a.b:\n    y = fetch(url=h)\n"
    found = nodes(read(f"{text}    y = fetch(url=h)\n{text}", node("a")))
    assert [*found] == ["x", "y"]


def test_function_that_no_step_runs_is_a_fault() -> None:
    text = "def half(n):\n    return n / 2\ndef f():\n    return half(n=2)\n    x = f()\n"
    assert [(code, line) for code, line, *_ in faults(text)] == [("bad_statement", 1), ("bad_statement", 3)]
    assert faults(f"{text}y = f()\n") == []


ROLES = Registry(REGISTRY, [SubagentRole(name="writer", prompt="Write.")])


def with_roles(text: str) -> list[Item]:
    builder = PlanBuilder(registry=ROLES, known={})
    reader = PythonReader(ROLES, builder)
    found: list[Item] = []
    for item in (*reader.feed(text), *reader.finish()):
        found += [item, *(builder.offer(item).faults if isinstance(item, Placed) else ())]
    return [*found, *builder.close()]


def test_role_is_called_by_its_name_with_one_text() -> None:
    text = 'a = fetch(url="x")\nb = writer(f"About {a.x}", files=[a], inputs={"n": 1}, after=[a])  # Write\n'
    found = nodes(with_roles(text))["b"]
    assert (found.role, found.instruction, found.files, found.inputs) == (
        "writer",
        "About ${a#/x}",
        ("${a}",),
        {"n": 1},
    )
    assert found.title == "Write"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('b = writer("a", "b")', FaultCode.BAD_ARGUMENTS, "one text and named arguments"),
        ('b = writer("a", tone="calm")', FaultCode.UNKNOWN_FIELD, "it may have"),
        ("b = writer()", FaultCode.MISSING_FIELD, "instruction"),
        ('writer = fetch(url="x")', FaultCode.DUPLICATE_ID, "is a role"),
        ('b = writr("a")', FaultCode.UNKNOWN_TOOL, "writer"),
        ('b = writer("a", files=["x"])', FaultCode.BAD_FIELD, "reference"),
    ],
)
def test_role_called_wrongly_is_a_fault_that_says_how(text: str, code: FaultCode, words: str) -> None:
    [fault] = [item for item in with_roles(text) if isinstance(item, Fault)]
    assert (fault.code, words in fault.message) == (code, True), fault
