"""Slack's rate limits, as token buckets: how many calls a minute, and how long to wait when they are used up.

Tiers: https://docs.slack.dev/apis/web-api/rate-limits (2: 20+, 3: 50+, 4: 100+ calls a minute, for each method
and workspace); chat.postMessage allows about one message a second for each channel, with short bursts.
"""

import math
from dataclasses import dataclass, field
from enum import Enum


class Tier(Enum):
    """(calls in a burst, calls a minute); POST is counted for each channel."""

    TWO = (20, 20)
    THREE = (50, 50)
    FOUR = (100, 100)
    POST = (5, 60)
    SPECIAL = (300, 300)
    CONNECT = (30, 30)
    SEARCH = (20, 10)


@dataclass(kw_only=True)
class Bucket:
    """Tokens left, and when that was counted."""

    tokens: float
    counted_at: float


@dataclass
class RateLimits:
    """One bucket for each key."""

    #: False for tests that measure something else.
    enabled: bool = True
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])

    def take(self, key: str, tier: Tier, now: float) -> int:
        """Take one call from `key`'s bucket: 0 when there was one, else the whole seconds to wait."""
        if not self.enabled:
            return 0
        burst, per_minute = tier.value
        per_second = per_minute / 60
        bucket = self.buckets.setdefault(key, Bucket(tokens=burst, counted_at=now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.counted_at) * per_second)
        bucket.counted_at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return max(1, math.ceil((1 - bucket.tokens) / per_second))
