"""Which values a schema marks as confidential, however it says so; doubt hides."""

from typing import Any

import pytest

from agent.plan.confidential import confidential_places, confidential_texts, redacted
from sandbox.script import Json

MARK: dict[str, Json] = {"x-confidential": True}


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        ({"properties": {"a": {"type": "string"}}}, ()),
        ({"properties": {"a": MARK, "b": {}}}, ("/a",)),
        ({"properties": {"a": {"x-confidential": False}}}, ()),
        (MARK, ("",)),
        ({"properties": {"a": {"properties": {"b/c": MARK}}}}, ("/a/b~1c",)),
        ({"properties": {"a": {"items": {"properties": {"b": MARK}}}}}, ("/a/*/b",)),
        ({"properties": {"a": {"prefixItems": [{}, MARK]}}}, ("/a/*",)),
        ({"additionalProperties": MARK, "properties": {"a": MARK}}, ("/*",)),
        ({"patternProperties": {"^x": MARK}}, ("/*",)),
        ({"allOf": [{"anyOf": [{"properties": {"a": MARK}}]}]}, ("/a",)),
        ({"if": {}, "then": {"properties": {"a": MARK}}}, ("/a",)),
        ({"dependentSchemas": {"b": {"properties": {"a": MARK}}}}, ("/a",)),
        ({"properties": {"a": {"$ref": "#/$defs/key"}}, "$defs": {"key": MARK}}, ("/a",)),
        ({"properties": {"a": {"$ref": "#/$defs/none"}, "b": MARK}}, ("/a", "/b")),
        ({"properties": {"a": {"$ref": "https://example.com/x"}, "b": MARK}}, ("/a", "/b")),
    ],
)
def test_marked_places(schema: dict[str, Json], places: tuple[str, ...]) -> None:
    assert confidential_places(schema) == places


def test_a_recursive_schema_ends_and_what_lies_deep_is_hidden() -> None:
    tree: dict[str, Json] = {"properties": {"key": MARK, "left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    places = confidential_places(tree)
    deep: Any = {"key": "secret", "name": "shown"}
    for _ in range(30):
        deep = {"key": "secret", "left": deep}
    assert "secret" not in str(redacted(deep, places, lambda _: "-"))


def test_a_redacted_copy_leaves_the_rest_alone() -> None:
    value: Json = {"a": "x", "b": [{"c": 1, "d": 2}, {"c": 3}], "e": None}
    shown = redacted(value, ("/a", "/b/*/c", "/none/x"), lambda hidden: f"<{type(hidden).__name__}>")
    assert shown == {"a": "<str>", "b": [{"c": "<int>", "d": 2}, {"c": "<int>"}], "e": None}
    assert value == {"a": "x", "b": [{"c": 1, "d": 2}, {"c": 3}], "e": None}


def test_the_texts_of_confidential_values() -> None:
    value: Json = {"a": {"x": "s", "y": [12, True, None]}, "b": "t"}
    assert confidential_texts(value, ("/a",)) == ["s", "12"]
