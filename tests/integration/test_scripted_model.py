"""The scripted model as langchain-openai's ChatOpenAI meets it, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from infra.dev.scripted_model.script import (
    CONTEXT_TOO_LONG,
    Cut,
    Failure,
    ModelRequest,
    Pace,
    Rubbish,
    Script,
    Stall,
    Text,
    ToolCall,
    ToolCalls,
)
from infra.dev.scripted_model.server import ScriptedModel


class Model:
    """A started scripted model and ways to reach it."""

    def __init__(self, server: ScriptedModel, base_url: str, client: httpx.AsyncClient) -> None:
        self.server = server
        self.base_url = base_url
        self._client = client

    def chat(self, **options: Any) -> ChatOpenAI:
        """Return the client the app uses, without its retries."""
        settings: dict[str, Any] = {"max_retries": 0, "timeout": 30, "http_async_client": self._client, **options}
        return ChatOpenAI(model="any", base_url=self.base_url, api_key=SecretStr("key"), **settings)

    def loose_chat(self, **options: Any) -> Any:
        """Return the same untyped: the client's own types for tools and schemas are incomplete."""
        return self.chat(**options)


Start = Callable[..., Awaitable[Model]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def started(*scripts: Script, api_key: str | None = None) -> Model:
            server = await stack.enter_async_context(ScriptedModel(scripts, api_key=api_key))
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
            return Model(server, await server.start(), client)

        yield started


def prompt(role: str, text: str) -> list[SystemMessage | HumanMessage]:
    return [SystemMessage(f"# Greenlight: {role}\nDo it."), HumanMessage(text)]


async def test_answer_comes_whole_with_usage(start: Start) -> None:
    model = await start(Script(answer="twelve chars"))
    answer = await model.chat().ainvoke("hello")
    assert answer.content == "twelve chars"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata == {
        "input_tokens": 2,
        "output_tokens": 3,
        "total_tokens": 5,
        "input_token_details": {},
        "output_token_details": {},
    }


async def test_answer_streams_in_pieces_and_ends_with_usage(start: Start) -> None:
    text = '{"op":"add"}\n{"op":"reply","text":"Grüße ✓"}\n'
    model = await start(Script(answer=text))
    chunks = [chunk async for chunk in model.chat(stream_usage=True).astream("go")]
    assert "".join(str(chunk.content) for chunk in chunks) == text
    assert len([chunk for chunk in chunks if chunk.content]) > 5
    usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert [chunk["input_tokens"] for chunk in usage] == [1]
    assert usage[0]["output_tokens"] == -(-len(text) // 4)


async def test_first_script_that_matches_role_and_text_answers(start: Start) -> None:
    model = await start(
        Script(role="answer", answer="an answer"),
        Script(role="planner", contains=r"check \w+", answer="a check"),
        Script(role="planner", answer=lambda request: f"planner heard {request.last}"),
    )
    said = [
        (await model.chat().ainvoke(prompt(role, text))).content
        for role, text in [("planner", "please CHECK payments"), ("planner", "hm"), ("answer", "hm")]
    ]
    assert said == ["a check", "planner heard hm", "an answer"]
    assert [request.role for request in model.server.requests] == ["planner", "planner", "answer"]
    assert len(model.server.requests_of("planner")) == 2


async def test_script_steps_back_after_its_times(start: Start) -> None:
    model = await start(Script(answer="first", times=1), Script(answer="then"))
    assert [(await model.chat().ainvoke("x")).content for _ in range(3)] == ["first", "then", "then"]


async def test_request_no_script_answers_is_an_error_that_quotes_it(start: Start) -> None:
    model = await start(Script(role="planner", answer="x"))
    with pytest.raises(openai.InternalServerError, match="hello there"):
        await model.chat().ainvoke("hello there")


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_tool_calls_arrive_with_their_arguments(start: Start, streaming: bool) -> None:
    calls = ToolCalls(calls=[ToolCall(name="add", arguments={"a": 1, "b": 22}), ToolCall(name="now")])
    model = await start(
        Script(answer=calls, times=1), Script(answer=lambda request: f"the tool said {request.messages[-1].text}")
    )

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    def now() -> str:
        """Tell the time."""
        return ""

    bound = model.loose_chat(streaming=streaming).bind_tools([add, now])
    answer = await bound.ainvoke("add them")
    assert isinstance(answer, AIMessage)
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("add", {"a": 1, "b": 22}), ("now", {})]
    assert model.server.requests[0].tools == ("add", "now")
    results = [ToolMessage("23", tool_call_id=call["id"]) for call in answer.tool_calls]
    assert (await bound.ainvoke([HumanMessage("add them"), answer, *results])).content == "the tool said 23"


class NextStep(BaseModel):
    """A decision."""

    decision: str


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
async def test_structured_output_is_parsed(start: Start, method: Any) -> None:
    def answer(request: ModelRequest) -> str | ToolCalls:
        if request.tools:
            return ToolCalls(calls=[ToolCall(name=request.tools[0], arguments={"decision": "end"})])
        return '{"decision":"end"}'

    model = await start(Script(answer=answer))
    structured = model.loose_chat().with_structured_output(NextStep, method=method)
    assert await structured.ainvoke("Answer in JSON.") == NextStep(decision="end")
    expected = {"json_schema": "json_schema", "json_mode": "json_object", "function_calling": "text"}
    assert model.server.requests[0].response_format == expected[method]


async def test_json_mode_is_refused_when_no_message_says_json(start: Start) -> None:
    model = await start(Script(answer="{}"))
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        await model.loose_chat().with_structured_output(NextStep, method="json_mode").ainvoke("Answer.")


async def test_failure_has_status_code_and_retry_after(start: Start) -> None:
    limited = Failure(status=429, message="Slow down.", code="rate_limit_exceeded", retry_after_seconds=2)
    model = await start(Script(answer=limited))
    with pytest.raises(openai.RateLimitError) as caught:
        await model.chat().ainvoke("x")
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "2"


async def test_client_retries_past_a_passing_failure(start: Start) -> None:
    model = await start(Script(answer=Failure(status=503, message="Overloaded."), times=1), Script(answer="well"))
    assert (await model.chat(max_retries=1).ainvoke("x")).content == "well"
    assert len(model.server.requests) == 2


async def test_context_too_long_is_told_by_its_code(start: Start) -> None:
    model = await start(Script(answer=CONTEXT_TOO_LONG))
    with pytest.raises(openai.BadRequestError) as caught:
        await model.chat().ainvoke("x")
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_stall_lasts_until_the_caller_gives_up(start: Start, streaming: bool) -> None:
    model = await start(Script(answer=Stall(after="so far")))
    with pytest.raises(openai.APITimeoutError):
        await model.chat(streaming=streaming, timeout=0.3).ainvoke("x")


async def test_stop_does_not_wait_for_a_stalled_answer(start: Start) -> None:
    heard = asyncio.Event()

    def stall(request: ModelRequest) -> Stall:
        heard.set()
        return Stall()

    async def ask(chat: ChatOpenAI) -> None:
        with pytest.raises(openai.APIConnectionError):
            await chat.ainvoke("x")

    model = await start(Script(answer=stall))
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(model.chat()))
        await heard.wait()
        await model.server.stop()


