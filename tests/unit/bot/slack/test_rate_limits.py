"""Turns are handed out so that no minute ever holds more calls than Slack allows."""

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.rate_limits import POSTS, UPDATES, Bucket, Pace, RateLimiter, take


@given(gaps=st.lists(st.floats(min_value=0, max_value=5), max_size=200), pace=st.sampled_from([POSTS, UPDATES]))
def test_no_minute_holds_more_calls_than_the_burst_and_the_rate(gaps: list[float], pace: Pace) -> None:
    bucket, now, sent = None, 0.0, list[float]()
    for gap in gaps:
        now += gap
        bucket, wait = take(bucket, pace, now)
        sent.append(now + wait)
    assert sent == sorted(sent)
    for at in sent:
        within = sum(at <= other < at + 60 for other in sent)
        assert within <= pace.per_minute + pace.burst + 1e-6


def test_burst_goes_out_at_once_and_the_next_call_waits() -> None:
    bucket: Bucket | None = None
    waits = list[float]()
    for _ in range(POSTS.burst + 2):
        bucket, wait = take(bucket, POSTS, 0.0)
        waits.append(wait)
    assert waits[: POSTS.burst] == [0.0] * POSTS.burst
    assert waits[POSTS.burst :] == [60 / POSTS.per_minute, 120 / POSTS.per_minute]


async def test_turn_tells_whether_it_waited() -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    rate_limiter = RateLimiter(clock=lambda: 0.0, sleep=sleep)
    pace = Pace(burst=1, per_minute=60)
    assert not await rate_limiter.wait("a", pace)
    assert not await rate_limiter.wait("b", pace)
    assert await rate_limiter.wait("a", pace)
    assert slept == [1.0]


async def test_keys_of_the_past_are_forgotten() -> None:
    now = 0.0
    rate_limiter = RateLimiter(clock=lambda: now)
    for key in range(10_000):
        await rate_limiter.wait(key, POSTS)
    now = 3600.0
    await rate_limiter.wait("one more", POSTS)
    assert len(rate_limiter._buckets) == 1  # pyright: ignore[reportPrivateUsage] -- memory is not visible outside
