"""Modals as a person handles them: fill in, submit, close; and what the app's answer does to the modal."""

from decimal import Decimal, InvalidOperation

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.actions.interactions import check_offered, payload_of
from infra.dev.local_slack.block_kit.views import OpenView, value_key
from infra.dev.local_slack.delivery.sockets import NoAck
from infra.dev.local_slack.state.errors import ControlError, SlackError
from infra.dev.local_slack.state.payload import JsonObject, is_object, object_in, objects_in, text_in
from infra.dev.local_slack.state.people import Person

Errors = dict[str, str]
"""block_id -> why a submission was refused; the key `""` is for the whole view. Empty when it was accepted."""

_NO_CONNECTION: Errors = {"": "We had some trouble connecting. Try again?"}


def view_of(backend: Backend, person: Person, view_id: str | None) -> OpenView:
    """Return the modal a person sees, or their Home tab when `view_id` names it.

    Raises:
        ControlError: It is not open.
    """
    view = backend.views.open.get(view_id) if view_id else backend.views.visible(person.id)
    visible = backend.views.visible(person.id)
    if view is None or view.user != person.id or (view.content["type"] == "modal" and view is not visible):
        raise ControlError("view_not_found", "This view is not open (any more).")
    return view


async def submit(backend: Backend, person: Person, view: OpenView, values: JsonObject | None = None) -> JsonObject:
    """Fill in `values` (block_id -> action_id -> state) and press the submit button; return errors by block_id.

    Raises:
        ControlError: The view has no such block, or no submit button.
    """
    if view.content.get("submit") is None:
        raise ControlError("no_submit", "This view has no submit button.")
    fill_in(view, values or {})
    errors = _missing(view) or await _submitted(backend, person, view)
    return {"accepted": not errors, "errors": errors}


async def _submitted(backend: Backend, person: Person, view: OpenView) -> Errors:
    payload = payload_of(backend, "view_submission", person) | {"view": backend.views.as_json(view)}
    payload |= {"trigger_id": backend.tickets.new_trigger(person.id), "response_urls": list[str]()}
    answer = await backend.deliveries.interact("interactive", payload, accepts_response=True)
    if isinstance(answer, NoAck):
        return _NO_CONNECTION
    return _react(backend, person, view, answer.payload or {})


async def close(backend: Backend, person: Person, view: OpenView) -> None:
    """Press Cancel or the cross."""
    backend.views.close(person.id)
    if view.content.get("notify_on_close"):
        closed: JsonObject = {"view": backend.views.as_json(view), "is_cleared": False}
        await backend.deliveries.interact("interactive", payload_of(backend, "view_closed", person) | closed)


def fill_in(view: OpenView, values: JsonObject) -> None:
    """Put what a person typed into the view's state.

    Raises:
        ControlError: The view has no such input.
    """
    for block_id in values:
        for action_id, state in object_in(values, block_id).items():
            known = object_in(object_in(view.values, block_id), action_id)
            if not known:
                raise ControlError("input_not_found", f"This view has no input {block_id}/{action_id}.")
            key = value_key(str(known["type"]))
            if is_object(state):
                check_offered(_element_at(view, block_id), state)
            view.values[block_id][action_id][key] = state.get(key) if is_object(state) else state


def _element_at(view: OpenView, block_id: str) -> JsonObject:
    """Return the input of a block; empty when it has none, or several elements."""
    blocks = objects_in(view.content, "blocks")
    found = (object_in(block, "element") for block in blocks if block.get("block_id") == block_id)
    return next(found, JsonObject())


def _missing(view: OpenView) -> Errors:
    """Return the errors that a client finds by itself: required inputs left empty, texts too short or long."""
    errors: Errors = {}
    for block in objects_in(view.content, "blocks"):
        if block.get("type") != "input":
            continue
        element = object_in(block, "element")
        state = object_in(object_in(view.values, str(block["block_id"])), str(element["action_id"]))
        value: object = state.get(value_key(str(element["type"])))
        if not value and not block.get("optional"):
            errors[str(block["block_id"])] = "Please complete this required field."
        elif isinstance(value, str) and value and element["type"] == "number_input":
            if not _is_number(element, value):
                errors[str(block["block_id"])] = "Please enter a valid number."
        elif isinstance(value, str):
            least, most = int(element.get("min_length") or 0), int(element.get("max_length") or 3000)
            if value and not least <= len(value) <= most:
                errors[str(block["block_id"])] = f"Between {least} and {most} characters are allowed."
    return errors


def _is_number(element: JsonObject, value: str) -> bool:
    """Return whether a client lets a person submit this number."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    least, most = element.get("min_value"), element.get("max_value")
    whole = bool(element.get("is_decimal_allowed")) or number == number.to_integral_value()
    return (
        number.is_finite()
        and whole
        and (least is None or number >= Decimal(str(least)))
        and (most is None or number <= Decimal(str(most)))
    )


def _react(backend: Backend, person: Person, view: OpenView, answer: JsonObject) -> Errors:
    """Carry out the response_action of a submission."""
    try:
        match text_in(answer, "response_action"):
            case None | "clear":
                backend.views.close(person.id)
            case "update":
                backend.views.update(view, object_in(answer, "view"), expected_hash=None)
            case "errors":
                return _checked_errors(view, answer)
            case other:
                raise SlackError("invalid_arguments", f"[ERROR] unknown response_action {other}")
    except SlackError as refusal:
        backend.complaints.append(f"the answer to a submission was refused: {refusal}")
        return _NO_CONNECTION
    return {}


def _checked_errors(view: OpenView, answer: JsonObject) -> Errors:
    errors = {str(block_id): str(text) for block_id, text in object_in(answer, "errors").items()}
    inputs = {str(block["block_id"]) for block in objects_in(view.content, "blocks") if block.get("type") == "input"}
    if not errors or not set(errors) <= inputs:
        raise SlackError("invalid_arguments", "[ERROR] errors must name the block_ids of input blocks in the view")
    return errors
