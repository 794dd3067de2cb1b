"""A node's call as a LangGraph task: the one place that touches `langgraph.func`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from langgraph.config import get_config
from langgraph.func import task  # pyright: ignore[reportMissingTypeStubs]  # typed inline; its py.typed is a folder up

from sandbox.script import Json

OutcomeJson: TypeAlias = Mapping[str, Json]
"""An outcome as it crosses LangGraph's checkpoints: plain types only."""


def start_call(name: str, body: Callable[[], Awaitable[OutcomeJson]]) -> asyncio.Future[OutcomeJson]:
    """Call `body` as the next task of the running graph node; must be called from inside it.

    LangGraph finds a finished task again by checkpoint, name and call index: calls must come in
    the same order at every entry. No retry, timeout or cache policy: an exhausted retry runs again
    at every wake, a timeout counts the wait for inputs, a cache key can mix two closures up.
    """
    named: Any = task(name=name)
    return named(body)()


def current_task_id() -> str:
    """Return the id of the LangGraph task whose body runs now: under it its writes are stored."""
    return get_config()["configurable"]["__pregel_task_id"]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # always there inside a task
