"""Slack's rate limits, kept by waiting before a call and not after a refusal.

`chat.update` allows about 50 calls a minute for a whole workspace, `chat.postMessage` about one a
second in a channel with short bursts. Each process paces itself; when several together exceed a
limit, the client's 429 handler waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

_REMEMBERED_KEYS = 10_000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast calls of one kind may follow each other."""

    #: Calls that may go out at once.
    burst: int
    #: The rate after that.
    per_minute: float


UPDATES = Pace(burst=10, per_minute=45)
"""Per workspace."""

POSTS = Pace(burst=4, per_minute=55)
"""Per channel."""

SESSIONS_BEGUN = Pace(burst=10, per_minute=15)
SESSIONS_ENDED = Pace(burst=20, per_minute=30)
"""Per workspace, both within the 50 a minute of `agents.sessions.setStatus`. Begun sessions must end: ends get more."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The calls that are left of a pace."""

    #: Below zero when calls are already waiting.
    left: float
    #: Seconds of the limiter's clock.
    counted_at: float


def take(bucket: Bucket | None, pace: Pace, now: float) -> tuple[Bucket, float]:
    """Take one call from the bucket; return what is left, and how many seconds to wait before the call.

    Calls go out in the order they are taken: the next caller waits behind this one.
    """
    if bucket is None:
        left = float(pace.burst)
    else:
        grown = max(0.0, now - bucket.counted_at) * pace.per_minute / 60
        left = min(float(pace.burst), bucket.left + grown)
    return Bucket(left=left - 1, counted_at=now), max(0.0, (1 - left) * 60 / pace.per_minute)


class RateLimiter:
    """Paces the calls of this process, by key."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._buckets: dict[Hashable, Bucket] = {}

    async def wait(self, key: Hashable, pace: Pace) -> bool:
        """Wait until a call of this key may go out; return whether that took time, so that its content may be stale."""
        self._make_room()
        self._buckets[key], seconds = take(self._buckets.get(key), pace, self._clock())
        if seconds <= 0:
            return False
        await self._sleep(seconds)
        return True

    def try_now(self, key: Hashable, pace: Pace) -> bool:
        """Return whether a call of this key may go out now; if so, it counts as made."""
        self._make_room()
        bucket, seconds = take(self._buckets.get(key), pace, self._clock())
        if seconds > 0:
            return False
        self._buckets[key] = bucket
        return True

    def _make_room(self) -> None:
        """When there are many buckets, drop those that have not been used for a minute; they are full again."""
        if len(self._buckets) < _REMEMBERED_KEYS:
            return
        now = self._clock()
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.counted_at < 60}
