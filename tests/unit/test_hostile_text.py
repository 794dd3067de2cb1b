"""Text from outside costs linear time, whatever it holds: every regular expression and every parser of the product.

Each gets texts of one pumped piece (a match of its own, or of the marks that some parser looks for) and an end that
spoils the match: what makes a backtracking engine slow. A quadratic one takes 100 times the bound at this size, an
exponential one does not end. Processor time is measured, so that a busy machine changes little; a text that takes a
few times the bound, as one near it does on a slow core, is measured at a part of its length too, and passes when its
time grows as its length.
"""

import ast
import asyncio
import gc
import importlib
import pkgutil
import random
import re
import signal
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import agent
import bot
import infra
import sandbox
from agent.ids import NodeId, ToolName, UserId
from agent.limits import DEFAULT_LIMITS, PersonalKind, Privacy, Role
from agent.llm.masked_model import MaskedModel
from agent.llm.personal_data import PersonalData
from agent.llm.transcript import named
from agent.packing.embedding import embedded
from agent.packing.packed_claim import holds
from agent.packing.script_checks import (
    MOST_TOKENS,
    TOKENS_TO_REWRITE,
    inputs_needed,
    script_in,
    script_issues,
    tool_calls,
)
from agent.packing.write_call_split import split_red
from agent.plan.json_values import sanitized_text, truncated
from agent.plan.operations import Node, NodeKind, PackedStep
from agent.plan.references import BadReference, pieces
from agent.plan.templates import about_item, shown_title
from agent.ports import ChatMessage, OfferedTool
from agent.preview import cell_text
from agent.reading.answer_reader import AnswerReader, read_answer
from agent.reading.plan_builder import PlanBuilder
from agent.reading.plan_language.reader import PythonReader
from agent.reading.stream_reader import PlanStreamReader, read_plan_text
from agent.roles import SubagentRole
from agent.runbooks import NotARunbook, read_canvas
from bot.blocks.answer import answer
from bot.cards.call_preview import difference, message_runs
from bot.elements import escaped
from bot.payloads import mentions, request_text
from bot.slack.mrkdwn import people_in, plain_words
from bot.slack.names import named as named_for_people
from bot.tools.post_message import neutralised
from bot.visibility import visible
from infra.tools.http import origin_of
from infra.tools.sql import escaped_parameters, refused_verb
from tests.fakes.plans import REGISTRY
from tests.fakes.work import node

ROOT = Path(__file__).resolve().parents[2]

CHARACTERS = 16 * 1024
"""The length of every hostile text."""

SECONDS = 0.05 * CHARACTERS / (64 * 1024)
"""The bound for one text: 50 ms per 64 KiB."""

EXAMPLES = 120
"""How many texts each of the patterns and parsers gets: about 10,000 in all."""

GIVEN_UP_SECONDS = 1.0
"""A pattern that takes longer on one text is stopped."""

MARKS = (
    *("<@U1>", "<@U1|a", "<#C1|", "<!here>", "<https://a|", "<", ">", "|", "&#9", "&lt;", "!aside", "@", "#"),
    *("${", "$${", "${a#/", "}", "{", "[", "]", '"', "\\", ",", ":", "~", "/", '{"op":"add",', '{"operations":[', "[["),
    *("```", "`", "~~~", "<think>", "</think>", "nk>", "def main(", "tools.", "async ", "(", ")", "'", '"""', "f'{"),
    *("--", "/*", "*/", ";", ":a", "::", "http://", "https://", "-1", "9", "e9", ".", "a", "A", "_"),
    *(" ", "\t", "\n", "\r\n", "\x00", "\ud800", "\u00e9", "\U0001f600"),
    *(
        "\u0430",
        "xn--a.",
        "xn--pple-43d.com ",
        "\u0436 ",
        "a\u0430.com ",
        "\u2044",
        "\U0001d429",
        "\u6f22",
        "\u202e",
        "\ufe0f",
    ),
)


