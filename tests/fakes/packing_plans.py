"""Plans for the tests of packing: chains, forks and joins of tools and scripts that compute something."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from agent.ids import ToolName
from agent.plan.operations import Operation
from agent.reading.plan_file import read_plan
from agent.tool import CallContext, Colour, Registry, Tool, ToolError
from sandbox.script import Json
from tests.fakes.plans import json_lines

Written = dict[str, Any]


async def _mix(_context: CallContext, args: Mapping[str, Json]) -> Json:
    """Everything a reference may point at, worked out from what was given."""
    text = str(args.get("text", ""))
    return {
        "text": f"<{text[-40:]}>",
        "given": {key: value for key, value in args.items() if key != "value"},
        "value": args.get("value"),
        "list": [len(text), {"0": "zero", "a/b": [True, None, 1.5e22]}],
        "größe": "\u2028'\"\\\n",
    }


async def _fail(_context: CallContext, args: Mapping[str, Json]) -> Json:
    raise ToolError("flaky", "it does not work")


async def _post(_context: CallContext, args: Mapping[str, Json]) -> Json:
    return {"text": args["text"], "list": ["posted", {}]}


def _tool(name: str, call: Any, colour: Colour, *required: str) -> Tool:
    properties: Json = {"text": {"type": "string"}, "n": {"type": "integer"}, "from": {}, "value": {}, "a-b": {}}
    schema: dict[str, Json] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return Tool(name=ToolName(name), description=name, arguments=schema, colour=colour, call=call)


REGISTRY = Registry(
    [
        _tool("mix", _mix, Colour.GREEN),
        _tool("odd-name", _mix, Colour.GREEN),
        _tool("fail", _fail, Colour.GREEN),
        _tool("post", _post, Colour.RED, "text"),
    ]
)

PLAIN = """\
import json
from collections import Counter

LIMIT = 3

def helper(value):
    return json.dumps(value, sort_keys=True)[:LIMIT * 20]

def main(inputs):
    \"\"\"Counts
    letters.\"\"\"
    text = helper(inputs)
    inputs["spoiled"] = True
    return {"text": text, "list": (len(text), Counter(text).most_common(1)), 7: "seven"}
"""
CALLING = """\
LIMIT = 2

def helper(text):
    return tools.mix(text=text, n=LIMIT)

def main(inputs):
    got = helper(str(sorted(inputs)))
    print("called", got["text"])
    return {"text": got["text"], "list": [helper("x")["list"][0], got]}
"""
ASYNC = """\
import asyncio

async def one(number):
    return await atools.mix(n=number)

async def main(inputs):
    found = await asyncio.gather(one(1), one(2))
    return {"text": str(len(found)), "list": [call["given"] for call in found]}
"""
CLASSY = """\
from dataclasses import dataclass

@dataclass
class Point:
    x: int

class Box:
    def __init__(self, point):
        self.point = point

    def twice(self):
        return Box(Point(self.point.x * 2))

def main(inputs):
    return {"text": "box", "list": [Box(Point(len(inputs))).twice().point.x, inputs]}
