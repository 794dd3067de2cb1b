"""People read words: no machine word of a failure is left without a sentence of its own."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot import wording
from sandbox.script import Json, OutcomeKind

ROOT = Path(__file__).resolve().parents[3]


def error_words() -> Iterator[str]:
    """Yield every machine word of a failure that is written down in the code."""
    for path in (path for folder in ("agent", "bot", "infra") for path in sorted((ROOT / folder).rglob("*.py"))):
        tree = ast.parse(path.read_text())
        named = dict(constants(tree))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = node.args[:1] if node.func.id == "ToolError" else []
            if node.func.id == "Failed":
                given = [keyword.value for keyword in node.keywords if keyword.arg == "error"]
            yield from (word for expression in given if (word := literal(expression, named)))


def constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of a module that stand for a text."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                pass


def literal(expression: ast.expr, named: Mapping[str, str]) -> str:
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return named.get(name, "")
        case _:
            return ""


def test_words_of_failures_are_found_in_the_code() -> None:
    assert {"timeout", "private_address", "query_timeout", "sandbox_denied"} <= set(error_words())


SANDBOX = {f"sandbox_{kind.value}" for kind in OutcomeKind if kind not in (OutcomeKind.OK, OutcomeKind.SUSPENDED)}


@pytest.mark.parametrize("word", sorted({*error_words(), *SANDBOX}))
def test_every_failure_of_a_step_has_words_of_its_own(word: str) -> None:
    assert wording.failure(word) != wording.failure("a word that nobody has written")


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            {"read": {"channel": "#ops"}},
            {"unread": "ratelimited"},
            "I couldn't read it: Slack is asked too often just now. So I don't know whether it is still as it was.",
        ),
        (
            {"unread": "timeout"},
            {"read": {"channel": "#ops"}},
            "I couldn't read it before. Now it reads:\nchannel: #ops",
        ),
        ({"read": {"channel": "#ops"}}, {"read": {"channel": "#new"}}, "channel: was #ops, is #new"),
    ],
    ids=["unread now", "unread before", "read twice"],
)
def test_a_state_that_could_not_be_read_is_no_other_state(
    was: Mapping[str, Json], now: Mapping[str, Json], told: str
) -> None:
    assert wording.world_change(was, now) == told
