"""The approval card: what exactly will run, for whom, what waits behind it, who may decide.

An argument is never shortened. What does not fit one message continues in further ones, posted
before the card that holds the buttons; what is too long even for that cannot be approved at all.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import TypeAlias, assert_never

from agent.approval import (
    ABOUT_TURN,
    DECISIONS,
    GRANTS,
    NEEDS_WORDS,
    OF_AUTHOR,
    RUNS_CALL,
    ApprovalKind,
    ApprovalPolicy,
    ApprovalRequest,
    Decision,
    WorldState,
    askers_of,
)
from agent.budget.budget import Measure, limit_exceeded_from_json
from agent.card_facts import Origin, OriginKind, card_facts_of, shown_arguments
from agent.ids import ToolName
from agent.plan.operations import NodeKind
from agent.preview import Preview
from bot import wording
from bot.cards.call_preview import PreviewPart, message_runs, parts_of
from bot.cards.chunks import Chunk, argument_chunks, chunk_block, text_chunks
from bot.cards.confidential import can_be_shown
from bot.cards.edit_difference import difference
from bot.cards.tool_questions import asks, question_blocks
from bot.elements import (
    MESSAGE_CHARACTERS,
    Block,
    Rendered,
    actions,
    block_id,
    button,
    context,
    escaped,
    group,
    mention,
    moment,
    overflow,
    quoted,
    rendered,
    section,
    sent_size,
    with_button,
    words_only,
)
from bot.payloads import ACTION_PREFIX, CONNECT_ACTION, FORM_ACTION, SHOW_ACTION, Form, button_value, form_value
from bot.ports import ApprovalView
from bot.visibility import visible
from sandbox.script import Json

MESSAGE_CHUNKS = 30
MOST_MESSAGES = 10
WORDS_CHARACTERS = 1000
"""Of a person's words on a closed card."""

NAME_SIZE = 500
"""An argument with a longer name is not shown."""

MOST_RUNS = 30
"""Of a message with styles."""

_CARD_SIZE = 3300
"""Kept free in a message for the card's own words. All sizes are those of `sent_size`."""

_ORIGINS_SIZE = 600
"""Kept of that for where the arguments come from."""

_STATE_CHARACTERS = 300
"""Of a state in the small print; a longer one stands with the arguments."""

_MOST_OUTSIDE = 5
"""Arguments with outside text that are named."""

_BLOCK_SIZE = 100
"""The label of a chunk beside its name."""

_LABELS: Mapping[Decision, str] = {
    Decision.APPROVED: wording.APPROVE,
    Decision.REJECTED: wording.REJECT,
    Decision.AGAIN: wording.RUN_AGAIN,
    Decision.HAPPENED: wording.IT_HAPPENED,
    Decision.GIVE_UP: wording.GIVE_UP,
    Decision.MORE: wording.MORE_ROUNDS,
    Decision.ACCEPT: wording.ACCEPT,
    Decision.STOP: wording.STOP_TURN,
    Decision.GO_ON: wording.GO_ON,
    Decision.TRY_AGAIN: wording.TRY_AGAIN,
    Decision.LEAVE: wording.LEAVE,
    Decision.DECLINED: wording.DECLINE,
}


PreviewsOf: TypeAlias = Callable[[ToolName, Mapping[str, Json]], Sequence[Preview]]
"""Returns how a tool's arguments look; asked each time that a card is shown."""


def no_previews(_tool: ToolName, _args: Mapping[str, Json]) -> Sequence[Preview]:
    """Return nothing: all arguments are shown as they are."""
    return ()


def choices(view: ApprovalView) -> tuple[Decision, ...]:
    """Return the answers this request allows: approving needs arguments that can be shown, and that Slack shows."""
    every = DECISIONS[view.request.kind]
    readable = view.shown_whole and _showable(view)
    return every if readable else tuple(decision for decision in every if decision not in RUNS_CALL)


