"""The gallery's examples: a thread that people write in the demo, what the scripted model says to it, what is seen.

An example is a file of `examples/gallery`. `greenlight demo --example NAME` asks what it asks; with `--check` its
people decide, too, and everything that it expects to be seen must be.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from infra.dev.demo.thread_observer import ExpectationTimeout, ThreadObserver, watching
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.scripted_model.documents import situation
from infra.dev.scripted_model.script import ModelRequest, Pace, Script

_PACKAGED = Path(__file__).parent / "gallery"
GALLERY = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[3] / "examples" / "gallery"

PLACE = "ops"
"""The channel in which people ask."""

_PATIENCE_SECONDS = 120.0
_ADDRESS = re.compile(r"\{\{([a-z]{1,32})\}\}")
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Says:
    """Somebody writes: the first message begins the thread with a mention, the others reply in it."""

    __pydantic_config__ = _STRICT
    by: str
    says: Annotated[str, Field(min_length=1)]
    #: What the scripted model plans for it; `{{name}}` is the address of one of the demo's services.
    plan: str = ""


@dataclass(frozen=True, kw_only=True)
class Decides:
    """Somebody presses a button of the thread's first open card."""

    __pydantic_config__ = _STRICT
    by: str
    decides: Literal["approved", "rejected", "all_approved"]


@dataclass(frozen=True, kw_only=True)
class Sees:
    """These words stand in one message of the app, in the thread or in another channel."""

    __pydantic_config__ = _STRICT
    sees: Annotated[tuple[str, ...], Field(min_length=1)]
    channel: str = ""
    #: That no message of the channel has them.
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class RoleSays:
    """What the scripted model says as a role of subagents; of several, the first that fits a request."""

    __pydantic_config__ = _STRICT
    role: str
    says: Annotated[str, Field(min_length=1)]
    #: Words of the request that this answers; empty: any.
    about: str = ""

    def script(self, pace: Pace) -> Script:
        """Return it as a script."""
        return Script(
            role=self.role, answer=self.says, when=lambda request: self.about in request.messages[-1].text, pace=pace
        )


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example."""

    __pydantic_config__ = _STRICT
    title: str
    #: What it shows, for people.
    about: str
    steps: Annotated[tuple[Says | Decides | Sees, ...], Field(min_length=2)]
    #: What the scripted model writes when a script has crashed, one after the other.
    repairs: tuple[str, ...] = ()
    roles: tuple[RoleSays, ...] = ()

    @property
    def first(self) -> Says:
        """The message that begins the thread."""
        return next(step for step in self.steps if isinstance(step, Says))

    def scripts(self, pace: Pace) -> tuple[Script, ...]:
        """Return what the scripted model says to these people, to go before the demo's own scripts."""
        plans = [
            Script(role="planner", contains=re.escape(step.says), answer=_plan(step.plan), pace=pace)
            for step in self.steps
            if isinstance(step, Says) and step.plan
        ]
        repairs = [Script(role="repair", answer=f"```python\n{script}```\n", times=1) for script in self.repairs]
        return (*plans, *repairs, *(answer.script(pace) for answer in self.roles))


EXAMPLE = TypeAdapter(Example)


def names() -> Sequence[str]:
    """Return the names of all examples."""
    return sorted(path.stem for path in GALLERY.glob("*.toml"))


def read_example(name: str) -> Example:
    """Return the example of one of the `names`.

    Raises:
        ValidationError: its file is not as it must be.
    """
    return EXAMPLE.validate_python(tomllib.loads((GALLERY / f"{name}.toml").read_text(encoding="utf-8")))


async def ask(example: Example, client: WorkspaceClient) -> str:
    """Write the example's first message; return its ts."""
    return await client.post(example.first.by, PLACE, f"@Greenlight {example.first.says}")


async def play(example: Example, client: WorkspaceClient, tell: Callable[[str], None]) -> None:
    """Do what the example's people do, and wait for what it expects to be seen.

    Raises:
        ExpectationTimeout: something was not seen in time.
    """
    async with AsyncExitStack() as stack:
        observer: ThreadObserver | None = None
        for step in example.steps:
            tell(_told(step))
            if observer is None:
                observer = await stack.enter_async_context(watching(client, PLACE, await ask(example, client)))
                continue
            match step:
                case Says():
                    await client.post(step.by, PLACE, step.says, thread_ts=observer.thread_ts)
                case Decides():
                    await _decide(step, client, observer)
                case Sees():
                    await _see(step, client, observer)


async def _decide(step: Decides, client: WorkspaceClient, observer: ThreadObserver) -> None:
    action = f"decide_{step.decides}"
    # While a card of a step that was taken back still stands beside it, the button would mean either.
    await observer.until(lambda seen: bool(seen.cards_with_one(action)), "a card", timeout_seconds=_PATIENCE_SECONDS)
    await client.click(step.by, PLACE, str(observer.cards_with_one(action)[0].message["ts"]), action)
    pressed = f"<@U0{step.by.upper()}>"
    await observer.until(lambda seen: seen.says(pressed), "the decision", timeout_seconds=_PATIENCE_SECONDS)


async def _see(step: Sees, client: WorkspaceClient, observer: ThreadObserver) -> None:
    if not step.channel:
        await observer.until(lambda seen: seen.says(*step.sees), str(step.sees), timeout_seconds=_PATIENCE_SECONDS)
        return

    def stands(messages: Sequence[object]) -> bool:
        return any(all(word in str(message) for word in step.sees) for message in messages)

    try:
        await client.wait_for(
            lambda dump: stands(dump["channels"][step.channel]["messages"]) is not step.gone,
            timeout_seconds=_PATIENCE_SECONDS,
        )
    except TimeoutError:
        raise ExpectationTimeout(_told(step), observer.words()) from None


def _plan(written: str) -> Callable[[ModelRequest], str]:
    """Return an answer: the plan, with the addresses that the request names."""

    def answer(request: ModelRequest) -> str:
        services = situation(request.system, request.last).services
        return _ADDRESS.sub(lambda found: services.get(found[1], found[0]).removesuffix("/health"), written)

    return answer


def _told(step: Says | Decides | Sees) -> str:
    match step:
        case Says():
            return f"{step.by} writes: {step.says}"
        case Decides():
            return f"{step.by} decides: {step.decides.replace('_', ' ')}"
        case Sees():
            where = f"#{step.channel}" if step.channel else "the thread"
            return f"{where} {'no longer says' if step.gone else 'says'} {', '.join(step.sees)}"
