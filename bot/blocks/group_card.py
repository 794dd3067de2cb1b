"""The card of several equal requests: what they have in common once, then each with its own buttons."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agent.approval import ApprovalPolicy
from agent.plan.operations import canonical_json
from bot import wording
from bot.blocks.card import circumstances, ending, named_blocks, who_may_decide, world_lines
from bot.blocks.elements import (
    Block,
    Rendered,
    actions,
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
from bot.blocks.visibility import visible
from bot.payloads import ACTION_PREFIX, GROUP_ACTION, button_value
from bot.ports import ApprovalView
from sandbox.script import Json


def group_card(
    views: Sequence[ApprovalView], policy: ApprovalPolicy, names: Mapping[str, str] = MappingProxyType({})
) -> Rendered:
    """Return the message of a card with several requests of one tool and author, the first of which names it."""
    first = views[0]
    waiting = [view for view in views if view.is_open]
    frozen = any(view.frozen for view in waiting)
    whole = all(view.shown_whole for view in views)
    title = wording.group_title(len(views), quoted(first.request.tool, 80))
    head = f"*{title}*\n{wording.GROUP_QUESTION}" if waiting else f"*{title}*"
    blocks: list[Block] = [section(head)]
    shared = _shared(views)
    if shared:
        common = _lines(shared, first.args)
        blocks.append(rich_text([plain(wording.IN_COMMON, bold=True), preformatted(common)]))
    for number, view in enumerate(views, start=1):
        own = [name for name in view.args if name not in shared]
        shown = _lines(own, view.args) or wording.SAME_CALL
        label = f"{number}. {shortened(visible(view.request.title), 150)}"
        blocks.append(rich_text([plain(label, bold=True), preformatted(shown)]))
        for heading, text in world_lines(view.request):
            blocks.append(rich_text([plain(heading, bold=True), preformatted(visible(text))]))
        blocks.append(_item(view))
    blocks += named_blocks(names)
    if frozen:
        blocks.append(section(wording.FROZEN))
    if not whole:
        blocks.append(section(wording.NOT_SHOWN_WHOLE))
    asked = waiting[0] if waiting else first
    blocks.append(context(circumstances(asked, who_may_decide(policy, asked.request))))
    if len(waiting) > 1:
        blocks.append(_all(waiting, grantable=whole and not frozen))
    return rendered(title, blocks)


def _shared(views: Sequence[ApprovalView]) -> Sequence[str]:
    """Return the arguments that are equal in all requests; somebody may have edited one of them meanwhile."""
    args = [view.args for view in views]
    common = [name for name in args[0] if all(name in given for given in args)]
    return [name for name in common if len({canonical_json(given[name]) for given in args}) == 1]


def _lines(names: Sequence[str], args: Mapping[str, Json]) -> str:
    return "\n".join(f"{visible(name)}: {_text(args[name])}" for name in names)


def _text(value: Json) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _item(view: ApprovalView) -> Block:
    if not view.is_open:
        return context("".join(ending(view)))
    value = button_value(view.request.id, view.version)
    reject = button(wording.REJECT, action=f"{ACTION_PREFIX}rejected", value=value, style="danger")
    approve = button(wording.APPROVE, action=f"{ACTION_PREFIX}approved", value=value, style="primary")
    buttons = [approve, reject] if view.shown_whole and not view.frozen else [reject]
    return actions(buttons, block_id=shortened(f"decide-{view.version}-{view.request.id}", 255))


def _all(waiting: Sequence[ApprovalView], *, grantable: bool) -> Block:
    value = ",".join(button_value(view.request.id, view.version) for view in waiting)
    reject = button(wording.reject_all(len(waiting)), action=f"{GROUP_ACTION}_rejected", value=value, style="danger")
    approve = button(wording.approve_all(len(waiting)), action=f"{GROUP_ACTION}_approved", value=value, style="primary")
    # another block id for each look: a client keeps the state of one that it knows
    block_id = f"decide-all-{len(waiting)}-{waiting[0].request.id}"
    return actions([approve, reject] if grantable else [reject], block_id=block_id)
