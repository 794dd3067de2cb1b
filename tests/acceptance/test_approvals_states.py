"""Whatever people, administrators and time do to cards, in any order: what runs was approved, exactly as it runs, by
enough people who may, and each click gets exactly one answer.

`make test` plays a few examples, `make chaos` many (`STATES` says how many); `SEED` repeats them."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from agent.grant import Grant, GrantId, GrantKind, OneOf
from agent.ids import ChannelId, Tenant, ThreadId, ToolName, UserId
from bot import wording
from bot.payloads import Form
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.people import Kind
from infra.stores.stores import Stores
from infra.worker.notifications import PgNotifications
from infra.worker.queue import Queue
from tests.acceptance.app_fixture import AppScene
from tests.acceptance.approval_model import Answer, ApprovalModel, Outcome, Part, Policy, Stage, World
from tests.acceptance.assertions import answered as ended
from tests.acceptance.assertions import rows
from tests.acceptance.clicks import late_click
from tests.acceptance.forms import choose, field_of, picked, submit, text_of
from tests.acceptance.plans import planned, post
from tests.acceptance.test_approvals_audit import greenlight, verified
from tests.acceptance.test_approvals_freeze import command
from tests.acceptance.test_approvals_policy import scene_of_file, write

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
SHORT_EXAMPLES = 4
LONG_EXAMPLES = int(os.environ.get("STATES") or 300)

IDS: Mapping[str, str] = {"Ada": "U0ADA", "Grace": "U0GRACE", "Linus": "U0LINUS", "Gus": "U0GUEST"}
PEOPLE = tuple(IDS)
EVERYBODY = frozenset(PEOPLE)
NAMES = ("first", "second")
LATER = "third"
"""The call whose turn comes once the first one has happened."""
PATIENCE_SECONDS = 60
WORLD = World(
    policy=Policy(), members=EVERYBODY - {"Gus"}, in_channel=EVERYBODY, in_group=frozenset({"Grace", "Linus"})
)


def stage(*users: str, group: bool = False, author: bool = False, quorum: int = 1) -> Stage:
    return Stage(parts=frozenset({Part(users=frozenset(users), group=group, author=author)}), quorum=quorum)


POLICIES: Mapping[str, Policy] = {
    "another person": Policy(stages=(stage(),)),
    "two people": Policy(stages=(stage(author=True, quorum=2),)),
    "two others": Policy(stages=(stage(quorum=2),)),
    "stages": Policy(stages=(stage("Grace", "Linus", author=True), stage("Ada", "Linus", author=True))),
    "the group": Policy(stages=(stage(group=True),)),
    "escalates": Policy(stages=(stage("Grace"),), more=frozenset({"Linus"})),
    "nobody": Policy(effect="refuse"),
    "everything": Policy(effect="allow"),
}
ASKING = tuple(name for name, policy in POLICIES.items() if policy.effect == "ask")


def written(policy: Policy) -> str:
    """Return a policy as the file has it."""
    rule = f'[[policy.rules]]\nname = "r"\ntools = ["slack_post_message"]\neffect = "{policy.effect}"\n'
    if policy.effect == "allow":
        return rule + "when = \"args.text != ''\"\n"
    if policy.effect == "refuse":
        return rule + 'words = "not now"\n'
    author = all(part.author for stage in policy.stages for part in stage.parts)
    rule += f"self_approval = {str(author).lower()}\n"
    if policy.more:
        rule += f"escalate = {{ after_minutes = 600, users = {_ids(policy.more)} }}\n"
    stages = [f"{{ {', '.join(_approvers(stage))} }}" for stage in policy.stages]
    return rule + ("\n".join(_approvers(policy.stages[0])) if len(stages) == 1 else f"stages = [{', '.join(stages)}]")


def _approvers(stage: Stage) -> list[str]:
    (part,) = stage.parts
    listed = [f"users = {_ids(part.users)}"] if part.users else []
    return [f"quorum = {stage.quorum}", *listed, *(['groups = ["S0ONCALL"]'] if part.group else [])]


def _ids(people: frozenset[str]) -> str:
    return json.dumps(sorted(IDS[who] for who in people))


CHANNEL, TENANT = ChannelId("C0OPS"), Tenant("T0LOCAL")

ABOUT_CALLS = frozenset({"click", "edit", "comment", "expire", "escalate"})
"""Actions that need the call to be asked about."""


class Action(NamedTuple):
    """Something that people, an administrator or time does."""

    kind: str
    name: str = NAMES[0]
    answers: tuple[Answer, ...] = ()
    who: str = ""
    value: str = ""


def chosen(*kinds: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Action]:
    """Return what makes actions of these kinds, about one of the calls."""
    made: dict[str, st.SearchStrategy[Any]] = {"answers": st.just(()), "who": st.just(""), "value": st.just("")}
    return st.builds(Action, st.sampled_from(kinds), st.sampled_from([*NAMES, LATER]), **(made | fields))


people = st.sampled_from(PEOPLE)
answers = st.builds(Answer, st.sampled_from([*PEOPLE, "Grace", "Linus"]), st.sampled_from([True, True, True, False]))
clicks = chosen("click", answers=st.lists(answers, min_size=1, max_size=3).map(lambda some: tuple(some)))
steps = st.one_of(
    clicks,
    clicks,
    clicks,
    chosen("edit", who=people),
    chosen("comment", answers=answers.map(lambda one: (one,))),
    chosen("expire", "escalate", "freeze", "restart"),
    chosen("grant", who=people, value=st.sampled_from(GrantKind)),
    chosen("revoke"),
    chosen("policy", value=st.sampled_from(tuple(POLICIES))),
    chosen(
        "person", who=st.sampled_from(["Grace", "Linus"]), value=st.sampled_from(["members", "in_channel", "in_group"])
    ),
)
plays = st.tuples(st.sampled_from((*ASKING, *ASKING, "nobody", "everything")), st.lists(steps, min_size=5, max_size=9))


@dataclass(kw_only=True)
class Play:
    """One thread with two red calls: what people do to them, in the app and in the model."""

    scene: AppScene
    file: Path
    number: int
    model: ApprovalModel
    observer: ThreadObserver | None = None
    #: Call -> its card, and what its buttons carried last.
    cards: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    #: How many edits and approvals ahead there were.
    made: int = 0
    #: What was approved ahead and stands -> by whom.
    grants: dict[GrantId, str] = field(default_factory=dict[GrantId, str])

    @property
    def seen(self) -> ThreadObserver:
        assert self.observer is not None
        return self.observer

    async def run(self, actions: Sequence[Action]) -> None:
        """Ask, let the actions happen, put everything back, and check what happened."""
        steps = [post(name, self._text(name), "#general") for name in NAMES]
        later = post(LATER, self._text(LATER), "#general", depends_on=[NAMES[0]])
        request = f"example {self.number}."
        self.scene.model.add(planned(*steps, later, contains=request))
        for name in NAMES:
            self.model.ask(name, self._text(name))
        async with self.scene.asked(request) as observer:
            self.observer = observer
            waiting = [name for name in NAMES if self.model.is_open(name)]
            await observer.until(lambda seen: len(seen.cards()) == len(waiting), "the cards")
            await self._goes_on()
            for action in actions if waiting else ():
                if action.name in self.model.calls or action.kind not in ABOUT_CALLS:
                    await getattr(self, f"_{action.kind}")(action)
                    await self._goes_on()
            await self._put_back()
            await observer.until(ended, "the answer")
        effects = await self._effects()
        assert not self.model.complaints(effects), self.model.complaints(effects)
        await self._accounts_agree(len(effects))

    def _text(self, name: str) -> str:
        return f"{self.number} {name} " + "x" * 800

    async def _goes_on(self) -> None:
        """Wait until what surely was approved has happened, and until the call behind it is asked about or happens."""
        await self._happened()
        if LATER not in self.model.calls and all(call.approved for call in self.model.calls[NAMES[0]]):
            self.model.ask(LATER, self._text(LATER))
            if self.model.is_open(LATER):
                await self.seen.until(lambda _: bool(self._shown(LATER)), "the card of the call behind it")
            await self._happened()

    # What people do

    async def _click(self, action: Action) -> None:
        possible = self.model.click(action.name, action.answers)
        if (card := self._card(action.name)) is None:
            return
        message, value = card
        before, shown = await self._answers(), self._versions(message)
        self.model.expect(action.name, possible.values())
        wanted = {True: "decide_approved", False: "decide_rejected"}
        await asyncio.gather(
            *(
                late_click(self.scene, self.seen, message, value, action=wanted[one.yes], who=one.who)
                for one in action.answers
            )
        )
        outcome = await self._answered(before, tuple(possible), action)
        self.model.calls[action.name] = possible[outcome]
        if outcome.counted:
            await self.seen.until(lambda _: self._versions(message) > shown, "a card that says so")

    async def _comment(self, action: Action) -> None:
        (answer,) = action.answers
        if not self._can_open(answer.who, action.name):
            return
        before, shown = await self._answers(), self._versions(self.cards[action.name][0])
        view = await self._form(answer.who, Form.COMMENT, action.name)
        self.model.look(action.name)
        decision = "approved" if answer.yes else "rejected"
        may = f'"value": "{decision}"' in json.dumps(view)
        possible = self.model.click(action.name, [answer])
        (outcome, calls) = next((one, calls) for one, calls in possible.items() if bool(one.counted) == may)
        if may:
            self.model.expect(action.name, [calls])
            values = {"decision": picked(decision, view, "decision"), "words": "because"}
            assert await submit(self.scene, answer.who, values) == {}
            await self._answered(before, (outcome,), action)
            await self.seen.until(lambda _: self._versions(self.cards[action.name][0]) > shown, "the card")
            self.model.calls[action.name] = calls
        else:
            await self._answered(before, (Outcome(frozenset(), frozenset()),), action)

    async def _edit(self, action: Action) -> None:
        if not self._can_open(action.who, action.name):
            return
        self.made += 1
        text = f"{self.number} {action.name} edited {self.made}"
        before, value = await self._answers(), self.cards[action.name][1]
        if (result := self.model.edit(action.name, action.who, text)) is None:
            return
        view = await self._form(action.who, Form.EDIT, action.name)
        refused = '"type": "input"' not in json.dumps(view)
        if not refused:
            refused = bool(await submit(self.scene, action.who, {field_of(view, "text"): text}))
        assert refused == (result == "refused"), (action, result, view)
        told = frozenset({(action.who, 1)} if result == "proposed" else ())
        counted = frozenset({(action.who, 1)} if result == "approved" else ())
        await self._answered(before, (Outcome(told, counted),), action)
        if not refused and self.model.is_open(action.name):
            await self.seen.until(lambda _: self._value(action.name) not in (None, value), "the edited card")

    async def _grant(self, action: Action) -> None:
        """Have somebody approve the later call ahead, for this run or as a standing rule."""
        kind, text = GrantKind(action.value), self._text(LATER)
        if LATER in self.model.calls:
            return
        self.made += 1
        envelope = kind is GrantKind.ENVELOPE
        now = datetime.now(UTC)
        grant = Grant(
            id=GrantId(f"{self.number}-{self.made}"),
            kind=kind,
            channel=CHANNEL,
            tool=ToolName("slack_post_message"),
            conditions={"channel": OneOf(values=("#general",)), "text": OneOf(values=(text,))},
            made_by=UserId(IDS[action.who]),
            made_at=now,
            expires_at=now + timedelta(days=1),
            most_uses=1,
            thread=self._thread if envelope else None,
            turn=int(envelope),
        )
        async with self._stores() as stores:
            assert await stores.grants.make(TENANT, grant, place=CHANNEL)
        self.grants[grant.id] = action.who
        self.model.granted.setdefault(text, set()).add(action.who)

    async def _revoke(self, _action: Action) -> None:
        """Take every approval ahead back."""
        async with self._stores() as stores:
            for grant in self.grants:
                await stores.grants.revoke(TENANT, grant, by=UserId(IDS["Ada"]), place=CHANNEL)
        self.grants.clear()
        self.model.granted.clear()

    @asynccontextmanager
    async def _stores(self) -> AsyncGenerator[Stores]:
        """Open the stores as another process would."""
        database = Database(self.scene.url)
        try:
            yield Stores(database, Queue(database), PgNotifications(database))
        finally:
            await database.close()

    @property
    def _thread(self) -> ThreadId:
        return ThreadId(f"{TENANT}:{CHANNEL}:{self.seen.thread_ts}")

    # What else happens

    async def _freeze(self, _action: Action) -> None:
        frozen = not self.model.world.frozen
        await command(self.scene, "Ada", "freeze" if frozen else "unfreeze")
        self.model.world = replace(self.model.world, frozen=frozen)
        await self.seen.until(
            lambda seen: seen.says("An admin has frozen") == (frozen and bool(seen.cards())), "a word"
        )

    async def _policy(self, action: Action) -> None:
        await self.put_policy(POLICIES[action.value])

    async def put_policy(self, policy: Policy) -> None:
        """Write the policy, for the next click."""
        await asyncio.to_thread(write, self.file, written(policy) + f"\n# {os.urandom(8).hex()}\n")
        self.model.world = replace(self.model.world, policy=policy)

    async def _person(self, action: Action) -> None:
        await self.put_person(action.who, action.value, there=action.who not in getattr(self.model.world, action.value))

    async def put_person(self, who: str, role: str, *, there: bool) -> None:
        """Make a person a full member or a guest, or put them into the channel or the group, or out of it."""
        team = self.scene.workspace.backend.team
        match role:
            case "members":
                team.people[IDS[who]].kind = Kind.MEMBER if there else Kind.GUEST
            case "in_channel":
                await self.scene.people.act("members", channel="ops", member=who, remove=not there)
            case _:
                others = [user for user in team.usergroups["S0ONCALL"].users if user != IDS[who]]
                team.usergroups["S0ONCALL"].users = [*others, IDS[who]] if there else others
        now: frozenset[str] = getattr(self.model.world, role)
        fields: dict[str, Any] = {role: now | {who} if there else now - {who}}
        self.model.world = replace(self.model.world, **fields)

    async def _restart(self, _action: Action) -> None:
        await self.scene.stop_app()
        await self.scene.start_app()

    async def _expire(self, action: Action) -> None:
        if self._is_shown(action.name):
            await self._update(action.name, "expires_at = now() - interval '1 second'")
            await self.seen.until(lambda _: self._value(action.name) is None, "the end of the card")
            self.model.close(action.name)

    async def _escalate(self, action: Action) -> None:
        if not self._is_shown(action.name) or not all(call.more for call in self.model.calls[action.name]):
            return
        if not all(call.escalated for call in self.model.calls[action.name]):
            await self._update(action.name, "asked_at = now() - interval '700 minutes', due_at = now()")
            await self.seen.until(lambda _: "I also asked" in self._shown(action.name), "the escalation")
            self.model.change(action.name, escalated=True)

    async def _update(self, name: str, values: str) -> None:
        open_one = f"node = '{name}' AND status = 'pending' AND thread LIKE '%{self.seen.thread_ts}'"
        changed = f"UPDATE approvals SET {values} WHERE {open_one} RETURNING id"  # noqa: S608 - our own words
        assert len(await rows(self.scene.url, changed)) == 1

    async def _put_back(self) -> None:
        """Make everybody who they were, lift a freeze, and have the author take back what is open."""
        if self.model.world.frozen:
            await self._freeze(Action("freeze"))
        for role in ("members", "in_channel", "in_group"):
            for who in sorted(getattr(WORLD, role) - getattr(self.model.world, role)):
                await self.put_person(who, role, there=True)
        for name, calls in list(self.model.calls.items()):
            if any(call.open for call in calls):
                await self._click(Action("click", name, (Answer("Ada", yes=False),)))

    # What is seen of it

    def _shown(self, name: str) -> str:
        """Return the open card of a call as text; empty: there is none."""
        written = [json.dumps(card.message["blocks"], ensure_ascii=False) for card in self.seen.cards()]
        return next((card for card in written if f"Title of {name}" in card), "")

    def _value(self, name: str) -> str | None:
        """Return what the buttons of a call's open card carry."""
        for card in self.seen.cards():
            blocks: Any = card.message["blocks"]
            if f"Title of {name}" in json.dumps(blocks):
                buttons = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
                value = next(str(one["value"]) for one in buttons if one["action_id"] == "decide_rejected")
                self.cards[name] = str(card.message["ts"]), value
                return value
        return None

    def _card(self, name: str) -> tuple[str, str] | None:
        """Return a call's card and what its buttons carry, or carried."""
        self._value(name)
        return self.cards.get(name)

    def _is_shown(self, name: str) -> bool:
        return self.model.is_open(name) and self._value(name) is not None

    def _can_open(self, who: str, name: str) -> bool:
        """Return whether a person sees a card with all of its forms."""
        world = self.model.world
        return self._is_shown(name) and not world.frozen and who in world.in_channel

    def _versions(self, ts: str) -> int:
        return sum(sighting.message["ts"] == ts for sighting in self.seen.sightings)

    async def _form(self, who: str, form: Form, name: str) -> JsonObject:
        """Open a form, and return it once it is filled."""
        at = next(at for at, card in enumerate(self.seen.cards()) if f"Title of {name}" in json.dumps(card.message))
        views: Any = (await self.scene.people.dump())["views"]
        old = {view["id"] for view in views.get(IDS[who], [])}
        user = "U0GUEST" if who == "Gus" else who
        await choose(self.scene, self.seen, user, form, card=at)

        def new(dump: JsonObject) -> list[JsonObject]:
            own: Any = dump["views"].get(IDS[who], [])
            return [view for view in own if view["id"] not in old and wording.DETAILS_LOADING not in text_of(view)]

        return new(await self.scene.people.wait_for(lambda dump: bool(new(dump))))[0]

    async def _answers(self) -> Counter[tuple[str, str]]:
        """Return how many answers each person got so far: words for them alone, and clicks that counted."""
        dump: Any = await self.scene.people.dump()
        found = Counter(("told", str(one["user"])) for one in dump["ephemerals"] if "lately" not in json.dumps(one))
        counted = """
            SELECT by, count(*) FROM audit WHERE by IS NOT NULL AND (event = 'voted' OR event = 'decided' AND NOT EXISTS
            (SELECT 1 FROM audit AS vote WHERE vote.event = 'voted' AND vote.by = audit.by
            AND vote.digest = audit.digest AND audit.details ->> 'decision' = 'approved'
            AND vote.details ->> 'question' = audit.details ->> 'question')) GROUP BY by"""
        found.update({("counted", by): count for by, count in await rows(self.scene.url, counted)})
        return found

    async def _answered(self, before: Counter[tuple[str, str]], possible: Sequence[Outcome], action: Action) -> Outcome:
        """Return the one of these outcomes that people see."""
        more: Counter[tuple[str, str]] = Counter()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (wrong := self.model.objections(Counter(await self._effects()))):
                    more = await self._answers() - before
                    for outcome in possible:
                        if more == _expected(outcome):
                            return outcome
                    await rows(self.scene.url, "SELECT pg_sleep(0.05)")
        except TimeoutError:
            wrong = [f"{action} was answered by {dict(more)}, not by one of {possible}"]
        raise AssertionError(wrong)

    async def _happened(self) -> None:
        """Wait until what surely was approved has happened."""

        def all_happened(dump: Mapping[str, Any]) -> bool:
            said = [str(message["text"]) for message in dump["channels"]["general"]["messages"]]
            return all(text.strip() in [one.strip() for one in said] for text in self.model.due)

        await self.scene.people.wait_for(all_happened)

    async def _effects(self) -> list[str]:
        """Return what this thread's calls did."""
        said = [str(message["text"]) for message in await self.scene.people.messages("general")]
        return [text for text in said if text.startswith(f"{self.number} ")]

    async def _accounts_agree(self, effects: int) -> None:
        """Hold the ledger's rows and the audit's to be as many as there were effects."""
        for counted in (
            "SELECT count(*) FROM ledger WHERE state = 'done' AND thread LIKE ",
            "SELECT count(*) FROM audit WHERE event = 'started' AND thread LIKE ",
            "SELECT count(*) FROM audit WHERE event = 'finished' AND thread LIKE ",
        ):
            assert await rows(self.scene.url, f"{counted}'%{self.seen.thread_ts}'") == [(effects,)], counted


