"""`reduce_list` and `require_passed`: right for every list, or refused in words."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.tool import CallContext, ToolError
from agent.tools.call import call_tool
from infra.tools.reducers import reduced, require_passed
from sandbox.script import Json

CONTEXT = CallContext(thread=ThreadId("T:C:1"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("5" * 64))


PUT_TOGETHER: list[tuple[str, Sequence[Json], Json]] = [
    ("sum", [1, 2, 4], 7),
    ("sum", [0.1] * 10, 1.0),
    ("sum", [], 0),
    ("count", [0, False, "", [], 5], 5),
    ("average", [1, 2], 1.5),
    ("average", [], None),
    ("min", [3, 0.5, 4], 0.5),
    ("max", ["2026-01-02", "2026-03-01"], "2026-03-01"),
    ("max", [], None),
    ("merge", [{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
    ("concatenate", [["a", "b"], "c", [["d"]]], ["a", "b", "c", ["d"]]),
]


@pytest.mark.parametrize(("how", "values", "value"), PUT_TOGETHER)
def test_values_are_put_together(how: str, values: Sequence[Json], value: Json) -> None:
    assert reduced(how, values) == {"value": value, "used": len(values), "left_out": 0}


def test_what_is_null_or_not_there_is_left_out_and_counted() -> None:
    items: Sequence[Json] = [{"value": 0}, {"value": None}, None, {"other": 1}, {"value": 5}]
    assert reduced("count", items, "/value") == {"value": 2, "used": 2, "left_out": 3}
    assert reduced("sum", items, "/value") == {"value": 5, "used": 2, "left_out": 3}


def test_merge_names_the_keys_of_which_one_value_is_lost() -> None:
    merged = reduced("merge", [{"a": 1, "b": 1}, {"a": 1, "b": 2}])
    assert merged == {"value": {"a": 1, "b": 2}, "used": 2, "left_out": 0, "overwritten": ["b"]}


REFUSED: list[tuple[str, Sequence[Json], str]] = [
    ("sum", [1, "2"], "Value 2 is '2'; it must be a number"),
    ("sum", [True], "Value 1 is True"),
    ("average", [1, []], "Value 2"),
    ("min", ["a", 1], "must be a text, as the first is"),
    ("max", [1, "a"], "must be a number"),
    ("merge", [{"a": 1}, [1]], "must be an object"),
    ("sum", [1e308, 1e308], "too large"),
    ("average", [10**400, 1], "too large"),
]


@pytest.mark.parametrize(("how", "values", "words"), REFUSED)
def test_value_of_another_kind_is_refused_in_words(how: str, values: Sequence[Json], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        reduced(how, values)


@given(st.lists(st.none() | st.integers(), max_size=30))
def test_every_item_is_used_or_left_out(values: Sequence[int | None]) -> None:
    there = [value for value in values if value is not None]
    assert reduced("sum", values) == {"value": sum(there), "used": len(there), "left_out": len(values) - len(there)}


async def test_only_what_passed_goes_on() -> None:
    args: Mapping[str, Json] = {"passed": True, "value": {"text": "a"}, "otherwise": "No version passed"}
    passed = await call_tool(require_passed(), CONTEXT, args)
    assert isinstance(passed, Succeeded)
    assert passed.value == {"text": "a"}
    failed = await call_tool(require_passed(), CONTEXT, {**args, "passed": False})
    assert isinstance(failed, Failed)
    assert (failed.error, failed.message) == ("not_passed", "No version passed")
