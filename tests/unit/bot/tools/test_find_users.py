"""Who is found by which words."""

import pytest

from agent.ids import Tenant
from bot.tools.find_users import matching

TENANT = Tenant("T1")


def person(id: str, real_name: str, **more: object) -> dict[str, object]:
    profile = {"display_name": str(more.pop("display", "")), "title": str(more.pop("title", ""))}
    return {"id": id, "team_id": "T1", "name": real_name.split()[0].lower(), "real_name": real_name, **more} | {
        "profile": profile
    }


PEOPLE = [
    person("U1", "Ada Lovelace", title="Analyst"),
    person("U2", "Adam Smith"),
    person("U3", "Grace Hopper", display="amazing"),
    person("U4", "Ada Gone", deleted=True),
    person("U5", "Ada Robot", is_bot=True),
    person("U6", "Adam Guest", is_restricted=True),
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("ada", ["U1", "U6", "U2"]),
        ("@ada", ["U1", "U6", "U2"]),
        ("Ada LOVE", ["U1"]),
        ("analyst", ["U1"]),
        ("amazing", ["U3"]),
        ("U2", ["U2"]),
        ("nobody", []),
        ("", ["U1", "U6", "U2", "U3"]),
    ],
)
def test_every_word_must_match_and_whole_names_come_first(query: str, ids: list[str]) -> None:
    assert [found["id"] for found in matching(PEOPLE, query, TENANT) if isinstance(found, dict)] == ids


def test_guests_are_told_apart() -> None:
    (guest,) = matching(PEOPLE, "guest", TENANT)
    assert isinstance(guest, dict)
    assert guest["standing"] == "guest"
