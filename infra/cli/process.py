"""How a long-running command ends: by SIGINT or SIGTERM."""

import asyncio
import signal


async def stopped_by_signal() -> None:
    """Return when the process is asked to stop; a second signal ends it at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, stopped.set)
    try:
        await stopped.wait()
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
