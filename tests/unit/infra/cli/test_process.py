"""How a long-running command is stopped."""

import asyncio
import os
import signal

from infra.cli.process import stop_signal


async def test_the_first_signal_is_noted_from_the_start_and_the_second_is_not_caught() -> None:
    with stop_signal() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(60):
            await stopped.wait()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_without_a_signal_nothing_stays_caught() -> None:
    with stop_signal() as stopped:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not stopped.is_set()