class TooSlow(BaseException):
    """Raised in the middle of a match that does not end; no product code catches it."""


@contextmanager
def bounded() -> Generator[None]:
    """Stop what takes more than GIVEN_UP_SECONDS of processor time."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def reference_seconds() -> float:
    """Return the processor time of a fixed piece of work."""
    started = time.thread_time()
    for _ in range(20_000):
        pass
    return time.thread_time() - started


QUICKEST_REFERENCE = min(reference_seconds() for _ in range(50))


def seconds_for(work: Callable[[str], object], text: str, enough: float = SECONDS) -> float:
    """Return the processor time of the quickest of five runs; one that is quick `enough` is not repeated.

    A core that others share is slower: what the fixed piece of work takes beside the text is taken out of the figure.
    """
    taken: list[float] = []
    while len(taken) < 5 and (not taken or min(taken) > enough):
        gc.disable()
        started = time.thread_time()
        try:
            with bounded():
                work(text)
        except TooSlow:
            return GIVEN_UP_SECONDS
        finally:
            gc.enable()
        took = time.thread_time() - started
        taken.append(took if took <= enough else took * min(1.0, QUICKEST_REFERENCE / reference_seconds()))
    return min(taken)


TIMES_THE_BOUND = 4
"""What takes longer than so many bounds is too slow on any core, however its time grows."""

PARTS = 8
"""The part of a slow text that is measured beside it; a quadratic pattern takes 64 times as long for the whole."""


def too_slow(work: Callable[[str], object], text: str, enough: float = SECONDS) -> str:
    """Return what is wrong with the time that the text takes, or nothing."""
    took = seconds_for(work, text, enough)
    if took <= enough:
        return ""
    if took > TIMES_THE_BOUND * enough:
        return f"{took:.4f} s, bound {enough:.4f} s"
    half, part = len(text) // PARTS // 2, 0.0
    for _ in range(3):
        part = seconds_for(work, text[:half] + text[-half:], 0.0)
        if took <= 2 * PARTS * part:
            return ""
        took = min(took, seconds_for(work, text, enough))
    return f"{took:.4f} s, and {part:.4f} s for one part in {PARTS}"


@st.composite
def pumped(draw: st.DrawFn, seeds: st.SearchStrategy[str], characters: int = CHARACTERS) -> str:
    """Draw a text of so many characters: a part of a seed, another repeated, and an end that need not match."""
    seed = draw(seeds) or "a"
    start = draw(st.integers(0, len(seed) - 1))
    pump = seed[start : draw(st.integers(start + 1, len(seed)))]
    end = draw(st.sampled_from(("", "!", "\n", "\x00", *MARKS)))
    return (seed[:start] + pump * (characters // len(pump)) + seed[start:])[: characters - len(end)] + end


MIXED = st.lists(st.sampled_from(MARKS), min_size=1, max_size=6).map("".join)


def modules() -> Iterator[ModuleType]:
    """Yield every module of the product but migrations, which run on their own."""
    for package in (agent, bot, infra, sandbox):
        yield package
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in info.name and not info.name.startswith("sandbox.image"):
                yield importlib.import_module(info.name)


def compiled_patterns() -> Iterator[re.Pattern[Any]]:
    """Yield the patterns that modules keep under a name, alone or in a tuple or a mapping."""
    for value in (value for module in modules() for value in vars(module).values()):
        match value:
            case re.Pattern():
                yield value
            case dict() | tuple():
                inside = cast("Iterable[object]", value.values() if isinstance(value, dict) else value)
                yield from (found for found in inside if isinstance(found, re.Pattern))
            case _:
                pass


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

BUILT_AT_RUN_TIME = {
    "agent/llm/prompts.py": "names of our own fillings",
    "agent/llm/masked_model.py": "the names of kinds of masks, escaped: masks below",
    "agent/reading/validation.py": "the names of kinds of masks, escaped",
    "bot/payloads.py": "an id, escaped: request_text and mentions below",
    "bot/app.py": "the beginnings of our own action ids",
    "bot/visibility.py": "one character, escaped: visible below",
    "infra/dev/local_slack/delivery/announcer.py": "an id, escaped",
    "infra/dev/scripted_model/intents.py": "the names below it, and names of services, escaped",
    "infra/dev/scripted_model/script.py": "the pattern of a test's script",
    "infra/evaluation/fault_injection.py": "names of a plan that we printed",
}
"""Files that build a pattern of a text while they run, and of which text."""


def calls_of_re() -> Iterator[tuple[str, str | None]]:
    """Yield the file and the pattern of every call in a function such as `re.sub(r"...", ...)`; None: built there."""
    for folder in ("agent", "bot", "infra", "sandbox"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            functions = (part for part in ast.walk(ast.parse(path.read_text())) if isinstance(part, FUNCTIONS))
            for part in (part for function in functions for part in ast.walk(function)):
                match part:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name), args=[first, *_]) if (
                        name != "escape"
                    ):
                        pattern = str(first.value) if isinstance(first, ast.Constant) else None
                        yield path.relative_to(ROOT).as_posix(), pattern
                    case _:
                        pass


def all_patterns() -> list[re.Pattern[str]]:
    """Return every pattern of the product, each once."""
    written = [re.compile(pattern) for _, pattern in calls_of_re() if pattern is not None]
    return sorted({*compiled_patterns(), *written}, key=lambda pattern: (pattern.pattern, pattern.flags))


def tolerant(parser: Callable[[str], object], *refusals: type[Exception]) -> Callable[[str], object]:
    """Return the parser; the errors it documents are answers too."""

    def parse(text: str) -> object:
        try:
            return parser(text)
        except refusals:
            return None

    return parse


def fresh(parser: Callable[[str], object]) -> Callable[[str], object]:
    """Return the parser, which finds no text in its cache."""
    number = count()
    return lambda text: parser(f"{text} #{next(number)}")


def template_titled(title: str) -> Node:
    """Return a template with this title, which no limit has cut."""
    return replace(node("n"), title=title, for_each="${a}")


PERSONAL = PersonalData(
    Privacy(mask=(PersonalKind.EMAIL, PersonalKind.CARD, PersonalKind.IP), patterns={"odd": "(a|a)*b"})
)
"""Of kinds that are read by their form: the checks of telephone numbers and IBANs cost more for each that there is."""


def read_masks(text: str) -> None:
    """Mask a text and resolve what a model could make of it, as it streams."""

    class Echo:
        async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
            return messages[0].text

        async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
            for start in range(0, CHARACTERS // 4, 20):
                yield messages[0].text[start : start + 20]

        async def respond(
            self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
        ) -> ChatMessage:
            return messages[0]

    async def read() -> None:
        model = MaskedModel(Echo(), PERSONAL)
        message = ChatMessage(by="human", text=f"a@example.com {text}")
        await model.complete(Role.ANSWER, [message])
        async for _ in model.stream(Role.PLANNER, [message]):
            pass

    asyncio.run(read())


def read_in_chunks(text: str) -> None:
    """Read the beginning of a plan as a model streams it; between two chunks others have their turn."""
    reader = PlanStreamReader()
    for start in range(0, CHARACTERS // 4, 20):
        list(reader.feed(text[start : start + 20]))


def read_answer_in_chunks(text: str) -> None:
    """Read the beginning of an answer whose language shows late, or never."""
    reader = AnswerReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
    for start in range(0, CHARACTERS // 4, 20):
        list(reader.feed(text[start : start + 20]))


PARSERS: dict[str, Callable[[str], object]] = {
    "request_text": lambda text: request_text(text, UserId("U1")),
    "mentions": lambda text: mentions(text, UserId("U1")),
    "people_in": lambda text: list(people_in(text)),
    "named for people": lambda text: named_for_people(text, {"U1": "Ada"}),
    "plain_words": lambda text: plain_words(text, {"U1": "Ada"}),
    "neutralised": neutralised,
    "escaped": escaped,
    "answer": answer,
    "visible": visible,
    "visible beside a name in Punycode": lambda text: visible(f"xn--a.de {text}"),
    "message_runs": message_runs,
    "cell_text": cell_text,
    "diff": lambda text: difference(text[: len(text) // 2], text[len(text) // 2 :]),
    "visible beside look-alikes": lambda text: visible(f"\u0430 {text}"),
    "named": lambda text: named(text, {"U1": "Ada", "C1": "ops"}),
    "references": tolerant(pieces, BadReference),
    "about_item": tolerant(about_item, BadReference),
    "shown_title": lambda text: shown_title(template_titled(text)),
    "sanitized": sanitized_text,
    "canvas": tolerant(lambda text: read_canvas(text, title=text, id="F1", link=""), NotARunbook),
    "truncated": lambda text: truncated(text, 100),
    "plan text": read_plan_text,
    "plan in chunks": read_in_chunks,
    "answer in chunks": read_answer_in_chunks,
    "script_in": script_in,
    "origin_of": tolerant(origin_of, ValueError),
    "refused_verb": refused_verb,
    "masks": read_masks,
    "personal data": PERSONAL.find,
    "sql_parameters": lambda text: escaped_parameters(text, {}),
}
"""Every function of the product that reads text which a person, a model or a server wrote, but for SCRIPT_PARSERS."""

PYTHON_SECONDS = 0.05
"""The bound for one text of the plan language, four times that of others: Python's own parser takes 2 µs a token."""