async def test_cut_stream_gives_what_came_and_then_breaks(start: Start) -> None:
    model = await start(Script(answer=Cut(after="half of the pl")))
    heard = ""
    with pytest.raises(openai.APIConnectionError):  # noqa: PT012 - what came before the break is the claim
        async for chunk in model.chat().astream("x"):
            heard += str(chunk.content)
    assert heard == "half of the pl"


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_rubbish_is_not_an_answer(start: Start, streaming: bool) -> None:
    model = await start(Script(answer=Rubbish()))
    with pytest.raises(ValueError, match=r"Unexpected response type|No generation"):
        await model.chat(streaming=streaming).ainvoke("x")


async def test_slow_stream_arrives_bit_by_bit(start: Start) -> None:
    model = await start(Script(answer="x" * 40, pace=Pace(first_seconds=0.05, tokens_per_second=50)))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    moments = [loop.time() - begun async for chunk in model.chat().astream("x") if chunk.content]
    assert len(moments) == 10
    assert moments[0] >= 0.05
    assert moments[-1] - moments[0] >= 0.1


async def test_length_is_the_finish_reason_it_is_given(start: Start) -> None:
    model = await start(Script(answer=Text(text="cut sho", finish_reason="length")))
    assert (await model.chat().ainvoke("x")).response_metadata["finish_reason"] == "length"


async def test_system_message_parts_are_read_like_text(start: Start) -> None:
    model = await start(Script(role="planner", answer="seen"))
    parts = SystemMessage(content=[{"type": "text", "text": "# Greenlight: planner\nPlan."}])
    assert (await model.chat().ainvoke([parts, HumanMessage("x")])).content == "seen"


