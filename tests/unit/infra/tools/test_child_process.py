"""Programs whose pipes have no end: what nobody reads, and what a program holds that left the group."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE

import pytest

from infra.tools.child_process import end
from infra.tools.secret import Secret

HELD = "import os, time\nif os.fork() == 0:\n os.setsid()\n print(os.getpid(), flush=True)\n{then}\ntime.sleep(600)"
FULL = "import os, time\nprint(os.getpid(), flush=True)\nos.write(1, b'x' * 10_000_000)\ntime.sleep(600)"


@pytest.mark.parametrize("program", [HELD.format(then=""), FULL], ids=["held", "full"])
async def test_a_program_is_ended_though_its_pipes_have_no_end(program: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdout is not None
    told = int(await process.stdout.readline())
    if program == FULL:  # the reader takes no more
        while not getattr(process.stdout, "_paused"):  # noqa: ASYNC110, B009
            await asyncio.sleep(0.01)
    try:
        async with asyncio.timeout(60):
            await end(process)
        assert process.returncode == -signal.SIGKILL
    finally:
        if told != process.pid:
            os.kill(told, signal.SIGKILL)


async def test_a_secret_is_there_though_its_command_leaves_a_program_behind() -> None:
    script = (
        "import os, time\nif os.fork() == 0:\n os.setsid()\n os.close(1)\n time.sleep(5)\nelse:\n print('hush-hush')"
    )
    assert await Secret(command=(sys.executable, "-c", script)).read() == "hush-hush"
