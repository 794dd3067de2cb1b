"""The clock that tests move."""

import asyncio

from infra.dev.local_slack.state.clock import Clock


def test_timestamps_always_grow() -> None:
    clock = Clock()
    stamps = [clock.timestamp() for _ in range(1000)]
    assert stamps == sorted(set(stamps))


async def test_advance_wakes_who_waited_for_less() -> None:
    clock = Clock()
    short = asyncio.ensure_future(clock.sleep(60))
    long = asyncio.ensure_future(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.advance(61)
    await short
    assert not long.done()
    long.cancel()
