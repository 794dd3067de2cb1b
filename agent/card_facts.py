"""What a card shows of a request besides its arguments, and how that is stored with it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.approval import ASKERS, CORRECTED, ApprovalRequest, WorldState, askers_of
from agent.ids import UserId
from agent.plan.confidential import redacted
from agent.tool import Account, Reversibility
from sandbox.script import Json


class OriginKind(StrEnum):
    """Where a value comes from; also its key in JSON."""

    #: The output of a step; `what` is its title.
    STEP = "step"
    #: A message of a person in this turn, word for word; `what` is the person's id.
    PERSON = "person"
    #: The model's own words.
    PLAN = "plan"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value, or a part of it, comes from."""

    kind: OriginKind
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a tool said would happen: its result as text, or why it could not say."""

    result: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Why a call is asked about once more: what it was to change is another one."""

    was: WorldState
    #: Whether somebody had let the call run by then.
    approved: bool


@dataclass(frozen=True, kw_only=True)
class Undoes:
    """The effect that a call takes back."""

    #: Of the step that had it.
    title: str
    #: Who let it happen; None: a rule did.
    by: UserId | None = None
    at: datetime | None = None


class Corrected(StrEnum):
    """What is asked about a call that is planned anew, because a person set a result that it comes from."""

    #: It was not made before.
    FIRST = "first"
    #: It was made before, or may have been, with what the result was then.
    AGAIN = "again"


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card shows besides the arguments."""

    reversibility: Reversibility = Reversibility.FINAL
    #: Argument -> where its parts come from, in the order of the arguments.
    origins: Mapping[str, Sequence[Origin]] = field(default_factory=dict[str, Sequence[Origin]])
    #: None: the tool has none, or it was not called.
    dry_run: DryRun | None = None
    #: The places of confidential values in the arguments (`agent/plan/confidential.py`).
    confidential: tuple[str, ...] = ()
    #: The arguments that say what the call changes (`Tool.targets`).
    targets: tuple[str, ...] | None = None
    #: Argument -> the steps whose outside text it holds, by title.
    outside: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    #: What the call is about to change, as it was read for the card; None: its tool reads nothing.
    state: WorldState | None = None
    #: None: it is asked about for the first time, or for another reason.
    change: Change | None = None
    #: Who asked for it besides its author (`agent.approval.askers_of`).
    askers: tuple[UserId, ...] = ()
    #: None: it takes nothing back.
    undoes: Undoes | None = None
    #: None: no result that it comes from was set by a person since it was planned.
    corrected: Corrected | None = None
    #: Whose account the call runs as; without a provider: the app's. None: nobody has any account here.
    account: Account | None = None


def card_facts_json(facts: CardFacts) -> dict[str, Json]:
    """Return facts as they are stored: keys without a value are left out."""
    written: dict[str, Json] = {}
    if facts.reversibility is not Reversibility.FINAL:
        written["reversibility"] = facts.reversibility.value
    if facts.origins:
        written["origins"] = {
            name: [{origin.kind.value: origin.what} for origin in origins] for name, origins in facts.origins.items()
        }
    if facts.dry_run is not None:
        written["dry_run"] = {key: value for key, value in vars(facts.dry_run).items() if value}
    if facts.confidential:
        written["confidential"] = list(facts.confidential)
    if facts.outside:
        written["outside"] = {name: list(titles) for name, titles in facts.outside.items()}
    if facts.targets is not None:
        written["targets"] = list(facts.targets)
    if facts.state is not None:
        written["state"] = facts.state
    if facts.change is not None:
        written["change"] = {"was": facts.change.was, "approved": facts.change.approved}
    if facts.askers:
        written[ASKERS] = list(facts.askers)
    if facts.undoes is not None:
        written["undoes"] = _undoes_json(facts.undoes)
    if facts.corrected is not None:
        written[CORRECTED] = facts.corrected.value
    if facts.account is not None:
        written["account"] = account_json(facts.account)
    return written


def card_facts_of(request: ApprovalRequest) -> CardFacts:
    """Return a request's facts. What cannot be read is left out, and an effect nobody can place counts as final."""
    stored = request.facts
    origins, dry_run, confidential, targets, outside = (
        stored.get(key) for key in ("origins", "dry_run", "confidential", "targets", "outside")
    )
    return CardFacts(
        reversibility=_reversibility(stored.get("reversibility")),
        origins=(
            {name: tuple(_origins(written)) for name, written in origins.items()}
            if isinstance(origins, Mapping)
            else {}
        ),
        dry_run=(
            DryRun(result=str(dry_run.get("result", "")), error=str(dry_run.get("error", "")))
            if isinstance(dry_run, Mapping)
            else None
        ),
        confidential=tuple(map(str, confidential)) if isinstance(confidential, list | tuple) else (),
        targets=tuple(map(str, targets)) if isinstance(targets, list | tuple) else None,
        outside=(
            {name: tuple(map(str, titles)) for name, titles in outside.items() if isinstance(titles, list | tuple)}
            if isinstance(outside, Mapping)
            else {}
        ),
        state=state if isinstance(state := stored.get("state"), Mapping) else None,
        change=_change(stored.get("change")),
        askers=tuple(sorted(askers_of(request))),
        undoes=_undoes(stored.get("undoes")),
        corrected=_corrected(stored.get(CORRECTED)),
        account=account_in(stored),
    )


