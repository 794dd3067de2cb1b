"""Holds back the nodes of a streamed plan that cannot start yet, so that their chains become Packages.

A node that can start is stored at once. A node that waits for others is held back until they have ended, when it is
stored as written, or until the plan is complete, when all held nodes are packed. Packing cannot begin earlier: a later
line may refer to any node, and a step inside a Package has no result to refer to.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

from agent.errors import ModelUnavailable
from agent.events import NodeChanged, RunEvent
from agent.ids import NodeId, ThreadId
from agent.limits import PlanLimits
from agent.packing.packing import Packing, pack
from agent.plan.operations import Add, Node, Operation
from agent.ports import Progress
from agent.reading.validation import Fault
from agent.tool import Colour, Registry, colour_of

Store: TypeAlias = Callable[[Sequence[Operation]], Awaitable[Sequence[Fault]]]


class NodeEndNotifier:
    """A Progress that also notifies listeners of a thread's nodes as they end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._listeners: dict[ThreadId, list[Callable[[NodeId], None]]] = {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Pass the event on."""
        self._progress.note(thread, event)
        if isinstance(event, NodeChanged) and event.outcome is not None:
            for listener in self._listeners.get(thread, ()):
                listener(event.node)

    async def flush(self) -> None:
        """Return when everything noted so far is committed."""
        await self._progress.flush()

    @contextmanager
    def notifying(self, listener: Callable[[NodeId], None], thread: ThreadId) -> Generator[None]:
        """Call `listener` with every node that ends until the context is left."""
        listeners = self._listeners.setdefault(thread, [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[thread]


class PackBuffer:
    """The held nodes of one plan. Pure: its methods return the operations to store now."""

    def __init__(self, registry: Registry, limits: PlanLimits) -> None:
        self._registry = registry
        self._limits = limits
        self._ended: set[NodeId] = set()
        self._nodes: dict[NodeId, Node] = {}

    def offer(self, operation: Operation) -> Sequence[Operation]:
        """Take the plan's next operation. A cancel withdraws its node's dependents, so held nodes are stored before."""
        if not isinstance(operation, Add):
            return [*self.all_as_written(), operation]
        node = operation.node
        behind = any(dependency.node in self._nodes for dependency in node.depends_on)
        if behind or (not self._is_free(node) and colour_of(node, self._registry) is Colour.GREEN):
            self._nodes[node.id] = node
            return []
        return [operation]

    def ended(self, *nodes: NodeId) -> bool:
        """Record that nodes ended; return whether a held node can now start, or be skipped."""
        self._ended.update(nodes)
        return any(map(self._is_free, self._nodes.values()))

    def released(self) -> Sequence[Operation]:
        """Return the held nodes that wait for nothing any more, as written."""
        free = [node.id for node in self._nodes.values() if self._is_free(node)]
        return [Add(node=self._nodes.pop(node)) for node in free]

    def all_as_written(self) -> Sequence[Operation]:
        """Return all held nodes."""
        operations = [Add(node=node) for node in self._nodes.values()]
        self._nodes.clear()
        return operations

    def all_packed(self) -> Packing:
        """Return all held nodes, their chains packed. The plan must be complete."""
        return pack(self.all_as_written(), self._registry, limits=self._limits)

    def _is_free(self, node: Node) -> bool:
        return self._ended.issuperset(dependency.node for dependency in node.depends_on)


class DirectWriter:
    """Stores every operation of a streamed plan as it arrives."""

    def __init__(self, store: Store) -> None:
        self.take = store

    async def complete(self, *, packed: bool) -> Sequence[Fault]:
        """Return no faults: nothing is left to store."""
        del packed
        return ()


class BufferedWriter:
    """Stores the operations of one streamed plan when its `PackBuffer` gives them out. Made by `buffered_writer`."""

    def __init__(self, buffer: PackBuffer, store: Store, packed: Callable[[Packing], None]) -> None:
        self._buffer = buffer
        self._store = store
        self._packed = packed
        self._storing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._is_over = False
        #: Faults of storing in the background.
        self._faults: list[Fault] = []

    def node_ended(self, node: NodeId) -> None:
        """Record that a node ended."""
        if self._buffer.ended(node):
            self._wake.set()

    async def take(self, operations: Sequence[Operation]) -> Sequence[Fault]:
        """Store or hold operations; return the faults of storing."""
        async with self._storing:
            return [fault for operation in operations for fault in await self._store(self._buffer.offer(operation))]

    async def complete(self, *, packed: bool) -> Sequence[Fault]:
        """Store all held nodes; return the faults of storing them, and of storing in the background before."""
        async with self._storing:
            if not packed:
                return [*self._faults, *await self._store(self._buffer.all_as_written())]
            packing = self._buffer.all_packed()
            self._packed(packing)
            return [*self._faults, *await self._store(packing.operations)]

    async def release(self) -> None:
        """Store each held node as soon as it can start, until `end`."""
        while not self._is_over:
            await self._wake.wait()
            self._wake.clear()
            async with self._storing:
                self._faults += await self._store(self._buffer.released())

    def end(self) -> None:
        """Let `release` return."""
        self._is_over = True
        self._wake.set()


@asynccontextmanager
async def buffered_writer(
    buffer: PackBuffer,
    store: Store,
    node_ends: NodeEndNotifier,
    thread: ThreadId,
    ended: Callable[[], Awaitable[Iterable[NodeId]]],
    packed: Callable[[Packing], None] = lambda _: None,
) -> AsyncGenerator[BufferedWriter]:
    """Yield a writer. When the model breaks off, the held nodes are stored as written.

    `ended` reads which nodes of the thread have ended so far; `packed` is called with how the rest was packed.
    """
    writer = BufferedWriter(buffer, store, packed)
    with node_ends.notifying(writer.node_ended, thread):
        buffer.ended(*await ended())
        # Ended by a flag instead of cancelled: a cancelled store may have committed or not.
        releasing = asyncio.create_task(writer.release(), name=f"release {thread}")
        try:
            yield writer
        except ModelUnavailable:
            await writer.complete(packed=False)
            raise
        finally:
            writer.end()
            await asyncio.wait([releasing])
            error = releasing.exception()
    if error is not None:
        raise error
