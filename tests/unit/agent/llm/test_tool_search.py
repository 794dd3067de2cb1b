"""Which tools a request shows: the likely ones, those it names and those of the plan, within a room that stays."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from agent.errors import ModelUnavailable
from agent.ids import ToolName
from agent.llm.tool_search import ALL_SHOWN, ShownTools, ToolSearch, names_of_all, signature
from agent.tool import Colour, Registry, Tool
from sandbox.script import Json
from tests.fakes.plans import tool
from tests.fakes.public_tools import public_set

PUBLIC = Registry(public_set().tools)


def names(tools: Sequence[Tool]) -> list[str]:
    return [tool.name for tool in tools]


def described(name: str, description: str, **properties: str) -> Tool:
    """Return a tool with these words."""
    schema = {key: {"type": "string", "description": words} for key, words in properties.items()}
    made = tool(name, properties=schema)
    return Tool(name=made.name, description=description, arguments=made.arguments, colour=made.colour, call=made.call)


def many(*tools: Tool, count: int = 100) -> Registry:
    """Return a registry of these tools among others that do nothing like it."""
    return Registry([*(described(f"other_{number}", f"Does thing {number}.") for number in range(count)), *tools])


@pytest.fixture(scope="module")
def public() -> ToolSearch:
    return ToolSearch(PUBLIC)


@pytest.mark.parametrize(("count", "all_shown"), [(0, True), (ALL_SHOWN, True), (ALL_SHOWN + 1, False)])
def test_few_tools_are_all_shown(count: int, all_shown: bool) -> None:
    assert ToolSearch(many(count=count)).shows_all is all_shown


@pytest.mark.parametrize(
    ("request_text", "wanted"),
    [
        ("Reboot the machine db-1", "restart_server"),
        ("What was revenue last quarter?", "ledger"),
        ("set the threshold of the alarm", "setAlarmThreshold"),
        ("in Paris, please", "book"),
        ("东京的天气预报", "tenki"),
    ],
)
async def test_tool_is_found_by_its_name_its_description_and_its_parameters(request_text: str, wanted: str) -> None:
    search = ToolSearch(
        many(
            described("restart_server", "Reboots one machine."),
            described("ledger", "Looks up figures.", measure="revenue, cost or margin of a quarter"),
            described("setAlarmThreshold", "Changes it."),
            described("book", "Reserves.", place="A city, such as Paris"),
            described("tenki", "天气预报查询"),
            count=300,
        )
    )
    shown = await search.likely(request_text)
    assert wanted in names(shown.whole)


async def test_public_requests_show_their_tools(public: ToolSearch) -> None:
    found = 0
    for request in public_set().requests:
        shown = await public.likely(request.text)
        found += request.right <= {*names(shown.whole)}
    assert found >= 0.95 * len(public_set().requests)


async def test_what_is_shown_stays_within_its_room_in_the_order_of_names(public: ToolSearch) -> None:
    for request in public_set().requests[:20]:
        shown = await public.likely(request.text)
        assert 5 <= len(shown.whole) <= 60
        assert 50 <= len(shown.briefly) <= 150
        assert names(shown.whole) == sorted(names(shown.whole))
        assert not {*names(shown.whole)} & {*names(shown.briefly)}
        assert await public.likely(request.text) == shown


async def test_tool_that_is_named_or_used_by_the_plan_is_shown_whatever_is_said(public: ToolSearch) -> None:
    used = [ToolName("Weather_1_GetWeather"), ToolName("set_volume")]
    shown = await public.likely("use weather_forecast.get, then send it by mail", used)
    assert {"weather_forecast.get", *used} <= {*names(shown.whole)}


async def test_more_tools_leave_out_those_that_were_shown(public: ToolSearch) -> None:
    shown = await public.likely("What is the weather in Rome?")
    seen = {tool.name for tool in shown.whole}
    briefly = {tool.name for tool in shown.briefly}
    more = await public.more("turn the volume of the music down: set_volume", seen, briefly)
    assert "set_volume" in names(more.whole)
    assert not seen & {tool.name for tool in (*more.whole, *more.briefly)}
    assert not briefly & {tool.name for tool in more.briefly}
    assert len(more.whole) < len(shown.whole)


def test_signature_says_which_arguments_there_are_and_which_a_call_needs() -> None:
    properties: dict[str, Json] = {
        "place": {"type": "string"},
        "nights": {"type": "integer"},
        "room": {"enum": ["single", "double"]},
        "colour": {"enum": [f"colour-{number}" for number in range(20)], "type": "string"},
        "any": True,
    }
    made = tool("book", Colour.RED, properties, "place", "nights")
    assert signature(made) == "book(place, nights: integer, room?: single|double, colour?, any?) red"


async def test_nothing_in_a_request_still_shows_something(public: ToolSearch) -> None:
    assert len((await public.likely("")).whole) >= 5
    assert len((await public.likely("?" * 200_000)).whole) >= 5


async def test_names_of_very_many_tools_are_those_of_likely_ones() -> None:
    registry = many(described("needle", "Finds a needle in a haystack."), count=3_000)
    assert names_of_all(registry) == ()
    assert len(names_of_all(PUBLIC)) == len(PUBLIC)
    shown = await ToolSearch(registry).likely("find the needle")
    assert "needle" in names(shown.whole)
    assert 100 <= len(shown.named) <= 300


async def test_many_small_tools_with_long_names_leave_room_for_the_likely_ones() -> None:
    registry = many(*(tool(f"a_rather_long_name_of_tool_{number}") for number in range(400)))
    assert names_of_all(registry)
    shown = await ToolSearch(registry).likely("do something")
    assert len(shown.whole) >= 8
    assert len(shown.briefly) >= 8


class MeaningOfWords:
    """Makes vectors from a table of what means the same."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.away = False

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return 1 for texts about weather, in whatever words."""
        self.asked.append(len(texts))
        if self.away:
            raise ModelUnavailable("gone")
        return [[float("rain" in text or "Weather" in text), 0.5] for text in texts]


async def test_vectors_find_what_no_word_does() -> None:
    request = "Can you tell me if it will rain in Vancouver, Canada on 2023-03-10?"
    assert "Weather_1_GetWeather" not in names((await ToolSearch(PUBLIC).likely(request)).whole)
    meaning = MeaningOfWords()
    search = ToolSearch(PUBLIC, meaning)
    assert "Weather_1_GetWeather" in names((await search.likely(request)).whole)
    await search.likely(request)
    assert meaning.asked == [500, 1, 1], "the tools' vectors are made once"


async def test_requests_at_the_same_time_share_one_index() -> None:
    meaning = MeaningOfWords()
    search = ToolSearch(PUBLIC, meaning)
    shown = await asyncio.gather(*(search.likely("What is the weather in Rome?") for _ in range(5)))
    assert sorted(meaning.asked) == [1, 1, 1, 1, 1, 500]
    assert all(other == shown[0] for other in shown)


async def test_without_vectors_words_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    meaning = MeaningOfWords()
    meaning.away = True
    search = ToolSearch(PUBLIC, meaning)
    with caplog.at_level(logging.WARNING):
        first, second = await search.likely("play music"), await search.likely("play music")
    assert first == second == await ToolSearch(PUBLIC).likely("play music")
    assert isinstance(first, ShownTools)
    assert meaning.asked == [500], "the endpoint is left alone for a while"
    assert [record.message for record in caplog.records] == ["tools are searched by words alone for a while: gone"]
