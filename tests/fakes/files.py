"""Files on the real stores: nodes with outputs, as a run leaves them."""

from dataclasses import replace
from datetime import datetime

from agent.ids import NodeId, ThreadId
from agent.plan.files import FileOrigin
from agent.plan.operations import Add
from agent.plan.outcomes import ArtifactRef, NodeState, Succeeded
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.rows import ADA, NOON, THREAD, a_node, changed, planned


async def add_node(stores: Stores, id: str, *refers_to: str, turn: int = 1, thread: ThreadId = THREAD) -> None:
    """Put a node into the plan that refers to the outputs of others."""
    args: dict[str, Json] = {f"from_{other}": f"${{{other}}}" for other in refers_to}
    node = replace(a_node(id, *refers_to), args=args)
    await stores.log.append(thread, turn, ADA, [Add(node=node)])
    stores.progress.note(thread, planned(id, *refers_to, turn=turn))


async def put_output(
    stores: Stores, id: str, content: str | None = None, *, turn: int = 1, thread: ThreadId = THREAD, **origin: object
) -> ArtifactRef:
    """Store a node's output as its file."""
    made = FileOrigin(turn=turn, node=NodeId(id), author=ADA, **origin)  # pyright: ignore[reportArgumentType]
    text = f"output of {id}" if content is None else content
    return await stores.artifacts.put(thread, f"{id}.txt", text.encode(), "text/plain; charset=utf-8", made)


async def end_node(stores: Stores, id: str, thread: ThreadId = THREAD, at: datetime = NOON) -> None:
    """End a node."""
    stores.progress.note(thread, changed(id, NodeState.SUCCEEDED, at, outcome=Succeeded(value=None)))
    await stores.progress.flush()


async def done(
    stores: Stores,
    id: str,
    content: str | None = None,
    *,
    turn: int = 1,
    thread: ThreadId = THREAD,
    at: datetime = NOON,
) -> ArtifactRef:
    """Have a node planned, its output stored, and ended."""
    await add_node(stores, id, turn=turn, thread=thread)
    ref = await put_output(stores, id, content, turn=turn, thread=thread)
    await end_node(stores, id, thread, at)
    return ref
