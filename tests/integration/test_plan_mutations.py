"""A right plan with one thing wrong in it: the fault is named at its place, and only what needs it is held back."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agent.reading.operation_reader import read_operation
from agent.reading.plan_language.printer import plan_text
from agent.reading.validation import FaultCode
from tests.fakes.plans import REGISTRY, Written, admitted, plans

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
TOOLS = {tool.name for tool in REGISTRY}


@dataclass(frozen=True)
class Call:
    """A step of one row: a tool call with a name, and where its parts stand in the row."""

    #: From 1.
    line: int
    row: str
    name: str
    target: int
    call: int
    #: Of its first argument, and of that one's value.
    argument: int
    value: int
    value_end: int
    end: int


def calls_in(text: str) -> Iterator[Call]:
    """Yield the tool calls of a plan that stand in one row and have arguments."""
    rows = text.split("\n")
    for part in ast.walk(ast.parse(text)):
        match part:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=tool), keywords=[first, *_]) as call
            ) if tool in TOOLS and call.end_lineno == part.lineno and first.arg is not None:
                row = rows[part.lineno - 1]
                at = (part.col_offset, call.col_offset, first.col_offset, first.value.col_offset)
                ends = (first.value.end_col_offset or 0, call.end_col_offset or 0)
                places = [len(row.encode()[:offset].decode()) for offset in (*at, *ends)]
                yield Call(part.lineno, row, name, *places)
            case _:
                pass


def unknown_tool(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return f"{call.row[: call.call]}x{call.row[call.call :]}", FaultCode.UNKNOWN_TOOL, call.call


def positional(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return call.row[: call.argument] + call.row[call.value :], FaultCode.BAD_ARGUMENTS, call.argument


def undefined_name(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return f"{call.row[: call.value]}nobody.here{call.row[call.value_end :]}", FaultCode.UNKNOWN_NODE, call.value


def sum_of_a_call(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return f"{call.row[: call.call]}1 + {call.row[call.call :]}", FaultCode.BAD_STATEMENT, call.call


def calculated(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return f"{call.row[: call.value]}2 * {call.row[call.value :]}", FaultCode.BAD_VALUE, call.value


def stray_bracket(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return f"{call.row[: call.end]}){call.row[call.end :]}", FaultCode.NOT_PYTHON, call.end


def name_used_again(call: Call, other: Call) -> tuple[str, FaultCode, int]:
    row = call.row[: call.target] + other.name + call.row[call.target + len(call.name) :]
    return row, FaultCode.DUPLICATE_ID, call.target


def with_others(call: Call, _: Call) -> tuple[str, FaultCode, int]:
    return (
        f"{call.row[: call.target]}{call.name}, more{call.row[call.target + len(call.name) :]}",
        FaultCode.BAD_STATEMENT,
        call.target,
    )


MUTATIONS = [
    *(unknown_tool, positional, undefined_name, sum_of_a_call, calculated, stray_bracket, name_used_again, with_others)
]


@pytest.mark.parametrize(
    "count", [pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.chaos)]
)
def test_mutation_of_a_right_plan_is_a_fault_at_its_place_that_spoils_only_what_needs_it(count: int) -> None:
    @settings(max_examples=count, suppress_health_check=SLOW, deadline=None)
    @given(plan=plans(least=2), data=st.data())
    def is_named(plan: list[Written], data: st.DataObject) -> None:
        operations: list[Any] = [read_operation(written, None) for written in plan]
        text = plan_text(operations, TOOLS)
        calls = sorted(calls_in(text), key=lambda call: call.line)
        assume(calls)
        right, none = admitted(text)
        assert none == []
        call = data.draw(st.sampled_from(calls))
        others = [other for other in calls if other.line < call.line]
        mutation = data.draw(
            st.sampled_from(MUTATIONS if others else [one for one in MUTATIONS if one is not name_used_again])
        )
        row, code, column = mutation(call, others[0] if others else call)
        rows = text.split("\n")
        assume(row not in rows)  # a line that is said twice means one step
        rows[call.line - 1] = row
        made, found = admitted("\n".join(rows))
        assert found, (mutation, row)
        first = min(found, key=lambda fault: (fault.line or 0, fault.code is FaultCode.HELD_BACK))
        assert (first.code, first.line, first.column) == (code, call.line, column + 1), row
        later = {fault.code for fault in found if fault.line != call.line}
        # Its own name means nothing now: an `if` about that is left out, with what stands in it.
        lost = {FaultCode.UNKNOWN_NODE, FaultCode.BAD_STATEMENT} if mutation is name_used_again else set[FaultCode]()
        assert later <= {FaultCode.HELD_BACK, *lost}
        needing = {call.name}
        for written in (operation.node for operation in operations):
            if {dependency.node for dependency in written.depends_on} & needing:
                needing.add(written.id)
        expected = [node for node in right if node.id not in needing]
        assert made == expected or mutation is name_used_again

    is_named()