def _expected(outcome: Outcome) -> Counter[tuple[str, str]]:
    parts = {"told": outcome.told, "counted": outcome.counted}
    return Counter({(kind, IDS[who]): count for kind, people in parts.items() for who, count in people})


@asynccontextmanager
async def stage_set(url: URL, folder: Path) -> AsyncGenerator[tuple[AppScene, Path]]:
    """Open a scene whose policy is a file, and whose worker looks often for what is due."""
    sealed = {"seal_minutes": 0.005, "heads_file": str(folder / "heads.jsonl")}
    text = written(POLICIES["another person"])
    async with scene_of_file(url, folder, text, worker={"sweep": 0.2}, audit=sealed) as (scene, file):
        yield scene, file


async def play(scene: AppScene, file: Path, number: int, policy: Policy, actions: Sequence[Action]) -> None:
    """Play one example."""
    one = Play(scene=scene, file=file, number=number, model=ApprovalModel(world=WORLD))
    await one.put_policy(policy)
    await one.run(actions)


async def played(url: URL, folder: Path, examples: int) -> None:
    """Play so many examples in one scene, and check the audit of them all."""
    print(f"SEED={SEED}")
    async with stage_set(url, folder) as (scene, file):
        loop, numbers = asyncio.get_running_loop(), iter(range(10**9))

        def wait_for(work: Coroutine[Any, Any, None]) -> None:
            asyncio.run_coroutine_threadsafe(work, loop).result()

        def example(drawn: tuple[str, list[Action]]) -> None:
            wait_for(play(scene, file, next(numbers), POLICIES[drawn[0]], drawn[1]))

        await asyncio.to_thread(_with_hypothesis(example, examples))
        dump: Any = await scene.people.read("calls")
        assert dump["given_up"] == []
        await _until_sealed(folder / "heads.jsonl", url)
    await asyncio.to_thread(_audit_is_accepted, scene, folder)


