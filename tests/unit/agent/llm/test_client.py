"""The model client over real HTTP: what arrives, what fails how, and that no secret is ever told."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from agent.errors import ContextExceeded, ModelBusy, ModelSlow, ModelUnavailable
from agent.limits import ModelSettings, ReasoningEffort, Role
from agent.llm.client import OpenAILanguageModel
from agent.ports import ChatMessage
from infra.dev.scripted_model.script import CONTEXT_TOO_LONG, Cut, Endless, Failure, Pace, Rubbish, Script, Stall, Text
from infra.dev.scripted_model.server import ScriptedModel
from tests.fakes.planning import KEY

Start = Callable[..., Awaitable[tuple[OpenAILanguageModel, ScriptedModel]]]

SAID = [ChatMessage(by="system", text="# Greenlight: answer\nDo it."), ChatMessage(by="human", text="hi")]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def started(*scripts: Script, **settings: Any) -> tuple[OpenAILanguageModel, ScriptedModel]:
            server = await stack.enter_async_context(ScriptedModel(scripts, api_key=KEY))
            values: dict[str, Any] = {"model": "m", "api_key": KEY, "base_url": await server.start(), "retries": 0}
            model = OpenAILanguageModel(ModelSettings(**(values | settings)))
            stack.push_async_callback(model.close)
            return model, server

        yield started


async def test_answer_arrives_in_pieces_and_whole(start: Start) -> None:
    text = "Grüße an alle ✓ and a few words more"
    model, server = await start(Script(answer=text))
    pieces = [piece async for piece in model.stream(Role.ANSWER, SAID)]
    assert "".join(pieces) == text
    assert len(pieces) > 5
    assert await model.complete(Role.ANSWER, SAID) == text
    assert [request.stream for request in server.requests] == [True, True]


async def test_an_answer_that_arrives_at_once_lets_everything_else_run_between_its_pieces(start: Start) -> None:
    model, _ = await start(Script(answer="word " * 2_000))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    seen = [turns async for _ in model.stream(Role.ANSWER, SAID)]
    running.cancel()
    assert len(seen) > 100
    assert len(set(seen)) == len(seen)


async def test_thinking_is_no_part_of_an_answer(start: Start) -> None:
    model, _ = await start(Script(answer="<think>\nhm <b>\n</think>\n\nWell, <think> is a tag."))
    assert await model.complete(Role.ANSWER, SAID) == "Well, <think> is a tag."


async def test_dialogue_keeps_its_order_and_roles(start: Start) -> None:
    model, server = await start(Script(answer="x"))
    await model.complete(Role.PLANNER, [*SAID, ChatMessage(by="ai", text="a"), ChatMessage(by="human", text="b")])
    assert [(message.role, message.text) for message in server.requests[0].messages[1:]] == [
        ("user", "hi"),
        ("assistant", "a"),
        ("user", "b"),
    ]


async def test_roles_may_have_models_of_their_own(start: Start) -> None:
    model, server = await start(Script(answer="x"), by_role={Role.REPAIR: "big"})
    await model.complete(Role.ANSWER, SAID)
    await model.complete(Role.REPAIR, SAID)
    assert [request.model for request in server.requests] == ["m", "big"]


async def test_usage_is_counted_by_role(start: Start) -> None:
    model, _ = await start(Script(answer="twelve chars"))
    await model.complete(Role.ANSWER, SAID)
    await model.complete(Role.ANSWER, SAID)
    usage = model.usage[Role.ANSWER]
    assert (usage.calls, usage.output_tokens) == (2, 6)
    assert usage.input_tokens > 0
    assert model.usage[Role.PLANNER].calls == 0


async def test_cached_tokens_are_counted(start: Start) -> None:
    model, server = await start(Script(answer="x"))
    server.caches = True
    long = [ChatMessage(by="system", text="word " * 2000), ChatMessage(by="human", text="hi")]
    await model.complete(Role.ANSWER, long)
    assert model.usage[Role.ANSWER].cached_tokens == 0
    await model.complete(Role.ANSWER, [*long[:1], ChatMessage(by="human", text="ho")])
    assert model.usage[Role.ANSWER].cached_tokens == 2432, "of 2,501 tokens, in steps of 128"


RESPONSES: dict[str, Any] = {"use_responses_api": dict.fromkeys(Role, True)}


async def test_responses_api_is_asked_by_role_and_keeps_nothing_there(start: Start) -> None:
    effort = {Role.PLANNER: ReasoningEffort.HIGH, Role.ANSWER: ReasoningEffort.LOW}
    model, server = await start(
        Script(answer="Grüße ✓ and more"), use_responses_api={Role.PLANNER: True}, reasoning_effort=effort
    )
    dialogue = [*SAID, ChatMessage(by="ai", text="a"), ChatMessage(by="human", text="b")]
    for role in (Role.PLANNER, Role.CONCLUDE, Role.REPAIR):
        assert await model.complete(role, dialogue) == "Grüße ✓ and more"
    planner, conclude, repair = server.requests
    assert (planner.api, planner.effort, planner.body["store"]) == ("responses", "high", False)
    assert (conclude.api, conclude.effort) == ("chat", "low"), "as answers, which have nothing else of their own"
    assert (repair.api, repair.effort) == ("chat", "")
    assert "store" not in repair.body
    assert [[message.role for message in request.messages] for request in server.requests] == [
        ["system", "user", "assistant", "user"]
    ] * 3


async def test_responses_api_counts_tokens_and_those_in_its_cache(start: Start) -> None:
    model, server = await start(Script(answer="twelve chars"), **RESPONSES)
    server.caches = True
    for _ in range(2):
        await model.complete(Role.ANSWER, [ChatMessage(by="human", text="word " * 2000)])
    usage = model.usage[Role.ANSWER]
    assert (usage.calls, usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (2, 5000, 6, 2432)


@pytest.mark.parametrize("kind", ["401", "500", "429", "cut", "nothing", "only spaces", "token limit", "filtered"])
async def test_every_failure_over_the_responses_api_is_unavailable_without_a_secret(start: Start, kind: str) -> None:
    model, _ = await start(Script(answer=BROKEN[kind][0]), **RESPONSES)
    with pytest.raises(ModelUnavailable) as raised:
        await model.complete(Role.ANSWER, SAID)
    shown = "".join(traceback.format_exception(raised.value)) + repr(model) + str(vars(raised.value))
    assert KEY not in shown


BROKEN: dict[str, tuple[Any, str]] = {
    "401": (Failure(status=401, message=f"Incorrect API key provided: {KEY}"), "status 401"),
    "500": (Failure(status=500, message=f"boom {KEY}"), "status 500"),
    "429": (Failure(status=429, message="slow down"), "status 429"),
    "too long": (CONTEXT_TOO_LONG, "status 400"),
    "html": (Rubbish(), "unusable"),
    "half events": (Rubbish(body=b'data: {"choices":[\n\n', content_type="text/event-stream"), "unusable"),
    "other events": (Rubbish(body=b'data: {"choices":3}\n\n', content_type="text/event-stream"), "unusable"),
    "cut": (Cut(after="some words, then"), "connection"),
    "nothing": (Text(text=""), "nothing"),
    "only spaces": (Text(text=" \n "), "nothing"),
    "token limit": (Text(text="half a", finish_reason="length"), "length"),
    "filtered": (Text(text="half a", finish_reason="content_filter"), "content_filter"),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_every_failure_is_unavailable_without_a_secret(start: Start, kind: str) -> None:
    answer, says = BROKEN[kind]
    model, _ = await start(Script(answer=answer))
    with pytest.raises(ModelUnavailable, match=says) as raised:
        await model.complete(Role.ANSWER, SAID)
    shown = "".join(traceback.format_exception(raised.value)) + repr(model) + str(vars(raised.value))
    assert KEY not in shown
    assert raised.value.__context__ is None


BUSY = {
    "429": Failure(status=429, message="slow down"),
    "429 with a time": Failure(status=429, message="slow down", retry_after_seconds=1),
    "503 with a time": Failure(status=503, message="overloaded", retry_after_seconds=1),
}


@pytest.mark.parametrize("kind", BUSY)
async def test_busy_server_is_asked_again_until_it_answers(start: Start, kind: str) -> None:
    """It may be busy more often than a failure is tried again, and for longer than it may be silent."""
    busy = Script(answer=BUSY[kind], times=2)
    model, server = await start(busy, Script(answer="here"), retries=1, silence_seconds=0.9)
    assert await model.complete(Role.ANSWER, SAID) == "here"
    assert len(server.requests) == 3


@pytest.mark.parametrize("asks", [None, 0.01, 1000.0], ids=["without a time", "soon", "much later"])
async def test_server_that_stays_busy_is_given_up_in_time_and_not_flooded(start: Start, asks: float | None) -> None:
    model, server = await start(
        Script(answer=Failure(status=429, message=f"slow down {KEY}", retry_after_seconds=asks)),
        retries=2,
        total_seconds=2.5,
    )
    with pytest.raises(ModelBusy, match="status 429") as raised:
        await model.complete(Role.ANSWER, SAID)
    assert raised.value.__context__ is None
    assert 1 <= len(server.requests) <= 3


async def test_account_without_credit_is_not_waited_for(start: Start) -> None:
    failure = Failure(status=429, message="You exceeded your current quota", code="insufficient_quota")
    model, server = await start(Script(answer=failure), retries=2)
    with pytest.raises(ModelUnavailable, match="no credit left") as raised:
        await model.complete(Role.ANSWER, SAID)
    assert not isinstance(raised.value, ModelBusy)
    assert len(server.requests) == 1


LONG = {
    "code": CONTEXT_TOO_LONG,
    "words": Failure(status=400, message="This model's maximum context length is 8192 tokens.", type="BadRequestError"),
    "413": Failure(status=413, message="too big"),
}


@pytest.mark.parametrize("kind", LONG)
async def test_request_longer_than_the_model_reads_is_told_apart(start: Start, kind: str) -> None:
    model, _ = await start(Script(answer=LONG[kind]))
    with pytest.raises(ContextExceeded):
        await model.complete(Role.ANSWER, SAID)


async def test_answer_that_never_stops_is_bounded(start: Start) -> None:
    model, _ = await start(Script(answer=Endless(piece="and on ")), answer_characters=1000)
    with pytest.raises(ModelUnavailable, match="does not stop"):
        await model.complete(Role.ANSWER, SAID)


async def test_silence_is_bounded(start: Start) -> None:
    model, _ = await start(Script(answer=Stall(after="a few words")), silence_seconds=0.2)
    with pytest.raises(ModelSlow, match="silent"):
        await model.complete(Role.ANSWER, SAID)


@pytest.mark.parametrize("api", [True, False], ids=["responses", "chat"])
async def test_the_first_word_has_a_limit_of_its_own(start: Start, api: bool) -> None:
    """It may take longer than the silence after it."""
    late = Text(text="well thought over", pace=Pace(first_seconds=0.6))
    apis = {Role.ANSWER: api}
    model, _ = await start(Script(answer=late), silence_seconds=0.2, use_responses_api=apis)
    assert await model.complete(Role.ANSWER, SAID) == "well thought over"
    hasty, _ = await start(Script(answer=Stall()), first_token_seconds=0.2, use_responses_api=apis)
    with pytest.raises(ModelSlow, match=r"not begun to answer within 0\.2 seconds"):
        await hasty.complete(Role.ANSWER, SAID)


async def test_a_busy_server_takes_nothing_of_the_time_for_the_first_word(start: Start) -> None:
    busy = Script(answer=Failure(status=429, message="slow down", retry_after_seconds=1), times=1)
    model, _ = await start(busy, Script(answer="here"), retries=1, first_token_seconds=0.9)
    assert await model.complete(Role.ANSWER, SAID) == "here"


async def test_whole_answer_is_bounded(start: Start) -> None:
    model, _ = await start(Script(answer=Stall(after="a few words")), total_seconds=0.2)
    with pytest.raises(ModelUnavailable, match="silent"):
        await model.complete(Role.ANSWER, SAID)


async def test_server_that_is_not_there_is_unavailable() -> None:
    model = OpenAILanguageModel(ModelSettings(model="m", api_key=KEY, base_url="http://127.0.0.1:9/v1", retries=0))
    with pytest.raises(ModelUnavailable, match="connection"):
        await model.complete(Role.ANSWER, SAID)
    await model.close()
    await model.close()


async def test_failures_before_the_answer_are_retried(start: Start) -> None:
    failure = Failure(status=503, message="not yet", retry_after_seconds=0.01)
    model, server = await start(Script(answer=failure, times=1), Script(answer="well"), retries=1)
    assert await model.complete(Role.ANSWER, SAID) == "well"
    assert len(server.requests) == 2


async def test_refusals_are_not_retried(start: Start) -> None:
    model, server = await start(Script(answer=Failure(status=403, message="no")), retries=2)
    with pytest.raises(ModelUnavailable):
        await model.complete(Role.ANSWER, SAID)
    assert len(server.requests) == 1


async def test_stream_may_be_left_early(start: Start) -> None:
    model, _ = await start(Script(answer=Stall(after="first words and then")))
    async with aclosing(model.stream(Role.ANSWER, SAID)) as pieces:
        assert await anext(pieces)


async def test_cancelling_is_passed_on(start: Start) -> None:
    model, _ = await start(Script(answer=Stall(after="words")))
    heard = asyncio.Event()

    async def listen() -> None:
        async for _ in model.stream(Role.ANSWER, SAID):
            heard.set()

    task = asyncio.create_task(listen())
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_settings_and_model_show_no_key() -> None:
    settings = ModelSettings(model="m", api_key=KEY)
    assert KEY not in repr(settings)
    assert KEY not in repr(OpenAILanguageModel(settings))


async def test_vectors_come_in_the_order_of_their_texts(start: Start) -> None:
    model, server = await start(embeddings="vectors")
    server.vectors = lambda text: [float(len(text)), 1.0]
    vectors = await model.embed(["x" * (number % 7) for number in range(250)])
    assert [vector[0] for vector in vectors] == [number % 7 for number in range(250)]
    assert server.embedded == [100, 100, 50]


async def test_server_without_vectors_is_unavailable_and_tells_no_secret(start: Start) -> None:
    model, _ = await start(embeddings="vectors")
    with pytest.raises(ModelUnavailable) as caught:
        await model.embed(["a"])
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert "404" in str(caught.value)
