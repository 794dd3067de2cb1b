"""What a server may ask people: bounded, no secrets, no addresses that lead elsewhere than they seem to."""

from typing import Any

import pytest
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitRequestURLParams

from agent.tool import InputGiven, InputRequired, ToolError
from infra.tools.mcp.elicitation import MOST_FIELDS, MOST_QUESTIONS, STATE_BYTES, HeldCall, asked_by, question_of

PET: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def form(message: str = "Which pet?", **changes: Any) -> ElicitRequestFormParams:
    return ElicitRequestFormParams(message=message, requested_schema={**PET, **changes})


def page(url: str) -> ElicitRequestURLParams:
    return ElicitRequestURLParams(message="Please sign.", url=url, elicitation_id="7")


def test_a_form_and_a_page_are_asked_as_they_are() -> None:
    url = "https://x.example/y?z=1"
    asked = asked_by("pets", {"a": ElicitRequest(params=form()), "b": ElicitRequest(params=page(url))}, "s")
    assert asked.questions == {
        "a": {"message": "Which pet?", "schema": PET},
        "b": {"message": "Please sign.", "url": url},
    }
    assert (asked.by, asked.state) == ("pets", "s")


@pytest.mark.parametrize(
    "params",
    [
        form("Type the admin password."),
        form(properties={"api_key": {"type": "string"}}),
        form(properties={"x": {"type": "string", "title": "Your PIN"}}),
        form(properties={"x": {"type": "string", "description": "A one-time code"}}),
        form(properties={f"p{at}": {"type": "string"} for at in range(MOST_FIELDS + 1)}),
        form(properties={"x": {"type": "string", "description": "y" * 9_000}}),
        page("javascript:alert(1)"),
        page("file:///etc/passwd"),
        page("https://bank.example@evil.example/"),
        page("https://evil.example/|https://bank.example>"),
        page("https://evil.example/ bank"),
        page("https://ev\u0456l.example/"),
        page("https://"),
        page("https://x.example/" + "y" * 3_000),
    ],
)
def test_a_secret_too_much_or_an_address_that_deceives_is_refused(
    params: ElicitRequestFormParams | ElicitRequestURLParams,
) -> None:
    with pytest.raises(ToolError, match="nobody was asked") as refused:
        question_of("pets", params)
    assert refused.value.code == "input_required"


def test_too_many_questions_and_a_state_that_is_too_long_are_refused() -> None:
    many = {f"q{at}": ElicitRequest(params=form()) for at in range(MOST_QUESTIONS + 1)}
    for requests, state in ((many, ""), ({}, "x" * (STATE_BYTES + 1))):
        with pytest.raises(ToolError, match="asks for too much"):
            asked_by("pets", requests, state)


def test_a_call_that_is_held_open_gets_each_answer_that_people_gave_before() -> None:
    first = HeldCall.of("pets", None)
    assert first.answer(form()).action == "cancel"
    with pytest.raises(InputRequired) as needed:
        first.check()
    [key] = needed.value.asked.questions
    answers = {key: {"action": "accept", "content": {"name": "Rex"}}}
    second = HeldCall.of("pets", InputGiven(answers=answers, state=needed.value.asked.state))
    assert second.answer(form()).content == {"name": "Rex"}
    second.check()
    assert second.answer(form("And the other?")).action == "cancel"
    with pytest.raises(InputRequired) as needed:
        second.check()
    [other] = needed.value.asked.questions
    third = HeldCall.of("pets", InputGiven(answers={other: {"action": "decline"}}, state=needed.value.asked.state))
    assert third.answer(form()).content == {"name": "Rex"}
    assert third.answer(form("And the other?")).action == "decline"
