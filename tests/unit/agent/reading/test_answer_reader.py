"""The language of an answer: what a text is read as, whatever the settings say that models write."""

from collections.abc import Sequence

import pytest

from agent.ids import NodeId
from agent.limits import PlanLanguage
from agent.plan.operations import Add
from agent.reading.answer_reader import AnswerReader
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.validation import Fault
from tests.fakes.plans import REGISTRY
from tests.fakes.work import node

JSON = '{"op": "add", "id": "x", "kind": "tool", "tool": "fetch", "args": {"url": "y"}}\n'
PATCH = '[{"op": "replace", "path": "/a", "value": 1}]'
CALL = 'x = tool["any"](patch={}, url="y")\n'


def ids(text: str, language: PlanLanguage, *, pieces: int = 0) -> Sequence[str]:
    """Return the nodes of a text without faults, read in pieces of so many characters."""
    reader = AnswerReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={NodeId("a"): node("a")}), language=language)
    chunks = [text[at : at + pieces] for at in range(0, len(text), pieces)] if pieces else [text]
    items = [*(item for chunk in chunks for item in reader.feed(chunk)), *reader.finish()]
    assert [item for item in items if isinstance(item, Fault)] == []
    return [item.operation.node.id for item in items if isinstance(item, Placed) and isinstance(item.operation, Add)]


PLANS = {
    "JSON": JSON,
    "JSON behind prose": f"Here is the plan (version 1): {JSON}",
    "JSON in a list": f"[\n{JSON}]\n",
    "JSON in a list on its line": f"[{JSON}]\n",
    "JSON in a numbered list": f"1. {JSON}",
    "JSON under a heading": f"# The plan\n{JSON}",
    "JSON below an opening bracket": '{\n"operations": [' + JSON + "]}\n",
    "JSON Patch in an argument": CALL.format(PATCH),
    "JSON Patch in a list of the first call": f'[tool["any"](patch={PATCH}, url=h) for h in a.hosts]\n',
    "JSON Patch in rows of its own": CALL.format("[\n    " + PATCH[1:-1] + "\n]"),
    "JSON Patch in a condition": f"if a.patch == {PATCH}:\n    {CALL.format(1)}",
    "JSON Patch under a comment": f'# Sends {{"op": "replace"}}\n{CALL.format(PATCH)}',
    "comprehension in rows": "[\n    fetch(url=host)\n    for host in a.hosts\n]\n",
}


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("language", PlanLanguage)
@pytest.mark.parametrize("text", PLANS.values(), ids=PLANS)
def test_plan_is_read_as_what_it_is_written_in(text: str, language: PlanLanguage, pieces: int) -> None:
    assert len(ids(text, language, pieces=pieces)) == 1
