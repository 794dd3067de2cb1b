"""Outside text is never lost on its way to a call that asks, over random plans; what holds none is hardly ever marked.

Planner, packing, splits, executor, scripts in Monty, replanner and model client are the real ones; the rows are in
memory. Plans are random: references, scripts, lists, conditions, branches, scripts that end in a red call, big outputs,
the model's own words once it has read the results, and words of an answer a turn later.
"""

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from agent.approval import ApprovalRequest, Decision
from agent.card_facts import card_facts_of
from agent.execution.graph import AdvanceResult
from agent.ids import ToolName
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.local_slack.state.payload import JsonObject
from sandbox.script import Json
from tests.acceptance.plans import concludes, goes_on, package, planned, tool
from tests.fakes.planning import THREAD
from tests.fakes.whole_agent import whole

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
SHORT, LONG = 12, 1000
MOST_WRONG = 0.05
WORDS = """
the deploy of checkout finished after a short while and nothing else changed please look at this again tomorrow
morning before we roll out another release our customers were not affected we restarted one worker and watched
error rates fall back to normal levels within five minutes no further action is needed from anybody right now
""".split()  # noqa: SIM905 - a text reads better than a list of words
_GIVEN = "def main(inputs):\n    return {'text': inputs['a'], 'items': [{'name': inputs['a']}]}\n"
_TURNED = "def main(inputs):\n    a = str(inputs['a'])[::-1]\n    return {'text': a, 'items': [{'name': a}]}\n"
_READS = "def main(inputs):\n    return tools.page()\n"
_TELLS = "def main(inputs):\n    text = 'so: ' + str(inputs['a'])\n    return tools.tell(text=text)\n"


@dataclass(kw_only=True)
class Case:
    """A case's plans, and the marker that stands in all outside text."""

    marker: str
    rng: random.Random
    first: list[JsonObject] = field(default_factory=list[JsonObject])
    #: Planned once the model has read the results.
    then: list[JsonObject] = field(default_factory=list[JsonObject])
    #: Planned in the second turn.
    later: list[JsonObject] = field(default_factory=list[JsonObject])

    def sentence(self) -> str:
        """Return words that nobody else wrote."""
        return " ".join(self.rng.sample(WORDS, self.rng.randint(3, 10)))


def draw(seed: int) -> Case:
    """Return the case of a seed."""
    rng = random.Random(seed)  # noqa: S311  # reproducible, not secret
    case = Case(marker="".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6)) + str(rng.randrange(100, 1000)), rng=rng)
    for number in range(rng.randint(2, 8)):
        case.first.append(_green(case, number))
    sources = [str(operation["id"]) for operation in case.first]
    for plan, repeats in ((case.first, 0.0), (case.then, 0.5), (case.later, 0.5)):
        for _ in range(rng.randint(1, 2)):
            plan.append(_red(case, f"{'abc'[repeats > 0]}{len(plan)}x{rng.randrange(10**6)}", sources, repeats))
    return case


def _green(case: Case, number: int) -> JsonObject:
    """Return a step that reads, or that works with what an earlier one returned."""
    rng, name = case.rng, f"n{number}"
    if not case.first:
        return tool(name, "page", {})
    source = rng.choice(case.first)["id"]
    match rng.choice(("page", "own", "own", "script", "given", "turned", "each", "when")):
        case "page":
            return tool(name, "page", {"big": rng.random() < 0.3})
        case "own":
            return tool(name, "own", {})
        case "script":
            return package(name, _READS, tools=["page"])
        case "given":
            return package(name, _GIVEN, inputs={"a": f"${{{source}#/text}}"})
        case "turned":
            return package(name, _TURNED, inputs={"a": f"${{{source}#/items/0/name}}"})
        case "each":
            template = f"{name}each"
            case.first.append(
                package(template, _GIVEN, inputs={"a": "${item#/name}"}, for_each=f"${{{source}#/items}}")
            )
            return package(name, _GIVEN, inputs={"a": f"${{{template}#/0/text}}"})
        case _:
            return tool(name, "own", {}, when=f"${{{source}#/text}}")


