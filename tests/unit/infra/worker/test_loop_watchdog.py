"""The watchdog names the place where the loop stands still, once, and takes a stopped process for none."""

import logging
import time

import pytest

from infra.worker.loop_watchdog import LoopWatchdog, StallTimer

GUARD_SECONDS = 60.0


def a_timer() -> StallTimer:
    return StallTimer(stall_seconds=2.0, looked_at=10.0)


def test_a_stall_is_told_once() -> None:
    timer = a_timer()
    assert [timer.stalled(10.0, now) for now in (11.0, 11.9, 12.1, 12.5)] == [False, False, True, False]


def test_the_next_stall_is_told_too() -> None:
    timer = a_timer()
    assert [timer.stalled(10.0, 12.0), timer.stalled(13.0, 14.0), timer.stalled(13.0, 15.5)] == [True, False, True]


def test_a_process_that_was_stopped_has_no_stall() -> None:
    timer = a_timer()
    assert [timer.stalled(10.0, 60.0), timer.stalled(60.1, 60.2)] == [False, False]


def test_a_loop_that_stays_blocked_after_the_process_was_stopped_is_a_stall() -> None:
    timer = a_timer()
    assert [timer.stalled(10.0, now) for now in (60.0, 61.0, 62.0)] == [False, False, True]


async def test_the_log_names_the_code_that_blocks_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    def block_the_loop() -> None:
        ends = time.monotonic() + GUARD_SECONDS
        while not caplog.records and time.monotonic() < ends:
            time.sleep(0.01)

    with caplog.at_level(logging.ERROR), LoopWatchdog(stall_seconds=0.2).watching():
        block_the_loop()
    assert "block_the_loop" in caplog.text