async def _until_sealed(heads: Path, url: URL) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await asyncio.to_thread(heads.exists):
            await rows(url, "SELECT pg_sleep(0.05)")


def _audit_is_accepted(scene: AppScene, folder: Path) -> None:
    """Hold the app and the verifier that stands alone to find no fault in the audit of all examples."""
    export, heads = folder / "export.jsonl", str(folder / "heads.jsonl")
    export.write_text(greenlight(scene, "export").stdout, encoding="utf-8")
    key = greenlight(scene, "key").stdout.strip()
    for checked in (
        verified(export, key, "--heads", heads),
        greenlight(scene, "verify"),
        greenlight(scene, "verify", str(export), "--heads", heads),
    ):
        assert (checked.returncode, checked.stderr) == (0, "")


def _with_hypothesis(example: Callable[[tuple[str, list[Action]]], None], examples: int) -> Callable[[], None]:
    """Return what calls the example with so many lists of actions."""
    chosen = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    return chosen(seed(SEED)(given(plays)(example)))


async def test_whatever_happens_what_runs_was_approved_and_each_click_gets_one_answer(
    database_url: URL, tmp_path: Path
) -> None:
    await played(database_url, tmp_path, SHORT_EXAMPLES)


@pytest.mark.chaos
async def test_many_more_orders_of_events(database_url: URL, tmp_path: Path) -> None:
    await played(database_url, tmp_path, LONG_EXAMPLES)


