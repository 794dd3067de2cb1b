"""The card of several requests: what they have in common once, then each with its own buttons."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from agent.approval import ApprovalPolicy
from agent.card_facts import card_facts_of
from agent.plan.operations import canonical_json
from agent.tool import Reversibility
from bot import wording
from bot.cards.card import (
    account_line,
    buttons_id,
    circumstances,
    ending,
    forms_of,
    named_blocks,
    outside_blocks,
    state_line,
    who_may_decide,
    with_what_comes,
    world_lines,
)
from bot.cards.edit_difference import difference
from bot.elements import (
    Block,
    Rendered,
    actions,
    block_id,
    button,
    context,
    plain,
    preformatted,
    quoted,
    rendered,
    rich_text,
    section,
    shortened,
)
from bot.payloads import ACTION_PREFIX, GROUP_ACTION, button_value
from bot.ports import ApprovalView
from bot.visibility import visible
from sandbox.script import Json

MOST_WITH_MENU = 4
"""Requests on a card, each with its own menu; more menus than that take too much room in a message."""


def group_card(
    views: Sequence[ApprovalView], policy: ApprovalPolicy, names: Mapping[str, str] = MappingProxyType({})
) -> Rendered:
    """Return the message of a card with several requests of one author that the same people decide."""
    first = views[0]
    waiting = [view for view in views if view.is_open]
    frozen = any(view.frozen for view in waiting)
    whole = all(view.shown_whole for view in views)
    tools = {view.request.tool for view in views}
    title = wording.group_title(len(views), quoted(first.request.tool, 80) if len(tools) == 1 else "")
    head = f"*{title}*\n{wording.GROUP_QUESTION}" if waiting else f"*{title}*"
    blocks: list[Block] = [section(head)]
    shared = _shared(views)
    if shared:
        common = _lines(shared, first.args)
        blocks.append(rich_text([plain(wording.IN_COMMON, bold=True), preformatted(common)]))
    states = [state_line(view.request) for view in views]
    shared_state = states[0] if states.count(states[0]) == len(states) else None
    for number, view in enumerate(views, start=1):
        own = [name for name in view.args if name not in shared]
        shown = _lines(own, view.args) or wording.SAME_CALL
        label = f"{number}. {shortened(visible(view.request.title), 150)}"
        if len(tools) > 1:
            label += f" — {visible(view.request.tool)}"
        blocks.append(rich_text([plain(label, bold=True), preformatted(shown)]))
        for heading, text in world_lines(view.request):
            blocks.append(rich_text([plain(heading, bold=True), preformatted(visible(text))]))
        stands = state_line(view.request)
        if stands is not None and stands != shared_state:
            blocks.append(stands)
        blocks += [*difference(view), *outside_blocks(view.request)]
        blocks.append(_item(view, with_menu=len(views) <= MOST_WITH_MENU))
    blocks += [*filter(None, (account_line(first.request), shared_state)), *named_blocks(names)]
    if frozen:
        blocks.append(section(wording.FROZEN))
    if not whole:
        blocks.append(section(wording.NOT_SHOWN_WHOLE))
    asked = waiting[0] if waiting else first
    blocks.append(context(circumstances(_as_one(views, asked), who_may_decide(policy, asked.request))))
    if len(waiting) > 1:
        blocks.append(_all(waiting, grantable=whole and not frozen))
    return rendered(title, blocks)


def _as_one(views: Sequence[ApprovalView], asked: ApprovalView) -> ApprovalView:
    """Return the request `asked` for all of the card: with what waits behind any, undone like the hardest to undo."""
    behind = tuple(dict.fromkeys(title for view in views for title in view.blocks))
    hardest = max((card_facts_of(view.request).reversibility for view in views), key=list(Reversibility).index)
    facts = {**asked.request.facts, "reversibility": hardest.value}
    return replace(asked, waiting=behind, request=replace(asked.request, blocks=behind, facts=facts))


def _shared(views: Sequence[ApprovalView]) -> Sequence[str]:
    """Return the arguments that are equal in all requests; somebody may have edited one of them meanwhile."""
    args = [view.args for view in views]
    if len({view.request.tool for view in views}) > 1:
        return ()
    common = [name for name in args[0] if all(name in given for given in args)]
    return [name for name in common if len({canonical_json(given[name]) for given in args}) == 1]


def _lines(names: Sequence[str], args: Mapping[str, Json]) -> str:
    return "\n".join(f"{visible(name)}: {_text(args[name])}" for name in names)


def _text(value: Json) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _item(view: ApprovalView, *, with_menu: bool) -> Block:
    if not view.is_open:
        return context("".join(ending(view)))
    value = button_value(view.request.id, view.version)
    about = view.request.title
    reject = button(wording.REJECT, action=f"{ACTION_PREFIX}rejected", value=value, style="danger", about=about)
    approve = button(wording.APPROVE, action=f"{ACTION_PREFIX}approved", value=value, style="primary", about=about)
    buttons = [approve, reject] if view.shown_whole and not view.frozen else [reject]
    if with_menu:
        buttons += forms_of(view, about=about)
    return actions(buttons, block_id=buttons_id(view))


def _all(waiting: Sequence[ApprovalView], *, grantable: bool) -> Block:
    value = ",".join(button_value(view.request.id, view.version) for view in waiting)
    reject = button(wording.reject_all(len(waiting)), action=f"{GROUP_ACTION}_rejected", value=value, style="danger")
    approve = button(wording.approve_all(len(waiting)), action=f"{GROUP_ACTION}_approved", value=value, style="primary")
    named = block_id(
        "decide-all",
        f"{len(waiting)}-{waiting[0].request.id}",
        rejected=not grantable,
        ahead=waiting[0].to_come,
        edits=sum(view.version - 1 for view in waiting),
    )
    ahead = [with_what_comes(waiting[0])] if waiting[0].to_come else []
    return actions([approve, *ahead, reject] if grantable else [reject], block_id=named)
