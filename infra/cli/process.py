"""How a long-running command ends: by SIGINT or SIGTERM."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Generator[asyncio.Event]:
    """Give an event that is set once the process is asked to stop; a second signal ends it at once.

    Enter it before saying that the process runs: whoever reads that may stop it in the same moment.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        restore()

    def restore() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop)
    try:
        yield stopped
    finally:
        restore()