async def test_key_is_required(start: Start) -> None:
    model = await start(Script(answer="x"))
    async with aiohttp.ClientSession() as session, session.get(f"{model.base_url}/models") as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_wrong_key_is_an_authentication_error(start: Start) -> None:
    model = await start(Script(answer="x"), api_key="another")
    with pytest.raises(openai.AuthenticationError) as caught:
        await model.chat().ainvoke("x")
    assert caught.value.code == "invalid_api_key"


async def test_models_are_listed(start: Start) -> None:
    model = await start()
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="key") as client:
        assert [listed.id async for listed in client.models.list()] == ["greenlight-scripted"]


async def test_unknown_path_is_an_error_in_the_same_shape(start: Start) -> None:
    model = await start()
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="key", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="/v1/moderations"):
            await client.moderations.create(input="x")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b'{"messages":[{"role":"user","content":"x"}]}', "model"),
        (b'{"model":"m","messages":[]}', "messages"),
        (b'{"model":"m","messages":[{"role":"boss","content":"x"}]}', "messages.0.role"),
        (b'{"model":"m","messages":[{"role":"tool","content":"x","tool_call_id":"a"}]}', "messages"),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream_options":{}}', "stream_options"),
    ],
    ids=["not json", "no model", "no messages", "odd role", "tool without call", "options without stream"],
)
async def test_broken_request_is_refused_with_its_place(start: Start, body: bytes, param: str | None) -> None:
    model = await start(Script(answer="x"))
    headers = {"Authorization": "Bearer key"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{model.base_url}/chat/completions", data=body) as response,
    ):
        error = (await response.json())["error"]
    assert (response.status, error["param"]) == (400, param)
    assert model.server.requests == []


BODY = {"model": "m", "input": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("more", "param", "says"),
    [
        ({"input": []}, "input.list[_Item]", "Invalid value"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input", "Invalid value"),
        ({"messages": []}, "messages", "Unknown parameter"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "Unknown parameter"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "Unknown parameter"),
        ({"max_tokens": 10}, "max_tokens", "Unknown parameter"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort", "Invalid value"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "not found"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "input[0].content[0]",
            "'output_text'",
        ),
    ],
)
async def test_responses_api_refuses_what_the_service_refuses(
    start: Start, more: dict[str, Any], param: str, says: str
) -> None:
    model = await start(Script(answer="x"))
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session,
        session.post(f"{model.base_url}/responses", json=BODY | more) as response,
    ):
        error = (await response.json())["error"]
    assert response.status == 400
    assert error["param"].startswith(param.partition(".list")[0])
    assert says in error["message"]
    assert model.server.requests == []


@pytest.mark.parametrize("more", [{"reasoning_effort": "extreme"}, {"input": "x"}, {"reasoning": {"effort": "low"}}])
async def test_chat_completions_refuse_what_belongs_to_the_responses_api(start: Start, more: dict[str, Any]) -> None:
    model = await start(Script(answer="x"))
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session,
        session.post(f"{model.base_url}/chat/completions", json=body) as response,
    ):
        assert response.status == 400
    assert model.server.requests == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_response_is_read_by_openais_own_client(start: Start, stream: bool) -> None:
    model = await start(Script(answer="Grüße ✓ and more"), Script(answer="x"))
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="key", max_retries=0) as client:
        if stream:
            async with client.responses.stream(model="m", input="hi", reasoning={"effort": "low"}) as events:
                types = [event.type async for event in events]
                response = await events.get_final_response()
            assert types[0] == "response.created"
            assert types.count("response.output_text.delta") > 3
            assert types[-1] == "response.completed"
        else:
            response = await client.responses.create(model="m", input="hi", reasoning={"effort": "low"})
    assert response.output_text == "Grüße ✓ and more"
    assert response.usage is not None
    assert response.usage.output_tokens == 4
    [request] = model.server.requests
    assert (request.api, request.effort, request.last) == ("responses", "low", "hi")


async def test_cached_tokens_are_those_that_a_prompt_and_an_earlier_one_begin_with(start: Start) -> None:
    model = await start(Script(answer="x"))
    model.server.caches = True
    long = SystemMessage("word " * 1000)
    usages = [
        (await model.chat().ainvoke([long, HumanMessage(text)])).usage_metadata for text in ("one", "two", "short")
    ]
    usages.append((await model.chat().ainvoke("two")).usage_metadata)
    cached = [usage and usage.get("input_token_details", {}).get("cache_read") for usage in usages]
    assert cached == [0, 1152, 1152, 0], "the last one is too short to be cached"