def _red(case: Case, name: str, sources: Sequence[str], repeats: float) -> JsonObject:
    """Return a step that asks: of the results, or of the model's own words."""
    rng = case.rng
    source, other, words = rng.choice(sources), rng.choice(sources), case.sentence()
    if rng.random() < repeats:
        shapes = (case.marker, case.marker.upper(), case.marker[::-1], "-".join(case.marker), f"a_{case.marker}.txt")
        words = f"{words} {rng.choice(shapes)} {rng.choice(WORDS)}"
    match rng.choice(("words", "words", "whole", "within", "each", "either", "split")):
        case "whole":
            args: JsonObject = {"text": f"${{{source}#/text}}", "note": words}
        case "within":
            args = {"text": f"{case.sentence()}: ${{{source}}}", "note": words}
        case "each":
            return tool(name, "tell", {"text": "${item#/name}", "note": words}, for_each=f"${{{source}#/items}}")
        case "either" if source != other:
            ends: Json = [{"id": source, "on": "finished"}, {"id": other, "on": "finished"}]
            return tool(name, "tell", {"text": f"${{{source}|{other}#/text}}", "note": words}, depends_on=ends)
        case "split":
            return package(name, _TELLS, inputs={"a": f"${{{source}#/text}}"}, tools=["tell"])
        case _:
            args = {"text": words, "note": case.sentence()}
    return tool(name, "tell", args)


def _tools(case: Case) -> Registry:
    async def page(_context: CallContext, args: Mapping[str, Json]) -> Json:
        text = f"{case.sentence()} {case.marker} {case.sentence()}"
        filler = "all is well here " * 400 if args.get("big") else ""
        return {"filler": filler, "items": [{"name": f"{case.marker}"}, {"name": text}], "text": text}

    async def own(_context: CallContext, _args: Mapping[str, Json]) -> Json:
        return {"items": [{"name": case.sentence()}], "text": case.sentence()}

    async def tell(_context: CallContext, _args: Mapping[str, Json]) -> Json:
        return {"ok": True}

    def made(name: str, colour: Colour, call: "object", *, outside: bool = False) -> Tool:
        return Tool(
            name=ToolName(name),
            description=name,
            arguments={"type": "object"},
            colour=colour,
            call=call,  # pyright: ignore[reportArgumentType]  # one of the three above
            returns_outside_text=outside,
        )

    return Registry(
        [made("page", Colour.GREEN, page, outside=True), made("own", Colour.GREEN, own), made("tell", Colour.RED, tell)]
    )


@dataclass(kw_only=True)
class Shares:
    """What was seen of all arguments of calls that asked."""

    #: Arguments that hold the marker.
    holding: int = 0
    #: Those of them that were not marked: each a sentence for people.
    lost: list[str] = field(default_factory=list[str])
    #: Arguments that do not hold it.
    without: int = 0
    #: Those of them that were marked.
    wrong: list[str] = field(default_factory=list[str])

    def count(self, seed: int, marker: str, request: ApprovalRequest) -> None:
        """Count the arguments of a call that asked."""
        marked = card_facts_of(request).outside
        for name, value in request.args.items():
            said = f"seed {seed}: {request.node} {name}={json.dumps(value)[:300]}"
            if _holds(marker, value):
                self.holding += 1
                self.lost += [] if name in marked else [said]
            else:
                self.without += 1
                self.wrong += [said] if name in marked else []


def _holds(marker: str, value: Json) -> bool:
    plain = "".join(filter(str.isalnum, json.dumps(value).casefold()))
    return marker in plain or marker[::-1] in plain


async def _run(seed: int, shares: Shares) -> None:
    case = draw(seed)
    model = (
        planned(*case.first, contains="the first request"),
        planned(*case.later, contains="the second request"),
        goes_on(*case.then),
        concludes(f"The page says {case.marker}."),
    )
    async with whole(*model, packing=True, tools=_tools(case)) as agent:
        for said in ("the first request", "the second request"):
            agent.world.say(said)
            while await agent.advance() is AdvanceResult.PARKED:
                for request in list(agent.approvals.pending(THREAD).values()):
                    shares.count(seed, case.marker, request)
                    assert agent.approvals.click(request.id, Decision.APPROVED)


async def _check(plans: int) -> None:
    shares = Shares()
    for number in range(plans):
        await _run(SEED + number, shares)
    print(*shares.wrong, sep="\n")
    print(
        f"SEED={SEED}: {plans} plans, {shares.holding} arguments with outside text, {len(shares.lost)} of them not "
        f"marked; {shares.without} without, {len(shares.wrong)} of them marked"
    )
    assert shares.lost == []
    assert shares.holding > plans / 2
    assert len(shares.wrong) < MOST_WRONG * shares.without, shares.wrong


async def test_outside_text_is_never_lost_over_random_plans() -> None:
    await _check(SHORT)


@pytest.mark.chaos
async def test_outside_text_is_never_lost_over_a_thousand_random_plans() -> None:
    await _check(LONG)