def card(
    view: ApprovalView,
    policy: ApprovalPolicy,
    names: Mapping[str, str] = MappingProxyType({}),
    *,
    place: str = "",
    previews_of: PreviewsOf = no_previews,
) -> tuple[Rendered, ...]:
    """Return the card's messages, in the order to post them; the last has the buttons.

    `place` is where this copy stands besides the thread. The copy in a thread where nobody may grant the request, or
    that is asked elsewhere, says so and has no button to grant it.

    `names` is id -> name of people and channels in the arguments. Only the last message ever changes. While one of
    them stands cut in Slack, the last has no button that lets the call run.
    """
    request = view.request
    if request.kind in ABOUT_TURN:
        return (_turn_card(view),)
    if request.kind is ApprovalKind.INPUT:
        return (_input_card(view),)
    if request.kind is ApprovalKind.CONNECT:
        return (_connect_card(view, place),)
    who_may = who_may_decide(policy, request)
    small = _small_print(view, names)
    if not _showable(view):
        return (_closing(view, who_may, [section(wording.TOO_LONG_TO_APPROVE)], place, small),)
    groups = _grouped(list(_previewed(view, names, previews_of)))
    if len(groups) > MOST_MESSAGES:
        groups = _grouped(list(_chunks(view)))
    more = [*difference(view), *_confidential(view), *_where(view, place)]
    cut = [section(wording.NOT_SHOWN_WHOLE)] if view.is_open else []
    if len(groups) == 1:
        whole = [chunk_block(chunk) for chunk in groups[0]] or [context(wording.NO_ARGUMENTS)]
        return (_closing(view, who_may, [*whole, *more] if view.shown_whole else cut, place, small),)
    parts = [_arguments(request, number, len(groups), group) for number, group in enumerate(groups, start=1)]
    pointer = context(f"The full arguments stand in the {len(groups)} messages above this one.")
    return (*parts, _closing(view, who_may, [pointer, *more] if view.shown_whole else cut, place, small))


def _chunks(view: ApprovalView) -> Iterator[Chunk]:
    """Yield all that would run: the arguments and, of a script, its code; then what the dry run said."""
    yield from argument_chunks(shown_arguments(view.asked, wording.confidential_value))
    yield from _chunks_besides(view)


def _chunks_besides(view: ApprovalView) -> Iterator[Chunk]:
    for label, text in world_lines(view.request):
        yield from text_chunks(label, "", visible(text))
    if view.script:
        yield from text_chunks(wording.THE_SCRIPT, wording.RUNS_AS_SHOWN, visible(view.script))
    said = card_facts_of(view.request).dry_run
    if said is not None and view.record.edited is None:  # it was about what was asked first
        label = wording.DRY_RUN_FAILED if said.error else wording.DRY_RUN
        yield from text_chunks(label, "", visible(said.error or said.result))


def world_lines(request: ApprovalRequest) -> Iterator[tuple[str, str]]:
    """Yield label and text: how what the call is about to change differs from before, and how it stands now.

    A short state is no text of its own but `state_line`.
    """
    facts = card_facts_of(request)
    if facts.change is not None:
        label = wording.changed_since(approved=facts.change.approved)
        yield label, wording.world_change(facts.change.was, facts.state or {})
    state = _without_account(facts.state)
    if state is not None and state_line(request) is None:
        yield wording.AS_IT_STANDS, wording.world_state(state)


def _without_account(state: WorldState | None) -> WorldState | None:
    """Return the state without the account, which has a line of its own."""
    rest = {key: value for key, value in (state or {}).items() if key != "account"}
    return rest or None


def state_line(request: ApprovalRequest) -> Block | None:
    """Return how what the call is about to change stands now, if that fits one line of small print."""
    state = _without_account(card_facts_of(request).state)
    told = None if state is None else wording.world_state(state)
    if told is None or len(told) > _STATE_CHARACTERS or not told.isascii():
        return None
    return context(f"{wording.AS_IT_STANDS}: {' · '.join(quoted(line) for line in told.splitlines())}")


def _previewed(view: ApprovalView, names: Mapping[str, str], previews_of: PreviewsOf) -> Iterator[Chunk]:
    """Yield what `_chunks` yields, with the previews before the arguments that no preview covers."""
    args = shown_arguments(view.asked, wording.confidential_value)
    covered: set[str] = set()
    for preview in previews_of(view.request.tool, args):
        parts = list(parts_of(preview, names))
        if any(sent_size(part.label) > NAME_SIZE for part in parts):
            continue
        covered.update(preview.covers)
        for part in parts:
            yield from _part_chunks(part)
    yield from argument_chunks({name: value for name, value in args.items() if name not in covered})
    yield from _chunks_besides(view)


