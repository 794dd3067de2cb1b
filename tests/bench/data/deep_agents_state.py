"""The same work on Deep Agents: a tool a step, outputs of a given size. Run by `state.py` in an environment of its own.

Prints one JSON object: the bytes of the newest checkpoint and of all, and of the prompt in the middle and at the end.
"""

# pyright: basic, reportMissingImports=false
# Its libraries are in an environment of their own.

import json
import sys
from typing import Any

from deepagents import create_deep_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

STEPS, SIZE = int(sys.argv[1]), int(sys.argv[2])
prompts: list[int] = []


class Scripted(BaseChatModel):
    """Calls the tool again and again, then answers; notes how much it was told."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> "Scripted":
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        prompts.append(sum(len(str(message.content).encode()) for message in messages))
        number = len(prompts)
        calls = [{"name": "fetch", "args": {"number": number}, "id": f"call-{number}"}] if number <= STEPS else []
        message = AIMessage(content="" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


@tool
def fetch(number: int) -> str:
    """Return a big text."""
    return "\n".join(f"n{number} line {at} {'x' * 80}" for at in range(SIZE // 100))


saver = InMemorySaver()
agent = create_deep_agent(model=Scripted(), tools=[fetch], checkpointer=saver)
agent.invoke(
    {"messages": [("user", "fetch them all")]},
    {"configurable": {"thread_id": "1"}, "recursion_limit": 10 * STEPS + 100},
)
blobs = sum(len(value[1]) for value in saver.blobs.values() if value[1])
heads = sum(
    len(saved[0][1]) for threads in saver.storage.values() for one in threads.values() for saved in one.values()
)
print(
    json.dumps(
        {
            "checkpoint_bytes": blobs + heads,
            "last_prompt": prompts[-1],
            "middle_prompt": prompts[len(prompts) // 2],
        }
    )
)
