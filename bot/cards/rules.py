"""Standing rules as people see them: the offer to make one, the pages of its making, the list of those that stand."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from agent.approval import Decision
from agent.grant import Anything, AtMost, Condition, Grant, OneOf, meets
from agent.ids import ApprovalId
from agent.plan.operations import canonical_json
from bot import wording
from bot.elements import (
    Block,
    Rendered,
    actions,
    button,
    choice,
    context,
    form,
    mention,
    moment,
    plain,
    preformatted,
    quoted,
    rendered,
    rich_text,
    section,
    shortened,
    words_only,
)
from bot.payloads import RULE_ACTION, RULE_CALLBACK
from bot.ports import LOOKS_BACK_DAYS, PastCall
from bot.visibility import visible
from sandbox.script import Json

LIFETIMES: Mapping[str, timedelta] = {
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
}
USES = (5, 20, 100, 500)
MOST_RULES = 15
_MOST_SHOWN = 10
_VALUE_CHARACTERS = 600

ANY, SEEN, UP_TO = "any", "seen", "up_to"
"""What a person chooses for an argument that differed."""


def offer(approval: ApprovalId, times: int, tool: str) -> Rendered:
    """Return the offer to make a rule of calls that were approved so often."""
    words = wording.rule_offer(times, quoted(tool))
    make = button(wording.MAKE_RULE, action=f"{RULE_ACTION}_make", value=approval)
    return rendered(words, [section(words), actions([make], block_id="rule-offer")])


def first_page(
    tool: str, conditions: Mapping[str, Condition], seen: Mapping[str, Sequence[Json]], metadata: str
) -> Block:
    """Return the page on which a person says how far the rule goes; `seen` holds what each argument was so far."""
    blocks: list[Block] = [section(wording.rule_question(quoted(tool)))]
    for name, condition in conditions.items():
        if isinstance(condition, OneOf):
            blocks.append(_fixed(name, condition))
        else:
            blocks.append(
                choice(f"arg:{name}", wording.rule_argument(shortened(visible(name), 60)), _options(seen[name]))
            )
    blocks.append(choice("lifetime", wording.RULE_LIFETIME, [(name, name) for name in LIFETIMES], chosen="7 days"))
    blocks.append(choice("uses", wording.RULE_USES, [(f"{uses} times", str(uses)) for uses in USES], chosen="20"))
    return form(
        wording.RULE_TITLE, blocks, submit=wording.NEXT, close=wording.CLOSE, callback=RULE_CALLBACK, metadata=metadata
    )


def _options(values: Sequence[Json]) -> list[tuple[str, str]]:
    options = [(wording.counted(len(values), "value") + " seen so far", SEEN), (wording.ANY_VALUE, ANY)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if numbers and len(numbers) == len(values):
        options.append((f"at most {max(numbers)}", UP_TO))
    return options


def second_page(grant: Grant, past: Sequence[PastCall], metadata: str) -> Block:
    """Return the page that shows what the rule would have covered, with the button that makes it."""
    covered = [call for call in past if meets(grant.conditions, call.args)]
    rejected = sum(call.record.decision is Decision.REJECTED for call in covered)
    blocks: list[Block] = [section(wording.rule_made_of(quoted(grant.tool), grant.most_uses, moment(grant.expires_at)))]
    blocks += [_fixed(name, condition) for name, condition in grant.conditions.items()]
    blocks.append(section(wording.rule_preview(len(covered), len(past), LOOKS_BACK_DAYS)))
    if rejected:
        blocks.append(section(wording.rule_rejected(rejected)))
    for call in covered[:_MOST_SHOWN]:
        who = mention(call.record.by) if call.record.by else ""
        decided = wording.DECIDED_WORDS[call.record.decision]
        blocks.append(context(f"{quoted(call.request.title, 80)} · {_brief(call.args)} · {decided} {who}"))
    return form(
        wording.RULE_TITLE,
        blocks,
        submit=wording.MAKE_RULE_NOW,
        close=wording.CLOSE,
        callback=RULE_CALLBACK,
        metadata=metadata,
    )


def refused_page(words: str) -> Block:
    """Return the page that says why no rule can be made; `words` are ready mrkdwn."""
    return form(
        wording.RULE_TITLE, [section(words)], submit="", close=wording.CLOSE, callback=RULE_CALLBACK, metadata=""
    )


def made(grant: Grant) -> Rendered:
    """Return what everybody reads about a new rule."""
    words = wording.rule_made(mention(grant.made_by), quoted(grant.tool), grant.most_uses, moment(grant.expires_at))
    return rendered(words, [section(words), *(_fixed(name, known) for name, known in grant.conditions.items())])


def listed(rules: Sequence[Grant], revocable: Collection[str]) -> Rendered:
    """Return the rules that stand, those in `revocable` with a button that ends them."""
    if not rules:
        return words_only(wording.NO_RULES)
    blocks: list[Block] = [section(wording.RULES_HERE)]
    for number, rule in enumerate(rules[:MOST_RULES]):
        left = wording.rule_line(
            quoted(rule.tool), mention(rule.made_by), rule.most_uses - rule.uses, moment(rule.expires_at)
        )
        blocks.append(section(f"{left}\n{_conditions(rule.conditions)}"))
        if rule.id in revocable:
            end = button(
                wording.REVOKE,
                action=f"{RULE_ACTION}_revoke_{number}",
                value=rule.id,
                style="danger",
                about=_told(rule),
            )
            blocks.append(actions([end], block_id=f"rule-{rule.id}"))
    if len(rules) > MOST_RULES:
        blocks.append(context(f"… and {len(rules) - MOST_RULES} more"))
    return rendered(wording.RULES_HERE, blocks)


def _told(rule: Grant) -> str:
    return "; ".join([rule.tool, *(f"{name}: {_words(condition)}" for name, condition in rule.conditions.items())])


def _conditions(conditions: Mapping[str, Condition]) -> str:
    return "; ".join(f"{quoted(name, 60)}: {quoted(_words(condition), 120)}" for name, condition in conditions.items())


def _fixed(name: str, condition: Condition) -> Block:
    text = visible(shortened(_words(condition), _VALUE_CHARACTERS))
    return rich_text([plain(shortened(visible(name), 100), bold=True), preformatted(text or "(empty)")])


def _words(condition: Condition) -> str:
    match condition:
        case OneOf(values=values):
            return "\n".join(_value(value) for value in values)
        case AtMost(most=most):
            return f"at most {most}"
        case Anything():
            return wording.ANY_VALUE


def _value(value: Json) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _brief(args: Mapping[str, Json]) -> str:
    return quoted(", ".join(f"{name} {_value(value)}" for name, value in args.items()), 200)
