"""A call's arguments as a form: each kind of field, what fits none, and what nobody touched."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.plan.confidential import confidential_places
from agent.plan.json_schema import SchemaIssue
from bot import wording
from bot.cards.decision_forms import edit_form
from bot.cards.edit_form import ArgumentField, entered, fields_of, schema_errors
from bot.payloads import FORM_INPUT, Answer, FormSubmission
from infra.dev.local_slack.block_kit.block_kit import view_faults
from sandbox.script import Json
from tests.fakes.run_views import GRACE, an_approval

ANSWER: Any = {"approval": "q1", "version": 1, "decision": "approved", "user": GRACE, "channel": "C0OPS"}
SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "What to say"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "urgent": {"type": "boolean"},
        "method": {"enum": ["GET", "POST", 3]},
        "body": {"type": "object"},
        "secret": {"type": "string", "x-confidential": True},
        "card": {"type": "object", "properties": {"number": {"x-confidential": True}, "name": {"type": "string"}}},
    },
    "required": ["text"],
}


def submitted(values: Mapping[str, object]) -> FormSubmission:
    """Return the submission of a form with these states, by block id."""
    states = {block_id: {FORM_INPUT: state} for block_id, state in values.items()}
    place = Answer(**ANSWER).place
    view = {"callback_id": "decision_form_edit", "private_metadata": place, "state": {"values": states}}
    found = FormSubmission.read({"user": {"id": GRACE}, "view": view})
    assert found is not None
    return found


def untouched(fields: Any) -> dict[str, object]:
    """Return the states of fields as a form opens with them."""
    found: dict[str, object] = {}
    for one in fields:
        element = one.block["element"]
        if "options" in element:
            found[one.block_id] = {"selected_option": element.get("initial_option")}
        else:
            found[one.block_id] = {"value": element.get("initial_value")}
    return found


def by_name(args: Mapping[str, Json], schema: Mapping[str, Json] = SCHEMA) -> dict[str, ArgumentField]:
    fields = fields_of(schema, args, confidential_places(schema))
    assert fields is not None
    return {one.name: one for one in fields}


def test_each_argument_has_a_field_of_its_kind_filled_in() -> None:
    args: Mapping[str, Json] = {"text": "a" * 80, "ratio": 2.5, "urgent": False, "method": 3, "body": {"a": 1}}
    elements: dict[str, Any] = {name: one.block["element"] for name, one in by_name(args).items()}
    assert {name: element["type"] for name, element in elements.items()} == {
        "text": "plain_text_input",
        "count": "number_input",
        "ratio": "number_input",
        "urgent": "static_select",
        "method": "static_select",
        "body": "plain_text_input",
    }
    assert elements["text"]["multiline"]
    assert "initial_value" not in elements["count"]
    assert elements["ratio"]["initial_value"] == "2.5"
    assert elements["urgent"]["initial_option"]["text"]["text"] == "No"
    assert elements["method"]["initial_option"]["value"] == "2"
    assert json.loads(elements["body"]["initial_value"]) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "state", "value"),
    [
        ("text", {"value": "new"}, "new"),
        ("count", {"value": "7"}, 7),
        ("ratio", {"value": "0.5"}, 0.5),
        ("urgent", {"selected_option": {"value": "true"}}, True),
        ("method", {"selected_option": {"value": "0"}}, "GET"),
        ("body", {"value": '{"b": [null]}'}, {"b": [None]}),
    ],
)
def test_what_is_entered_becomes_a_value_of_the_fields_type(name: str, state: object, value: Json) -> None:
    fields = list(by_name({"text": "hello"}).values())
    block_id = next(one.block_id for one in fields if one.name == name)
    args, errors = entered(fields, {"text": "hello"}, submitted({**untouched(fields), block_id: state}))
    assert errors == {}
    assert args == {"text": "hello", name: value}
    assert type(args[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("count", {"value": "seven"}, wording.NOT_A_NUMBER),
        ("ratio", {"value": "1e5"}, wording.NOT_A_NUMBER),
        ("body", {"value": "{"}, wording.NOT_JSON),
        ("body", {"value": "Infinity"}, wording.NOT_JSON),
        ("body", {"value": "[" * 3000}, wording.NOT_JSON),
        ("method", {"selected_option": {"value": "99"}}, wording.PLEASE_CHOOSE),
        ("method", {"selected_option": {"value": "x"}}, wording.PLEASE_CHOOSE),
    ],
)
def test_a_mistake_stands_under_its_field(name: str, state: object, words: str) -> None:
    fields = list(by_name({"text": "hello"}).values())
    block_id = next(one.block_id for one in fields if one.name == name)
    _, errors = entered(fields, {"text": "hello"}, submitted({**untouched(fields), block_id: state}))
    assert errors == {block_id: words}


@pytest.mark.parametrize("others", [{}, {"text": "hello"}], ids=["alone", "beside another"])
def test_what_holds_something_confidential_has_no_field_and_keeps_its_value(others: dict[str, Json]) -> None:
    args: Mapping[str, Json] = {**others, "secret": "hunter2", "card": {"number": 4111, "name": "A. L."}}
    fields = by_name(args)
    assert not {"secret", "card"} & fields.keys()
    view = edit_form(an_approval(args=args), Answer(**ANSWER), list(fields.values()), approves=True)
    assert not [value for value in ("hunter2", "4111", "A. L.") if value in json.dumps(view)]
    changed = {**untouched(fields.values()), fields["text"].block_id: {"value": "new"}}
    assert entered(list(fields.values()), args, submitted(changed)) == ({**args, "text": "new"}, {})


@pytest.mark.parametrize("place", ["", "/*", "/*/number"])
def test_where_every_argument_may_be_confidential_there_is_no_field(place: str) -> None:
    assert fields_of(SCHEMA, {"text": "hello", "other": 1}, [place]) == []


def test_an_argument_that_was_confidential_as_it_was_asked_has_no_field() -> None:
    fields = fields_of(SCHEMA, {"text": "hello", "a/b": {"c": "x"}}, ["/a~1b/c"])
    assert fields is not None
    assert "a/b" not in [one.name for one in fields]


def test_an_issue_quotes_nothing_where_something_is_confidential() -> None:
    fields = list(by_name({"text": "hello"}).values())
    issues = [
        SchemaIssue(pointer="/secret", message="'hunter2' is too short"),
        SchemaIssue(pointer="/body", message="hunter2"),
    ]
    assert set(schema_errors(fields, issues, quotes=False).values()) == {wording.DOES_NOT_FIT}


NAMES = ["text", "count", "ratio", "urgent", "method", "body", "secret", "card", "other"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_a_field_that_nobody_touched_keeps_its_value_and_the_form_fits_slack(args: dict[str, Json]) -> None:
    fields = fields_of(SCHEMA, args, confidential_places(SCHEMA))
    assert fields is not None
    same, errors = entered(fields, args, submitted(untouched(fields)))
    assert errors == {}
    assert json.dumps(same) == json.dumps(args)
    view = edit_form(an_approval(args=args), Answer(**ANSWER), fields, approves=True)
    assert view_faults(json.loads(json.dumps(view))) == []


@pytest.mark.parametrize(
    "args",
    [{"text": "x" * 3001}, {"body": ["y" * 3000]}, {f"n{number}": 1 for number in range(91)}, {"x" * 151: 1}],
    ids=["text", "JSON", "fields", "name"],
)
def test_what_does_not_fit_a_form_has_none(args: Mapping[str, Json]) -> None:
    assert fields_of(SCHEMA, args) is None


def test_an_issue_stands_under_its_field_or_under_the_first() -> None:
    fields = list(by_name({"text": "hello"}).values())
    inner = SchemaIssue(pointer="/body/a", message="is\u202e bad")
    outer = SchemaIssue(pointer="", message="x" * 500)
    errors = schema_errors(fields, [inner, outer])
    body = next(one.block_id for one in fields if one.name == "body")
    assert errors[body] == "This doesn't fit: is\\u202e bad"
    assert len(errors[fields[0].block_id]) < 200