YES = Answer("Grace", yes=True)


async def test_the_oracle_complains_about_an_app_whose_policy_is_laxer(database_url: URL, tmp_path: Path) -> None:
    async with stage_set(database_url, tmp_path) as (scene, file):
        one = Play(scene=scene, file=file, number=0, model=ApprovalModel(world=WORLD))
        one.model.world = replace(WORLD, policy=POLICIES["two others"])  # the file says: one other person
        with pytest.raises(AssertionError, match="happened without approvals"):
            await one.run([Action("click", answers=(YES,)), Action("restart")])


async def test_the_oracle_complains_about_what_happens_without_an_approval(database_url: URL, tmp_path: Path) -> None:
    async with stage_set(database_url, tmp_path) as (scene, file):
        one = Play(scene=scene, file=file, number=0, model=ApprovalModel(world=WORLD))
        await one.put_policy(POLICIES["two others"])
        await scene.people.post("Ada", "general", "0 from nowhere")
        with pytest.raises(AssertionError, match="'0 from nowhere' happened without approvals"):
            await one.run([Action("click", answers=(YES,))])


def approved(*people: str, policy: str, world: World = WORLD) -> bool:
    """Return whether a call may happen after these people, one after the other, have said yes."""
    model = ApprovalModel(world=replace(world, policy=POLICIES[policy]))
    model.ask("first", "hello")
    for who in people:
        (model.calls["first"],) = model.click("first", [Answer(who, yes=True)]).values()
    return not model.complaints(["hello"])