"""
CRASHING = "def main(inputs):\n    return 1 // 0\n"
SCHEMA: Written = {"type": "object", "required": ["text"]}

SCRIPTS: Sequence[tuple[str, list[str]]] = (
    (PLAIN, []),
    (CALLING, ["mix"]),
    (ASYNC, ["mix"]),
    (CLASSY, []),
)


def tool(id: str, *after: Any, tool: str = "mix", **args: Any) -> Written:
    """Write a tool node."""
    needs = {"depends_on": list(after)} if after else {}
    return {"op": "add", "id": id, "kind": "tool", "title": f"Do {id}", "tool": tool, "args": args, **needs}


def script(id: str, *after: Any, code: str = PLAIN, tools: Sequence[str] = (), **inputs: Any) -> Written:
    """Write a package node."""
    needs = {"depends_on": list(after)} if after else {}
    written: Written = {"op": "add", "id": id, "kind": "package", "title": f"Work out {id}", "code": code}
    return {**written, "tools": list(tools), "inputs": inputs, **needs}


def read(plan: Sequence[Written], registry: Registry = REGISTRY) -> Sequence[Operation]:
    """Read a valid plan."""
    read = read_plan(json_lines(list(plan)), registry)
    assert not read.faults, read.faults
    return read.operations


_IDS = ["fetch", "a-b", "0", "print", "match", "class", "json", "main", "step_2", "x", "y", "z", "clean", "inputs"]


@st.composite
def plans(draw: st.DrawFn, most: int = 9, *, failures: bool = True) -> list[Written]:
    """Draw a valid plan in which most steps follow just one other, and some come from data."""
    ids = draw(st.lists(st.sampled_from(_IDS), min_size=1, max_size=most, unique=True))
    plan: list[Written] = []
    for name in ids:
        plan.append(draw(_step(name, plan, failures=failures)))
    return plan


@st.composite
def _step(draw: st.DrawFn, id: str, plan: list[Written], *, failures: bool) -> Written:
    earlier: list[str] = [step["id"] for step in plan]
    lists = {step["id"] for step in plan if "for_each" in step}
    sources = draw(st.lists(st.sampled_from(earlier[-2:]), max_size=2, unique=True)) if earlier else []
    if earlier and not draw(st.integers(0, 4)):
        sources.append(draw(st.sampled_from(earlier)))
    others = ["failed", "finished"] if failures else []
    wants = {source: draw(st.sampled_from(["succeeded"] * 8 + others)) for source in sources}
    after = [source if want == "succeeded" else {"id": source, "on": want} for source, want in wants.items()]
    whole = [source for source, want in wants.items() if want == "succeeded"]
    readable = [source for source in whole if source not in lists]
    if whole and not draw(st.integers(0, 5)):
        return draw(_unfolding(id, whole, after, lists=lists, failures=failures))
    values = {key: draw(_value(readable)) for key in draw(st.lists(_KEYS, max_size=2, unique=True))}
    kind = draw(st.sampled_from(["mix"] * 4 + ["script"] * 3 + ["odd-name", "post"] + ["fail", "crash"] * failures))
    match kind:
        case "script":
            code, tools = draw(st.sampled_from(SCRIPTS))
            made = script(id, *after, code=code, tools=tools, **values)
            return {**made, "result_schema": SCHEMA} if not draw(st.integers(0, 5)) else made
        case "crash":
            return script(id, *after, code=CRASHING, **values)
        case _:
            text = draw(_text(readable))
            return tool(id, *after, tool=kind, text=text, **values)


@st.composite
def _unfolding(
    draw: st.DrawFn, id: str, sources: list[str], after: list[Any], *, lists: set[str], failures: bool
) -> Written:
    """Write a step that goes through a list, or runs on a condition; without failures it holds."""
    source = draw(st.sampled_from(sources))
    name = draw(st.sampled_from(["mix", "post"]))
    if draw(st.booleans()):
        at = "" if source in lists else "#/list"
        texts = tool(id, *after, tool=name, text="${index}: ${item}", value="${item}")
        return {**texts, "title": "Go through ${index}", "for_each": f"${{{source}{at}}}"}
    # A result as a whole is never empty, while its text may be.
    places = ["#/0/text"] if source in lists else ["", *["#/text", "#/value"] * failures]
    place = draw(st.sampled_from(places))
    return {**tool(id, *after, tool=name, text=id), "when": f"${{{source}{place}}}"}


_KEYS = st.sampled_from(["value", "from", "a-b"])


def _text(readable: list[str]) -> st.SearchStrategy[str]:
    references = [
        text for source in readable for text in (f"of {source}: ${{{source}#/text}} ", f"${{{source}#/list}}!")
    ]
    return st.lists(st.sampled_from([*references, "$${no}", 'it\'s "so"\n', "é\u2028\\"]), max_size=3).map("".join)


def _value(readable: list[str]) -> st.SearchStrategy[Any]:
    references = [f"${{{source}{at}}}" for source in readable for at in ("", "#/text", "#/list/0", "#/list/1")]
    leaves = st.sampled_from([*references, None, True, 0, -3, 1.5, "plain", "$${x}"])
    return (
        leaves | st.lists(leaves, max_size=2) | st.dictionaries(st.sampled_from(["k", "a/b", ""]), leaves, max_size=2)
    )
