"""Holds back what a streamed plan cannot start yet, so that the chains in it become Packages.

A node that could start is stored at once, whatever comes after it. One that waits for others may
wait here just as well: until what it waits for has ended, when it is stored as it was written, or
until the plan is complete, when everything still held is packed. Before that no later line can be
ruled out that refers to it, and a step inside a Package has no result to refer to.
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
    """A Progress that also tells whoever listens which nodes of a thread have just ended."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._listeners: dict[ThreadId, list[Callable[[NodeId], None]]] = {}

    def note(self, thread: ThreadId, event: RunEvent) -> None:
        """Pass the event on."""
        self._progress.note(thread, event)
        if isinstance(event, NodeChanged) and event.outcome is not None:
            for each in self._listeners.get(thread, ()):
                each(event.node)

    async def flush(self) -> None:
        """Return when everything noted so far is committed."""
        await self._progress.flush()

    @contextmanager
    def heard_by(self, listener: Callable[[NodeId], None], thread: ThreadId) -> Generator[None]:
        """Tell `listener` every node that ends until the context is left."""
        listeners = self._listeners.setdefault(thread, [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[thread]


class PackBuffer:
    """What is held back of one plan. Pure: says what is to be stored now."""

    def __init__(self, registry: Registry, limits: PlanLimits) -> None:
        self._registry = registry
        self._limits = limits
        self._ended: set[NodeId] = set()
        self._nodes: dict[NodeId, Node] = {}

    def offer(self, operation: Operation) -> Sequence[Operation]:
        """Take the next operation of the plan. A cancel takes back what needs its node, so that is stored first."""
        if not isinstance(operation, Add):
            return [*self.all_as_written(), operation]
        node = operation.node
        behind = any(each.node in self._nodes for each in node.depends_on)
        waits = not self._ended.issuperset(each.node for each in node.depends_on)
        if behind or (waits and colour_of(node, self._registry) is Colour.GREEN):
            self._nodes[node.id] = node
            return []
        return [operation]

    def ended(self, *nodes: NodeId) -> bool:
        """Enter that nodes ended; tell whether something held can start, or be skipped, because of it."""
        self._ended.update(nodes)
        return any(self._waits_no_more(each) for each in self._nodes.values())

    def released(self) -> Sequence[Operation]:
        """Return what waits for nothing any more, as it was written."""
        free = [each for each in self._nodes.values() if self._waits_no_more(each)]
        return [Add(node=self._nodes.pop(each.id)) for each in free]

    def all_as_written(self) -> Sequence[Operation]:
        """Return all that is held."""
        held = [Add(node=each) for each in self._nodes.values()]
        self._nodes.clear()
        return held

    def all_packed(self) -> Packing:
        """Return all that is held, its chains packed. The plan must be complete."""
        return pack(self.all_as_written(), self._registry, limits=self._limits)

    def _waits_no_more(self, node: Node) -> bool:
        return self._ended.issuperset(each.node for each in node.depends_on)


class DirectWriter:
    """Stores every operation of a streamed plan as it comes."""

    def __init__(self, store: Store) -> None:
        self.take = store

    async def complete(self, *, packed: bool) -> Sequence[Fault]:
        """There is nothing left."""
        del packed
        return ()


class BufferedWriter:
    """Stores the operations of one streamed plan, each when `PackBuffer` says so. Made by `keeping`."""

    def __init__(self, held: PackBuffer, store: Store, told: Callable[[Packing], None]) -> None:
        self._held = held
        self._store = store
        self._told = told
        self._storing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._over = False
        self._faults: list[Fault] = []

    def heard(self, node: NodeId) -> None:
        """Take note that a node ended."""
        if self._held.ended(node):
            self._wake.set()

    async def take(self, operations: Sequence[Operation]) -> Sequence[Fault]:
        """Store or hold operations; return what was wrong with storing them."""
        async with self._storing:
            return [fault for each in operations for fault in await self._store(self._held.offer(each))]

    async def complete(self, *, packed: bool) -> Sequence[Fault]:
        """Store all that is still held; return every fault of storing it or anything before it in the background."""
        async with self._storing:
            if not packed:
                return [*self._faults, *await self._store(self._held.all_as_written())]
            packing = self._held.all_packed()
            self._told(packing)
            return [*self._faults, *await self._store(packing.operations)]

    async def release(self) -> None:
        """Store what can start as soon as it can, until `end`."""
        while not self._over:
            await self._wake.wait()
            self._wake.clear()
            async with self._storing:
                self._faults += await self._store(self._held.released())

    def end(self) -> None:
        """Let `release` return."""
        self._over = True
        self._wake.set()


@asynccontextmanager
async def buffered_writer(
    held: PackBuffer,
    store: Store,
    endings: NodeEndNotifier,
    thread: ThreadId,
    finished: Callable[[], Awaitable[Iterable[NodeId]]],
    told: Callable[[Packing], None] = lambda _: None,
) -> AsyncGenerator[BufferedWriter]:
    """Yield a Keeper. When the model breaks off, what it held is stored as it was written.

    `finished` reads which nodes of the thread have ended so far; `told` hears how the rest was packed.
    """
    keeper = BufferedWriter(held, store, told)
    with endings.heard_by(keeper.heard, thread):
        held.ended(*await finished())
        # Not cancelled but told to end: a store that is broken off may have happened or not.
        releasing = asyncio.create_task(keeper.release(), name=f"release {thread}")
        try:
            yield keeper
        except ModelUnavailable:
            await keeper.complete(packed=False)
            raise
        finally:
            keeper.end()
            await asyncio.wait([releasing])
            broken = releasing.exception()
    if broken is not None:
        raise broken