@pytest.mark.parametrize(
    ("people", "policy", "may"),
    [
        (("Grace",), "another person", True),
        (("Ada",), "another person", False),
        (("Gus",), "another person", False),
        (("Ada", "Grace"), "two people", True),
        (("Grace", "Grace"), "two people", False),
        (("Ada", "Grace"), "two others", False),
        (("Ada", "Grace"), "stages", False),
        (("Grace", "Linus"), "stages", True),
        (("Linus",), "escalates", False),
        (("Grace", "Linus"), "nobody", False),
        ((), "everything", True),
    ],
)
def test_the_oracle_knows_who_may_approve(people: tuple[str, ...], policy: str, *, may: bool) -> None:
    assert approved(*people, policy=policy) is may


def test_the_oracle_voids_approvals_at_an_edit_and_complains_about_two_effects() -> None:
    model = ApprovalModel(world=replace(WORLD, policy=POLICIES["two others"]))
    model.ask("first", "hello")
    (model.calls["first"],) = model.click("first", [YES]).values()
    assert model.edit("first", "Ada", "hullo") == "proposed"
    (model.calls["first"],) = model.click("first", [Answer("Linus", yes=True)]).values()
    assert model.is_open("first")
    (model.calls["first"],) = model.click("first", [YES]).values()
    assert model.complaints(["hullo"]) == []
    assert model.complaints(["hello"]) == [
        "'hello' happened without approvals",
        "'hullo' was approved and did not happen",
    ]
    assert model.complaints(["hullo", "hullo"]) == ["'hullo' happened 2 times"]
