"""Where arguments come from: what stands in a person's message is theirs, the rest of what a plan wrote its own."""

from datetime import UTC, datetime

import pytest

from agent.card_facts import Origin, OriginKind
from agent.execution.origins import MOST_ARGUMENTS, origins_of
from agent.ids import NodeId, UserId
from agent.ports import Message
from sandbox.script import Json

AT = datetime(2026, 5, 4, tzinfo=UTC)
ADA = Origin(kind=OriginKind.PERSON, what="U0ADA")
PLAN = Origin(kind=OriginKind.PLAN)
LOOK = Origin(kind=OriginKind.STEP, what="Title of look")
SAID = "Tell #ops that orders-v2 is down since 9:41, then ask <@U0GRACE> for 250 EUR"


def origins(value: Json, text: str = SAID) -> list[Origin]:
    messages = [Message(id=1, author=UserId("U0ADA"), text=text, at=AT)]
    return list(origins_of({"a": value}, lambda node: f"Title of {node}", messages).get("a", ()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("#ops", [ADA]),
        ("  #ops ", [ADA]),
        ("orders-v2 is down", [ADA]),
        ("U0GRACE", [ADA]),
        (250, [ADA]),
        (25, [PLAN]),
        ("order", [PLAN]),
        ("Orders-v2 is down", [PLAN]),
        ("${look}", [LOOK]),
        ("It says: ${look#/status}.", [PLAN, LOOK]),
        ("${look} - ${look}", [LOOK]),
        (["#ops", "${look}", {"k": "made up"}], [ADA, LOOK, PLAN]),
        ("", [PLAN]),
        (None, [PLAN]),
        (True, [PLAN]),
        ([], []),
    ],
    ids=str,
)
def test_origin_of_a_value(value: Json, expected: list[Origin]) -> None:
    assert origins(value) == expected


def test_a_reference_to_several_steps_names_each() -> None:
    other = Origin(kind=OriginKind.STEP, what="Title of other")
    assert origins("${look|other}") == [LOOK, other]


def test_a_word_that_stands_alone_only_later_is_found() -> None:
    assert origins("down", "downtown is not down") == [ADA]


def test_arguments_beyond_the_bound_have_none() -> None:
    many: dict[str, Json] = {f"a{number}": "x" for number in range(MOST_ARGUMENTS + 5)}
    assert len(origins_of(many, lambda _: NodeId(""), [])) == MOST_ARGUMENTS