def read_python(text: str) -> object:
    """Read a text as a plan in the plan language, whatever it looks like."""
    reader = PythonReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
    return [*reader.feed(text), *reader.finish()]


def read_python_in_chunks(text: str) -> None:
    """Read a plan in the plan language as a model streams it."""
    reader = PythonReader(REGISTRY, PlanBuilder(registry=REGISTRY, known={}))
    for start in range(0, CHARACTERS // 4, 20):
        list(reader.feed(text[start : start + 20]))


PYTHON_PARSERS: dict[str, Callable[[str], object]] = {
    "plan language": read_python,
    "plan language in chunks": read_python_in_chunks,
    "answer": lambda text: read_answer(text, REGISTRY),
}
"""Every function of the product that reads the plan language."""

OPENINGS = ("", "x = fetch(url=", "if a.b", "def f(", "def f():\n ", "for x in ", 'x = """', "x = fetch(url=f'{", "[")
"""How a line begins that is read on as a statement."""

SCRIPT_CHARACTERS = 64 * 1024
"""The longest script there may be."""

SCRIPT_SECONDS = 0.05
"""The bound for a script of any length: Python's parser takes the most time for texts that are all tokens, so scripts
of too many tokens are not parsed, and the dearest script may be shorter than the longest."""

PACKAGE = Node(id=NodeId("tell"), kind=NodeKind.PACKAGE, title="Tell", code="", tools=(ToolName("post"),))

STEPS = tuple(PackedStep(id=NodeId(step), title=step, tool=None, digest=None) for step in ("a", "tell"))

SCRIPT_PARSERS: dict[str, Callable[[str], object]] = {
    "script_issues": fresh(lambda text: script_issues(text, frozenset({"http_get"}), len(text) * 4)),
    "tool_calls": fresh(tool_calls),
    "inputs_needed": fresh(inputs_needed),
    "embedded": lambda text: embedded.__wrapped__(text, "script"),
    "split_red": lambda text: split_red(replace(PACKAGE, code=text), REGISTRY),
    "holds": lambda text: holds(PACKAGE.id, text, STEPS),
}
"""Every function of the product that parses a script."""

STATEMENTS = (
    *("a,", "[a]\n", "a=1\n", "f()\n", "a.b\n", "-1\n", "(a,b)\n", "x={}\n", "a=f'{b}'\n", "f(a=1)\n", "tools.a\n"),
    *(
        "if a:\n b\n",
        "def f(): a\n",
        "def _part(): a\n",
        "lambda: a\n",
        "[a for a in b]\n",
        "'a'\n",
        "a<b\n",
        "a and b\n",
    ),
    *(
        "return\n",
        "import a\n",
        "inputs['a']\n",
        "class A: a\n",
        "9\n",
        "a;",
        "!",
        "~a\n",
        "not a\n",
        "a if b else c\n",
    ),
)
"""Lines of Python, to be repeated."""


def scripts_of(statement: str) -> Iterator[str]:
    """Yield scripts of one statement, with the most tokens that are read and with more, spoilt at the end or not.

    Those of fewer tokens than their length has room for are filled up with empty lines.
    """
    tokens = len(re.findall(r"\w+|[^\w\s]", statement))
    for most in (TOKENS_TO_REWRITE - 1, MOST_TOKENS - 1, MOST_TOKENS + 1, SCRIPT_CHARACTERS):
        body = statement * (most // tokens)
        for end in ("", "!"):
            yield f"{body[:SCRIPT_CHARACTERS]}{end}".ljust(SCRIPT_CHARACTERS, "\n")
        yield "def main(inputs):\n" + "".join(f" {line}\n" for line in body[:SCRIPT_CHARACTERS].splitlines())


# What is slow is not made smaller, which would take minutes.
THOROUGH = settings(
    max_examples=EXAMPLES, phases=(Phase.explicit, Phase.generate), suppress_health_check=(HealthCheck.too_slow,)
)


@pytest.mark.parametrize("pattern", all_patterns(), ids=lambda pattern: pattern.pattern[:40])
def test_no_group_is_repeated_possessively(pattern: re.Pattern[str]) -> None:
    # Python before 3.11.5 forgets part of what such a group has matched; an atomic group does the same and is right.
    outline = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern.pattern, flags=re.DOTALL)
    assert not re.search(r"\)(?:[*+?]|\{\d*,?\d*\})\+", outline)


@pytest.mark.parametrize("pattern", all_patterns(), ids=lambda pattern: pattern.pattern[:40])
@THOROUGH
@given(data=st.data())
def test_regular_expression_is_linear(pattern: re.Pattern[str], data: st.DataObject) -> None:
    text = data.draw(pumped(st.from_regex(pattern) | MIXED))
    assert not too_slow(lambda hostile: list(pattern.finditer(hostile)), text)
    assert not too_slow(pattern.fullmatch, text)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
def test_parser_is_linear_for_every_mark(parser: Callable[[str], object]) -> None:
    slow = {
        mark: why
        for mark in MARKS
        for text in (mark * (CHARACTERS // len(mark)), mark * (CHARACTERS // len(mark)) + "!")
        if (why := too_slow(parser, text))
    }
    assert slow == {}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@THOROUGH
@given(text=pumped(MIXED))
def test_parser_is_linear_and_raises_nothing(parser: Callable[[str], object], text: str) -> None:
    assert not too_slow(parser, text)


@pytest.mark.parametrize("parser", PYTHON_PARSERS.values(), ids=PYTHON_PARSERS)
@pytest.mark.parametrize("opening", OPENINGS)
def test_plan_language_is_linear_for_every_mark(parser: Callable[[str], object], opening: str) -> None:
    slow = {
        (mark, ends): why
        for mark in (*MARKS, *STATEMENTS)
        for ends in ("", "!", "\n", ")\n")
        for text in ((opening + mark * (CHARACTERS // len(mark)))[: CHARACTERS - len(ends)] + ends,)
        if (why := too_slow(parser, text, PYTHON_SECONDS))
    }
    assert slow == {}


@pytest.mark.parametrize("parser", PYTHON_PARSERS.values(), ids=PYTHON_PARSERS)
@THOROUGH
@given(text=pumped(MIXED), opening=st.sampled_from(OPENINGS))
def test_plan_language_is_linear_and_raises_nothing(parser: Callable[[str], object], text: str, opening: str) -> None:
    assert not too_slow(parser, opening + text, PYTHON_SECONDS)


WHOLE_SECONDS = DEFAULT_LIMITS.python_characters / CHARACTERS * PYTHON_SECONDS
"""The bound for the longest plan that is read: no more for each character than for a short text."""

WHOLE_MARKS = (*MARKS, *STATEMENTS, "\x00", "\u202e", "\u2066a", "'a", 'f"{', "0x", "1e9", "-", "lambda:", "if a.b:\n ")


def whole_plans(count: int, seed: int = 15) -> Iterator[str]:
    """Yield texts of the longest plan that is read: deep nesting, huge literals, null bytes, bidi, unfinished texts."""
    draw = random.Random(seed)  # noqa: S311 -- no secret
    for _ in range(count):
        opening, mark, end = (
            draw.choice(OPENINGS),
            draw.choice(WHOLE_MARKS),
            draw.choice(("", "!", "\n", ")\n", "\x00")),
        )
        between = draw.choice(("", "", "\n", '"', " "))
        piece = mark * draw.choice((1, 1, 60, 4_000)) + between
        text = opening + piece * (DEFAULT_LIMITS.python_characters // len(piece) + 1)
        yield text[: DEFAULT_LIMITS.python_characters - len(end)] + end


@pytest.mark.parametrize("count", [pytest.param(60, id="60"), pytest.param(1_000, id="1000", marks=pytest.mark.chaos)])
def test_longest_plan_of_any_text_is_read_in_linear_time_and_raises_nothing(count: int) -> None:
    readers: dict[str, Callable[[str], object]] = {
        "plan": read_python,
        "answer": lambda text: read_answer(text, REGISTRY),
    }
    slow = [
        (name, text[:80], text[-20:], why)
        for number, text in enumerate(whole_plans(count))
        for name, reader in readers.items()
        if (number % 2 == 0) == (name == "plan") and (why := too_slow(reader, text, WHOLE_SECONDS))
    ]
    assert slow == []


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("parser", SCRIPT_PARSERS.values(), ids=SCRIPT_PARSERS)
def test_script_is_parsed_in_bounded_time(parser: Callable[[str], object], statement: str) -> None:
    assert [why for text in scripts_of(statement) if (why := too_slow(parser, text, SCRIPT_SECONDS))] == []


@pytest.mark.parametrize("parser", SCRIPT_PARSERS.values(), ids=SCRIPT_PARSERS)
@THOROUGH
@given(text=pumped(MIXED, SCRIPT_CHARACTERS))
def test_script_parser_is_bounded_and_raises_nothing(parser: Callable[[str], object], text: str) -> None:
    assert not too_slow(parser, text, SCRIPT_SECONDS)


def busy(rounds: int) -> None:
    for _ in range(rounds):
        pass


@pytest.mark.parametrize(("rounds", "slow"), [(1, False), (2, False), (50, True)])
def test_work_that_grows_as_its_text_may_take_twice_the_bound_on_a_slow_core(rounds: int, slow: bool) -> None:
    text = "a" * 20_000
    bound = 1.2 * min(reference_seconds() for _ in range(20))
    assert bool(too_slow(lambda part: busy(rounds * len(part)), text, bound)) == slow


@pytest.mark.parametrize(("power", "slow"), [(1.0, False), (1.5, True), (2.0, True)])
def test_work_that_grows_faster_than_its_text_is_too_slow_at_twice_the_bound(
    power: float, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(_work: object, text: str, _enough: float) -> float:
        return 2.0 * (len(text) / 20_000) ** power  # exact: two measurements of a busy core differ by more than this

    monkeypatch.setattr(f"{__name__}.seconds_for", taken)
    assert bool(too_slow(len, "a" * 20_000, 1.0)) == slow


def test_patterns_that_are_built_at_run_time_are_known() -> None:
    assert {file for file, pattern in calls_of_re() if pattern is None} == BUILT_AT_RUN_TIME.keys()