def _part_chunks(part: PreviewPart) -> Iterator[Chunk]:
    """Yield a part of a preview in pieces.

    A message of several pieces is shown literally, because a style may begin in one and end in the next, and so is one
    of many styles, because each costs room in Slack's bound.
    """
    chunks = list(text_chunks(part.label, "", part.text or wording.EMPTY))
    styled = part.is_message and len(chunks) == 1 and len(message_runs(part.text)) <= MOST_RUNS
    yield from (replace(chunk, is_message=styled) for chunk in chunks)


def _showable(view: ApprovalView) -> bool:
    args = shown_arguments(view.asked, wording.confidential_value)
    if any(sent_size(visible(name)) > NAME_SIZE for name in args) or not can_be_shown(view.asked):
        return False
    size = len(json.dumps(args)) + len(view.script)
    if size > MOST_MESSAGES * MESSAGE_CHARACTERS:  # spares cutting up a megabyte
        return False
    return len(_grouped(list(_chunks(view)))) <= MOST_MESSAGES


def named_blocks(names: Mapping[str, str]) -> Sequence[Block]:
    """Return whom and what the ids in the arguments stand for."""
    shown = (f"{known} is {'#' if known[0] in 'CG' else ''}{quoted(name, 80)}" for known, name in names.items())
    return [context(wording.named_in_arguments("; ".join(shown)))] if names else []


def _confidential(view: ApprovalView) -> Sequence[Block]:
    """Return the line about confidential values; while the request is open, with the button that shows them."""
    if not card_facts_of(view.request).confidential:
        return ()
    if not view.is_open:
        return [context(wording.CONFIDENTIAL_HELD_BACK)]
    show = button(wording.SHOW, action=SHOW_ACTION, value=button_value(view.request.id, view.version))
    named = block_id("show", f"{view.version}-{view.request.id}")
    return [with_button(wording.CONFIDENTIAL_HELD_BACK, show, block_id=named)]


def _small_print(view: ApprovalView, names: Mapping[str, str]) -> Sequence[Block]:
    """Return the tool, where the arguments come from, and whom and what the ids in them stand for."""
    line = wording.tool_named(quoted(view.request.tool, 80))
    if origins := list(_origins(view.request)):
        line += f" · {wording.origins('; '.join(origins))}"
    stands = state_line(view.request)
    runs_as = account_line(view.request)
    return [*outside_blocks(view.request), *filter(None, (runs_as, stands)), context(line), *named_blocks(names)]


def account_line(request: ApprovalRequest) -> Block | None:
    """Return whose account the call runs as; None where nobody has any."""
    account = card_facts_of(request).account
    return None if account is None else context(wording.runs_as_line(quoted(wording.runs_as(account), 200)))


def outside_blocks(request: ApprovalRequest) -> Sequence[Block]:
    """Return which arguments hold text that strangers wrote, and from where; empty when none does."""
    outside = card_facts_of(request).outside
    named = list(outside.items())[:_MOST_OUTSIDE]
    lines = [wording.outside(quoted(name, 40), (quoted(title, 80) for title in titles)) for name, titles in named]
    lines += [wording.AND_MORE] if len(outside) > len(named) else []
    return [section("\n".join(lines))] if lines else []


def _origins(request: ApprovalRequest) -> Iterator[str]:
    """Yield where the arguments come from, as far as a line holds it."""
    room, found = _ORIGINS_SIZE, card_facts_of(request).origins
    if found and all(origin.kind is OriginKind.PLAN for origins in found.values() for origin in origins):
        yield wording.THE_PLAN
        return
    for name, origins in found.items():
        line = wording.origin(quoted(name, 40), map(_origin, origins))
        room -= sent_size(line)
        if room < 0:
            yield wording.AND_MORE
            return
        yield line


def _origin(origin: Origin) -> str:
    match origin.kind:
        case OriginKind.STEP:
            return f"“{quoted(origin.what, 80)}”"
        case OriginKind.PERSON:
            return wording.message_of(mention(origin.what))
        case OriginKind.PLAN:
            return wording.THE_PLAN
        case _:
            assert_never(origin.kind)


