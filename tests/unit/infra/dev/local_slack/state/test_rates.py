"""Rate limits: bursts, waiting times, one bucket for each key."""

from infra.dev.local_slack.state.rates import RateLimits, Tier


def test_post_allows_a_short_burst_and_then_one_a_second() -> None:
    limits = RateLimits()
    assert [limits.take("ops", Tier.POST, 100.0) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    assert limits.take("ops", Tier.POST, 101.0) == 0
    assert limits.take("ops", Tier.POST, 101.0) == 1


def test_channels_have_buckets_of_their_own() -> None:
    limits = RateLimits()
    for _ in range(5):
        limits.take("ops", Tier.POST, 100.0)
    assert limits.take("incidents", Tier.POST, 100.0) == 0


def test_update_allows_fifty_a_minute() -> None:
    limits = RateLimits()
    assert sum(limits.take("chat.update", Tier.THREE, 100.0) == 0 for _ in range(60)) == 50
    assert limits.take("chat.update", Tier.THREE, 100.0) == 2
    assert limits.take("chat.update", Tier.THREE, 102.0) == 0


def test_nothing_is_limited_when_switched_off() -> None:
    limits = RateLimits(enabled=False)
    assert not any(limits.take("ops", Tier.TWO, 100.0) for _ in range(100))
