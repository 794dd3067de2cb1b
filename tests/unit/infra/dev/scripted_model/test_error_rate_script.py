"""The error-rate script in ordinary Python, as a container runs it; Monty runs it in the integration tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent.packing.script_checks import script_issues
from agent.plan.json_schema import schema_issues
from infra.dev.scripted_model.error_rate_script import FIRST_DRAFT, REPAIRED, RESULT_SCHEMA, repaired
from sandbox.script import Json


def line(at: str, service: str, status: str) -> str:
    return f'{at}:00:00.000Z {service} 10.0.0.1 "GET / HTTP/1.1" {status} 17 5'


WHOLE = [
    [line("2025-11-20T09", "search", "200"), line("2025-11-20T09", "search", "404")],
    [line("2025-11-20T10", "search", "200"), line("2025-11-20T10", "payments", "503")],
    [line("2025-11-20T10", "payments", "200"), line("2025-11-21T00", "payments", "500")],
]


class Tools:
    """The bridge that a sandbox gives to a script."""

    def __init__(self, pages: Sequence[Sequence[str]]) -> None:
        self._pages = pages

    def read_access_log(self, *, page: int) -> Mapping[str, Json]:
        return {"page": page, "pages": len(self._pages), "text": "\n".join(self._pages[page]) + "\n"}


def run(script: str, pages: Sequence[Sequence[str]]) -> Any:
    scope: dict[str, Any] = {"tools": Tools(pages)}
    exec(script, scope)  # noqa: S102 - our own script, in a test
    return scope["main"]({"day": "2025-11-20"})


@pytest.mark.parametrize("script", [FIRST_DRAFT, REPAIRED], ids=["draft", "repaired"])
async def test_rates_of_a_whole_log_are_counted(script: str) -> None:
    result = run(script, WHOLE)
    assert result["services"] == {
        "payments": {"requests": 2, "errors": 1, "rate": 0.5},
        "search": {"requests": 3, "errors": 0, "rate": 0.0},
    }
    assert result["worst"] == {
        "service": "payments",
        "hour": "2025-11-20T10:00:00Z",
        "requests": 2,
        "errors": 1,
        "rate": 0.5,
    }
    assert await schema_issues(result, RESULT_SCHEMA) == []


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ('2025-11-20T10:00:00.000Z search 10.0.0.1 "GET /se', IndexError),
        (line("2025-11-20T10", "search", "-"), ValueError),
    ],
    ids=["cut short", "no status"],
)
def test_broken_line_crashes_the_draft_and_is_counted_by_the_repair(broken: str, error: type[Exception]) -> None:
    pages = [*WHOLE, [broken]]
    with pytest.raises(error):
        run(FIRST_DRAFT, pages)
    result = run(REPAIRED, pages)
    assert result == {**run(FIRST_DRAFT, WHOLE), "unreadable_lines": 1}


def test_repair_is_for_the_draft_only() -> None:
    assert repaired(FIRST_DRAFT + "\n") == REPAIRED
    assert repaired(REPAIRED) == REPAIRED


@pytest.mark.parametrize("script", [FIRST_DRAFT, REPAIRED], ids=["draft", "repaired"])
def test_script_keeps_the_rules_for_packages(script: str) -> None:
    assert script_issues(script, frozenset({"read_access_log"}), 64 * 1024) == []