def _grouped(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """Put chunks into messages: one when they fit beside the card's own words, else as few as hold them."""
    groups: list[list[Chunk]] = [[]]
    room = MESSAGE_CHARACTERS - _CARD_SIZE
    size = 0
    for chunk in chunks:
        needed = sent_size(f"{chunk.name}{chunk.note}{chunk.text}") + _BLOCK_SIZE
        if groups[-1] and (size + needed > room or len(groups[-1]) >= MESSAGE_CHUNKS):
            groups.append([])
            size = 0
        groups[-1].append(chunk)
        size += needed
    return groups


def _arguments(request: ApprovalRequest, number: int, of: int, chunks: Sequence[Chunk]) -> Rendered:
    title = f"Arguments of “{quoted(request.title, 150)}”, part {number} of {of}"
    return rendered(title, [section(f"*{title}*"), *(chunk_block(chunk) for chunk in chunks)])


def _where(view: ApprovalView, place: str) -> Sequence[Block]:
    """Return where an open request is asked, if not here alone."""
    if not view.is_open or not (place or view.places or view.nobody_here):
        return ()
    asked_in = wording.listed(_place(asked) for asked in view.places)
    if not view.only_elsewhere:
        return [context(wording.ESCALATED_HERE if place else wording.escalated_to(asked_in))]
    if place:
        return [context(wording.ASKED_FROM_ELSEWHERE)]
    return [section(wording.asked_in(asked_in) if asked_in else wording.NOBODY_HERE)]


def _place(place: str) -> str:
    return f"<#{place}>" if place.startswith(("C", "G")) else mention(place)


def _closing(
    view: ApprovalView, who_may: str, arguments: Sequence[Block], place: str, small: Sequence[Block]
) -> Rendered:
    request = view.request
    title = quoted(request.title, 200)
    frozen = [section(wording.FROZEN)] if view.frozen else []
    what = [*arguments, *frozen]
    about = context(circumstances(view, who_may))
    if view.is_open:
        asked = f"{wording.QUESTION_TITLES[request.kind]}: {title}"
        question = section(f"*{asked}*\n{wording.QUESTIONS[request.kind]}")
        ungranted = not place and view.only_elsewhere
        without = GRANTS if ungranted else RUNS_CALL if view.frozen else ()
        return rendered(asked, [question, *what, about, *small, _buttons(view, without=without, place=place)])
    ended, reason = ending(view)
    return rendered(f"{ended} {title}", [section(f"*{title}*\n{ended}{reason}"), *what, about, *small])


def ending(view: ApprovalView) -> tuple[str, str]:
    """Return how a closed request ended, and a line with the reason if somebody gave one."""
    record = view.record
    who, when = mention(record.by) if record.by else "", moment(record.at) if record.at else ""
    ended = wording.decision_words(view.request.kind, record.decision, who, when)
    entered = record.result if isinstance(record.result, str) else json.dumps(record.result, ensure_ascii=False)
    words = entered if record.decision is Decision.BY_HAND else record.reason
    return ended, f"\n{wording.in_words(record.decision, quoted(words, WORDS_CHARACTERS))}" if words else ""


def _turn_card(view: ApprovalView) -> Rendered:
    """Return the card of a request about a whole turn."""
    request = view.request
    asked = wording.QUESTION_TITLES[request.kind]
    head = [f"*{asked}*", *_used_up(request), *([quoted(request.title, 500)] if request.title else [])]
    more = wording.next_steps(wording.listed((quoted(title, 80) for title in view.blocks), most=5))
    small = [context(more)] if more else []
    if view.is_open:
        lines = [f"Asked for by {mention(request.author)}", *_open_lines(view, wording.ANY_MEMBER)]
        words = section("\n".join([*head, wording.QUESTIONS[request.kind]]))
        return rendered(asked, [words, *small, context("\n".join(lines)), _buttons(view)])
    ended, reason = ending(view)
    return rendered(f"{asked} {ended}", [section("\n".join([*head, ended + reason])), *small])


def _input_card(view: ApprovalView) -> Rendered:
    """Return the card of a tool that asks."""
    request = view.request
    asked = f"{wording.QUESTION_TITLES[request.kind]}: {asks(request)}"
    about = [*question_blocks(request), context(circumstances(view, who_may_decide(ApprovalPolicy(), request)))]
    title = quoted(request.title, 200)
    if view.is_open:
        frozen = [section(wording.FROZEN)] if view.frozen else []
        question = section(f"*{asked}*\n{title}\n{wording.QUESTIONS[request.kind]}")
        return rendered(asked, [question, *about, *frozen, _buttons(view)])
    ended, _ = ending(view)
    return rendered(f"{asked} {ended}", [section(f"*{asked}*\n{title}\n{ended}"), *about])


def _connect_card(view: ApprovalView, place: str) -> Rendered:
    """Return the card of a step that waits for an account: its author's own, or the line about it in the thread."""
    request = view.request
    provider, title = asks(request), quoted(request.title, 200)
    asked = wording.wants_account(provider)
    about = context(circumstances(view, who_may_decide(ApprovalPolicy(), request)))
    if not view.is_open:
        ended, _ = ending(view)
        return rendered(f"{asked} {ended}", [section(f"*{asked}*\n{title}\n{ended}"), about])
    elsewhere = not place and view.places
    words = (
        wording.waits_for_account(mention(request.author), provider) if elsewhere else wording.QUESTIONS[request.kind]
    )
    return rendered(asked, [section(f"*{asked}*\n{title}\n{words}"), about, _buttons(view)])


def _used_up(request: ApprovalRequest) -> Iterator[str]:
    """Yield a sentence for each limit that a request about a budget is about."""
    exceeded, currency = request.args.get("breaches"), request.args.get("currency")
    for entry in exceeded if isinstance(exceeded, list) else ():
        if isinstance(entry, Mapping):
            limit = limit_exceeded_from_json(entry)
            used, most = (_amount(limit.measure, figure, str(currency)) for figure in (limit.used, limit.most))
            yield escaped(wording.used_up(limit.scope, limit.measure, used, most))


def _amount(measure: Measure, figure: int, currency: str) -> str:
    match measure:
        case Measure.COST:
            return wording.money(figure, currency)
        case Measure.TIME:
            return wording.duration_of(timedelta(milliseconds=figure))
        case Measure.MODEL_CALLS | Measure.TOKENS | Measure.NODES:
            return f"{figure:,}"


def circumstances(view: ApprovalView, who_may: str) -> str:
    """Return who asked, what waits, whether what runs can be undone, and who may decide, in mrkdwn."""
    request = view.request
    waiting = wording.listed((quoted(title, 80) for title in view.blocks), most=5)
    lines = [
        f"Asked for by {mention(request.author)}",
        wording.waits(len(view.blocks), waiting, view.progress if view.is_open else None),
        *_undoes(request),
        *_corrected(request),
    ]
    if request.kind not in OF_AUTHOR and (view.is_open or view.record.decision in RUNS_CALL):
        lines.append(wording.UNDOING[card_facts_of(request).reversibility])
    if view.is_open:
        lines += _open_lines(view, who_may)
    return "\n".join(lines)


def _undoes(request: ApprovalRequest) -> Iterator[str]:
    """Yield which effect the call takes back, if any."""
    undoes = card_facts_of(request).undoes
    if undoes is not None:
        by = "" if undoes.by is None else mention(undoes.by)
        yield wording.undoes(quoted(undoes.title, 150), by, "" if undoes.at is None else moment(undoes.at))


def _corrected(request: ApprovalRequest) -> Iterator[str]:
    """Yield why the call is planned anew, if a person set a result."""
    corrected = card_facts_of(request).corrected
    if corrected is not None:
        yield wording.CORRECTED[corrected]


def _open_lines(view: ApprovalView, who_may: str) -> list[str]:
    until = [f"Open until {moment(view.expires_at)}"] if view.expires_at else []
    claimed = [wording.looking(mention(view.record.claimed_by))] if view.record.claimed_by else []
    return [*_progress(view), f"Who may decide: {who_may}", *until, *claimed]


def _progress(view: ApprovalView) -> Iterator[str]:
    """Yield why a request is asked once more, and how many of the approvals it takes are there."""
    requirement = view.request.requirement
    if requirement is None:
        return
    if requirement.again is not None:
        yield wording.ASKED_AGAIN[requirement.again]
    if not requirement.is_single:
        approved = wording.listed((mention(vote.by) for vote in view.votes), most=10)
        yield wording.votes(len(view.votes), sum(requirement.needs), approved)
        if len(requirement.stages) > 1:
            yield wording.stage(requirement.stage + 1, len(requirement.stages))


def reminder(view: ApprovalView, policy: ApprovalPolicy) -> Rendered:
    """Return the message that reminds those who may decide an open request."""
    title, who_may = quoted(view.request.title, 200), who_may_decide(policy, view.request)
    return words_only(wording.reminder(title, who_may))


def who_may_decide(policy: ApprovalPolicy, request: ApprovalRequest) -> str:
    """Return who may decide a request, in mrkdwn."""
    if request.kind in OF_AUTHOR:
        return wording.only_person(mention(request.author))
    parts = [_who_may(part, request) for part in policy.parts]
    more = [*map(mention, sorted(policy.more_users)), *map(group, sorted(policy.more_groups))]
    return wording.or_else(wording.and_also(parts), wording.listed(more, most=10))


def _who_may(policy: ApprovalPolicy, request: ApprovalRequest) -> str:
    people = [mention(user) for user in sorted(policy.users or ())]
    askers = [mention(user) for user in (request.author, *sorted(askers_of(request)))]
    return wording.approvers(policy, askers, people, map(group, sorted(policy.groups or ())))


def _buttons(view: ApprovalView, without: Collection[Decision] = (), place: str = "") -> Block:
    allowed = [decision for decision in choices(view) if decision not in without]
    shown = [_button(view, decision) for decision in allowed if decision not in NEEDS_WORDS]
    if view.request.kind is ApprovalKind.INPUT:
        value = form_value(Form.INPUT, view.request.id, view.version)
        action = f"{FORM_ACTION}_{Form.INPUT.value}"
        shown.insert(0, button(wording.ANSWER, action=action, value=value, style="primary"))
    if view.request.kind is ApprovalKind.CONNECT:
        value = button_value(view.request.id, view.version)
        shown = [
            button(wording.CONNECT_ACCOUNT, action=CONNECT_ACTION, value=value, style="primary"),
            button(wording.DONT_CONNECT, action=f"{ACTION_PREFIX}{Decision.DECLINED.value}", value=value),
        ]
    if view.request.kind is ApprovalKind.APPROVE:
        shown += forms_of(view, without, place)
        if view.to_come and Decision.APPROVED in allowed and not place:
            shown.insert(1, with_what_comes(view))
    return actions(shown, block_id=buttons_id(view))


def _menu(allowed: Collection[Decision], place: str) -> tuple[Form, ...]:
    """Return what the card's menu offers where these answers are allowed."""
    by_hand = [Form.BY_HAND] if Decision.BY_HAND in allowed else []
    together = [Form.ALL] if Decision.APPROVED in allowed and not place else []
    return (Form.COMMENT, Form.CHANGES, *by_hand, Form.CLAIM, *together)


def buttons_id(view: ApprovalView) -> str:
    """Return the block id of a request's buttons: another one for each version of it, and for each look of them."""
    return block_id(
        "decide",
        f"{view.version}-{view.request.id}",
        ahead=view.to_come,
        frozen=view.frozen,
        cut=not view.shown_whole,
        elsewhere=view.only_elsewhere,
    )


def forms_of(
    view: ApprovalView, without: Collection[Decision] = (), place: str = "", *, about: str = ""
) -> list[Block]:
    """Return what opens the forms of a request: the button to edit, and the menu. `about`: as in `button`."""
    request = view.request
    allowed = [decision for decision in choices(view) if decision not in without]
    options = [
        (wording.FORM_OPTIONS[form], form_value(form, request.id, view.version)) for form in _menu(allowed, place)
    ]
    menu = overflow(options, action=f"{FORM_ACTION}_menu")
    if view.frozen or Decision.APPROVED not in choices(view) or request.tool in frozenset(NodeKind):
        return [menu]
    edit = form_value(Form.EDIT, request.id, view.version)
    return [button(wording.EDIT, action=f"{FORM_ACTION}_{Form.EDIT.value}", value=edit, about=about), menu]


def with_what_comes(view: ApprovalView) -> Block:
    """Return the button that opens the form with all that waits and all that will ask."""
    value = form_value(Form.ALL, view.request.id, view.version)
    return button(wording.approve_with(view.to_come), action=f"{FORM_ACTION}_{Form.ALL.value}", value=value)


def _button(view: ApprovalView, decision: Decision) -> Block:
    value = button_value(view.request.id, view.version)
    style = "primary" if decision is Decision.APPROVED else "danger" if decision is Decision.REJECTED else None
    return button(_LABELS[decision], action=f"{ACTION_PREFIX}{decision.value}", value=value, style=style)
