"""Forms of cards as people use them: opened from the card's menu, read, filled in, submitted."""

import json
from collections.abc import Mapping
from typing import Any

from bot import wording
from bot.payloads import FORM_ACTION, FORM_INPUT, Form
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from tests.acceptance.app_fixture import AppScene


def buttons(observer: ThreadObserver, card: int = 0) -> list[JsonObject]:
    """Return the elements of a card's row of buttons."""
    blocks: Any = observer.cards()[card].message["blocks"]
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def option(menu: JsonObject, form: Form) -> JsonObject:
    """Return the option of a card's menu."""
    options: Any = menu["options"]
    return next(one for one in options if str(one["value"]).startswith(f"{form.value} "))


async def choose(scene: AppScene, observer: ThreadObserver, who: str, form: Form, *, card: int = 0) -> None:
    """Have a person choose from a card's menu, or press its Edit button; on a shared card, those of the first call."""
    message: Any = observer.cards()[card].message
    by_button = form in (Form.EDIT, Form.INPUT)
    action = f"{FORM_ACTION}_{form.value if by_button else 'menu'}"
    block_id, element = next(
        (block["block_id"], element)
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == action
    )
    chosen = None if by_button else {"selected_option": option(element, form)}
    await scene.people.click(who, observer.channel, str(message["ts"]), action, block_id=block_id, chosen=chosen)


async def opened(scene: AppScene, who: str) -> JsonObject:
    """Return the modal that a person sees, once it is filled."""
    user = f"U0{who.upper()}"

    def filled(dump: JsonObject) -> bool:
        views: Any = dump["views"]
        return user in views and wording.DETAILS_LOADING not in json.dumps(views[user][0], ensure_ascii=False)

    views: Any = (await scene.people.wait_for(filled))["views"]
    return views[user][0]


async def open_form(scene: AppScene, observer: ThreadObserver, who: str, form: Form, *, card: int = 0) -> JsonObject:
    """Open a form and return it."""
    await choose(scene, observer, who, form, card=card)
    return await opened(scene, who)


async def submit(scene: AppScene, who: str, values: Mapping[str, object]) -> Mapping[str, str]:
    """Fill in a form's fields, by block id, and submit it; return what stands under them then, empty when it closed.

    A text is typed; anything else is an input's whole state.
    """
    typed = {
        block_id: {FORM_INPUT: {"value": value} if isinstance(value, str) else value}
        for block_id, value in values.items()
    }
    answer: Any = await scene.people.act("views/submit", user=who, values=typed)
    return answer["errors"]


def picked(value: str, view: JsonObject, block_id: str) -> JsonObject:
    """Return the state of a choice after somebody picked the option of this value."""
    blocks: Any = view["blocks"]
    element = next(block["element"] for block in blocks if block["block_id"] == block_id)
    return {"selected_option": next(one for one in element["options"] if one["value"] == value)}


def field_of(view: JsonObject, label: str) -> str:
    """Return the id of the block whose field has this label."""
    blocks: Any = view["blocks"]
    return next(
        str(block["block_id"]) for block in blocks if block["type"] == "input" and block["label"]["text"] == label
    )


def text_of(view: JsonObject) -> str:
    """Return a modal as text."""
    return json.dumps(view, ensure_ascii=False)
