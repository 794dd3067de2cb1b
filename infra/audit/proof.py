"""Whether every red call of the audit had its approval. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from agent.approval import RUNS_CALL, ApprovalKind
from infra.audit.chain import Entry
from infra.stores.audit import AuditEvent
from sandbox.script import Json

_LETS_RUN = frozenset(decision.value for decision in RUNS_CALL)


@dataclass(kw_only=True)
class _Asked:
    #: Thread, node and digest of the call that a yes lets run.
    about: tuple[str, str, str]
    kind: str
    tool: str
    closed: str = ""
    used: bool = False
    people: set[str] = field(default_factory=set[str])
    #: The grant that answered it.
    grant: str = ""
    #: The approvals that each stage takes.
    needs: tuple[int, ...] = (1,)
    #: Stands for these stages.
    stages: str = ""
    #: The rule that lets it run unasked.
    rule: str = ""
    #: Digest and stages -> person -> the stage in which their approval counts.
    votes: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict[tuple[str, str], dict[str, int]])

    def has_enough(self, digest: str) -> bool:
        """Return whether there were as many approvals of the call as it takes."""
        if self.needs == (1,):
            return True
        votes = list(self.votes.get((digest, self.stages), {}).values())
        return all(votes.count(stage) >= needed for stage, needed in enumerate(self.needs))


@dataclass(kw_only=True)
class _Grant:
    entry: Entry
    tool: str
    channel: str
    #: Of an envelope.
    thread: str
    uses_left: int
    until: datetime


class EffectProof:
    """Goes through the rows in order. `effects` counts the red calls that were started, `finished` those that ended.

    Where the rows are not the `whole` chain, decisions and ends may be about what stands before them.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self.effects = 0
        self.finished = 0
        self._asked: dict[str, _Asked] = {}
        #: Call -> what was asked about it.
        self._about: dict[tuple[str, str, str], list[_Asked]] = defaultdict(list)
        self._calls: Counter[tuple[str, str, Json, str]] = Counter()
        #: Scope and target of the freezes that stand.
        self._freezes: set[tuple[str, str]] = set()
        #: Those that stand.
        self._grants: dict[str, _Grant] = {}
        self._ended: set[tuple[str, str, Json, str]] = set()

    def note(self, entry: Entry) -> Iterator[str]:
        """Take the next row; yield what it does without a ground, or that it says nothing that can be read."""
        try:
            yield from self._noted(entry)
        except (KeyError, ValueError, TypeError):
            yield f"row {entry.seq} is no row of its kind"

    def _noted(self, entry: Entry) -> Iterator[str]:
        details = _details(entry)
        match entry.event:
            case AuditEvent.ASKED:
                question = str(details.get("question"))
                if question in self._asked:
                    yield f"row {entry.seq} asks again what was asked"
                about = (entry.thread, entry.node, entry.digest)
                kind, tool = str(details.get("kind")), str(details.get("tool"))
                asked = _Asked(about=about, kind=kind, tool=tool, rule=_rule(details), **_stages(details))
                self._asked[question] = asked
                self._about[about].append(asked)
            case AuditEvent.EDITED:
                yield from self._edited(entry, details)
            case AuditEvent.VOTED:
                yield from self._voted(entry, details)
            case AuditEvent.TIGHTENED:
                yield from self._tightened(entry, details)
            case AuditEvent.DECIDED:
                yield from self._decided(entry, details)
            case AuditEvent.STARTED:
                yield from self._started(entry, details)
            case AuditEvent.FINISHED:
                yield from self._finished(entry, details)
            case AuditEvent.GRANTED:
                self._grants[str(details["grant"])] = _grant(entry, details)
            case AuditEvent.REVOKED:
                self._revoked(str(details["grant"]))
            case AuditEvent.FROZEN:
                self._freezes.add(_freeze(details))
            case AuditEvent.LIFTED:
                self._freezes.discard(_freeze(details))
            case _:
                pass

    def _decided(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        asked = self._asked.get(str(details.get("question")))
        if asked is None:
            if self._whole:
                yield f"row {entry.seq} decides what nobody asked"
        elif asked.closed:
            yield f"row {entry.seq} decides what was decided"
        elif asked.about != (entry.thread, entry.node, entry.digest):
            yield f"row {entry.seq} decides something else than was asked"
        else:
            asked.closed = str(details.get("decision"))
            if asked.closed in _LETS_RUN and not asked.has_enough(entry.digest):
                yield f"row {entry.seq} approves what too few people approved"
                return
            if asked.rule and details.get("rule") == asked.rule:
                asked.people.add(f"rule:{asked.rule}")
            if entry.person is not None:
                asked.people.add(entry.person)
            if (grant := details.get("grant")) is not None:
                yield from self._answered(entry, asked, str(grant))

    def _voted(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        """Take one of several approvals: once for each person, this call and these stages."""
        asked = self._asked.get(str(details.get("question")))
        if asked is None:
            if self._whole:
                yield f"row {entry.seq} approves what nobody asked"
            return
        votes = asked.votes.setdefault((entry.digest, str(details.get("stages"))), {})
        same = asked.about == (entry.thread, entry.node, entry.digest)
        if asked.closed or not same or entry.person is None or entry.person in votes:
            yield f"row {entry.seq} approves what was decided, another call, a second time, or in nobody's name"
            return
        votes[entry.person] = int(str(details.get("stage")))

    def _tightened(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        """Take what a stricter policy asks for from here on."""
        asked = self._asked.get(str(details.get("question")))
        if asked is None:
            if self._whole:
                yield f"row {entry.seq} tightens what nobody asked"
            return
        before = asked.needs
        takes = _stages(details)
        asked.needs, asked.stages = takes["needs"], takes["stages"]
        if asked.closed or asked.rule or sum(asked.needs) < sum(before):
            yield f"row {entry.seq} asks for less, or comes too late"

    def _answered(self, entry: Entry, asked: _Asked, name: str) -> Iterator[str]:
        """Take the answer of a grant: it must stand, reach so far and have a use left."""
        grant = self._grants.get(name)
        if grant is None:
            if self._whole:
                yield f"row {entry.seq} rests on a grant that nobody made, or that was revoked"
            else:
                asked.people.add(f"grant:{name}")  # made before these rows
            return
        grant.uses_left -= 1
        _, channel, *_ = entry.thread.split(":")
        reaches = channel == grant.channel and grant.thread in ("", entry.thread) and asked.tool == grant.tool
        if grant.uses_left < 0 or not reaches or datetime.fromisoformat(entry.at) > grant.until:
            yield f"row {entry.seq} rests on a grant that does not reach so far"
        elif grant.entry.person is not None:
            asked.people.add(grant.entry.person)
            asked.grant = name

    def _revoked(self, name: str) -> None:
        """Open again what the grant had answered and what did not start."""
        self._grants.pop(name, None)
        for asked in self._asked.values():
            if asked.grant == name and not asked.used:
                asked.closed, asked.grant = "", ""
                asked.people.clear()

    def _edited(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        """An open request is about another call of its node from here on."""
        asked, before = self._asked.get(str(details.get("question"))), (entry.thread, entry.node, details.get("was"))
        if asked is None:
            if self._whole:
                yield f"row {entry.seq} edits what nobody asked"
        elif asked.closed or asked.about != before or asked.kind != ApprovalKind.APPROVE or entry.person is None:
            yield f"row {entry.seq} edits what was decided, something else than was asked, or by nobody"
        else:
            asked.about = (entry.thread, entry.node, entry.digest)
            self._about[asked.about].append(asked)

    def _started(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        self.effects += 1
        call = (entry.thread, entry.node, details.get("attempt"), entry.digest)
        self._calls[call] += 1
        if self._calls[call] > 1:
            yield f"row {entry.seq} starts what was started"
        _, channel, *_ = entry.thread.split(":")
        covered = {("workspace", ""), ("channel", channel), ("tool", str(details.get("tool")))}
        if covered & self._freezes:
            yield f"row {entry.seq} starts a call that was frozen"
        kind = ApprovalKind.APPROVE if details.get("attempt") == 1 else ApprovalKind.UNKNOWN
        for asked in self._about[entry.thread, entry.node, entry.digest]:
            same = asked.about == (entry.thread, entry.node, entry.digest)  # not edited since
            if same and asked.kind == kind and asked.closed in _LETS_RUN and asked.people and not asked.used:
                asked.used = True
                return
        yield f"row {entry.seq} starts a call that nobody approved"

    def _finished(self, entry: Entry, details: Mapping[str, Json]) -> Iterator[str]:
        self.finished += 1
        call = (entry.thread, entry.node, details.get("attempt"), entry.digest)
        if not self._calls[call] and self._whole:
            yield f"row {entry.seq} ends a call that was not started"
        elif call in self._ended:
            yield f"row {entry.seq} ends a call that had ended"
        self._ended.add(call)


def _rule(details: Mapping[str, Json]) -> str:
    return str(details.get("rule")) if details.get("allowed") is True else ""


class _Stages(TypedDict):
    needs: tuple[int, ...]
    stages: str


def _stages(details: Mapping[str, Json]) -> _Stages:
    needs = details.get("needs")
    listed = tuple(int(str(needed)) for needed in needs) if isinstance(needs, list | tuple) else (1,)
    return _Stages(needs=listed, stages=str(details.get("stages", "")))


def _grant(entry: Entry, details: Mapping[str, Json]) -> _Grant:
    return _Grant(
        entry=entry,
        tool=str(details["tool"]),
        channel=str(details["channel"]),
        thread=str(details["thread"]),
        uses_left=int(str(details["uses"])),
        until=datetime.fromisoformat(str(details["until"])),
    )


def _freeze(details: Mapping[str, Json]) -> tuple[str, str]:
    return str(details.get("scope")), str(details.get("target"))


def _details(entry: Entry) -> Mapping[str, Json]:
    told: Json = json.loads(entry.details)
    return told if isinstance(told, Mapping) else {}
