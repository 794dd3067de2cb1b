"""The model of a role as langchain's agent loop wants it: each call goes to our own client, with its budgets."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr
from typing_extensions import override

from agent.ports import AgentModel, AskedCall, ChatMessage, OfferedTool
from agent.roles import SubagentRole
from sandbox.script import Json


class RoleChatModel(BaseChatModel):
    """The model of one role."""

    _model: AgentModel = PrivateAttr()
    _role: SubagentRole = PrivateAttr()

    def __init__(self, model: AgentModel, role: SubagentRole) -> None:
        super().__init__(cache=False)
        self._model = model
        self._role = role

    @property
    @override
    def _llm_type(self) -> str:
        return "greenlight-role"

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=list(tools))

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("a role's model is only asked from async code")

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        offered = [_offered(tool) for tool in kwargs.get("tools", ())]
        answer = await self._model.respond(self._role, [said(message) for message in messages], offered)
        return ChatResult(generations=[ChatGeneration(message=ai_message(answer))])


def tool_definition(tool: OfferedTool) -> dict[str, Any]:
    """Return a tool as the agent loop passes it on to the model."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.arguments)}
    return {"type": "function", "function": function}


def _offered(tool: Mapping[str, Any]) -> OfferedTool:
    function = tool["function"]
    return OfferedTool(name=function["name"], description=function["description"], arguments=function["parameters"])


def ai_message(answer: ChatMessage) -> AIMessage:
    """Return an answer as langchain has it."""
    calls = [{"id": call.id, "name": call.name, "args": dict(call.args), "type": "tool_call"} for call in answer.calls]
    return AIMessage(content=answer.text, tool_calls=cast("Any", calls))


def said(message: BaseMessage) -> ChatMessage:
    """Return a message of langchain's as ours."""
    match message:
        case SystemMessage():
            return ChatMessage(by="system", text=message.text)
        case AIMessage():
            calls = (
                AskedCall(id=str(call["id"]), name=call["name"], args=cast("Mapping[str, Json]", call["args"]))
                for call in message.tool_calls
            )
            return ChatMessage(by="ai", text=message.text, calls=tuple(calls))
        case ToolMessage():
            return ChatMessage(by="tool", text=message.text, answers=message.tool_call_id)
        case HumanMessage():
            return ChatMessage(by="human", text=message.text)
        case _:
            raise TypeError(f"no message of an agent: {type(message).__name__}")


def answer_json(answer: ChatMessage) -> dict[str, Json]:
    """Return an answer as it is journaled."""
    calls: list[Json] = [{"name": call.name, "args": call.args} for call in answer.calls]
    return {"text": answer.text, "calls": calls}


def answer_of(content: Mapping[str, Json], step: int) -> ChatMessage:
    """Return a journaled answer. Its calls have the same ids in every process."""
    calls = cast("Sequence[Mapping[str, Json]]", content["calls"])
    return ChatMessage(
        by="ai",
        text=str(content["text"]),
        calls=tuple(
            AskedCall(id=call_id(step, number), name=str(call["name"]), args=cast("Mapping[str, Json]", call["args"]))
            for number, call in enumerate(calls, start=1)
        ),
    )


def call_id(step: int, number: int) -> str:
    """Return the id of a call: the number of the answer, and that of the call in it."""
    return f"call_{step}_{number}"


def place_of(id: str) -> tuple[int, int]:
    """Return the numbers of answer and call that an id names."""
    _, step, number = id.split("_")
    return int(step), int(number)


def arguments_of(text: str) -> Mapping[str, Json] | None:
    """Return the arguments that a model wrote; None when they are no JSON object."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else None
