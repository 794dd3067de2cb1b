"""What a process has read of threads and never changes, so that a thread's next turn reads only what is new."""

from collections import OrderedDict
from typing import Generic, TypeVar

from agent.ids import ThreadId

Value = TypeVar("Value")


class ThreadCache(Generic[Value]):
    """The values of the threads that were used last, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: OrderedDict[ThreadId, tuple[Value, int]] = OrderedDict()

    def get(self, thread: ThreadId) -> Value | None:
        """Return the thread's value, if it is still kept."""
        if (kept := self._values.get(thread)) is None:
            return None
        self._values.move_to_end(thread)
        return kept[0]

    def keep(self, thread: ThreadId, value: Value, size: int) -> None:
        """Keep a value of so many bytes for the thread, in place of an older one; a too large one is not kept."""
        self._bytes -= self._values.pop(thread, (None, 0))[1]
        if size > self._most_bytes:
            return
        self._values[thread] = (value, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def size_of(self, thread: ThreadId) -> int:
        """Return the bytes of the thread's value; 0 when there is none."""
        return self._values[thread][1] if thread in self._values else 0