def account_json(account: Account) -> dict[str, Json]:
    """Return an account as it is stored."""
    return {key: value for key, value in vars(account).items() if value}


def account_in(stored: Mapping[str, Json]) -> Account | None:
    """Return the account that facts or a state name under `account`."""
    written = stored.get("account")
    if not isinstance(written, Mapping):
        return None
    return Account(provider=str(written.get("provider", "")), subject=str(written.get("subject", "")))


def _undoes_json(undoes: Undoes) -> dict[str, Json]:
    written: dict[str, Json] = {"title": undoes.title}
    if undoes.by is not None:
        written["by"] = undoes.by
    if undoes.at is not None:
        written["at"] = undoes.at.isoformat()
    return written


def _undoes(written: Json) -> Undoes | None:
    if not isinstance(written, Mapping):
        return None
    by, at = written.get("by"), written.get("at")
    try:
        moment = datetime.fromisoformat(str(at)) if at else None
    except ValueError:
        moment = None
    return Undoes(title=str(written.get("title", "")), by=UserId(str(by)) if by else None, at=moment)


def _corrected(written: Json) -> Corrected | None:
    if written is None:
        return None
    return Corrected.FIRST if written == Corrected.FIRST else Corrected.AGAIN


def _change(written: Json) -> Change | None:
    was = written.get("was") if isinstance(written, Mapping) else None
    if not isinstance(written, Mapping) or not isinstance(was, Mapping):
        return None
    return Change(was=was, approved=written.get("approved") is True)


def shown_arguments(request: ApprovalRequest, replaced: Callable[[Json], Json] = lambda _: "") -> Mapping[str, Json]:
    """Return the request's arguments as anybody in the thread may see them: what is confidential is `replaced`."""
    places = card_facts_of(request).confidential
    if "" in places:
        return {name: replaced(value) for name, value in request.args.items()}
    shown = redacted(request.args, places, replaced)
    return shown if isinstance(shown, Mapping) else {}


def _reversibility(written: Json) -> Reversibility:
    known = {kind.value: kind for kind in Reversibility}
    return known.get(str(written), Reversibility.FINAL)


def _origins(written: Json) -> Sequence[Origin]:
    kinds = {kind.value: kind for kind in OriginKind}
    return [
        Origin(kind=kinds[key], what=str(what))
        for entry in (written if isinstance(written, list | tuple) else ())
        if isinstance(entry, Mapping)
        for key, what in entry.items()
        if key in kinds
    ]
