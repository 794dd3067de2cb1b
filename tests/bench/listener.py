"""The listener's side of the load bench: takes requests in, beside the worker or in a process of its own.

As a process (`python -m tests.bench.listener`, the database's address in DATABASE_URL) it reads one line of
JSON, the threads that write at once, then goes on until its input ends, and prints what each ack took.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import URL, make_url

from agent.ids import ThreadId, thread_id, thread_parts
from bot.ports import Inbox
from infra.db.database import Database
from infra.stores.inbox import PostgresInbox
from infra.wiring import LISTENER_CONNECTIONS
from tests.fakes.rows import a_message

LATE_CHANNEL = "C2"
"""Where the requests are made that come one by one."""

PACE_SECONDS = 0.25

_ROOT = Path(__file__).parents[2]


@dataclass(kw_only=True)
class Acks:
    """How long each ack took (ms: the inbox's transaction): of those asked for at once, and of those after them."""

    burst: Sequence[float] = ()
    late: list[float] = field(default_factory=list[float])


Listen: TypeAlias = Callable[[URL, Sequence[ThreadId]], AbstractAsyncContextManager[Acks]]
"""Takes the threads in at once, then one more every `PACE_SECONDS`; the acks are complete once it is left."""


@asynccontextmanager
async def beside(url: URL, threads: Sequence[ThreadId]) -> AsyncGenerator[Acks]:
    """Listen in this process and loop, as `greenlight run` does."""
    acks, ended = Acks(), asyncio.Event()
    listening = asyncio.create_task(_listen(url, threads, acks, ended))
    yield acks
    ended.set()
    await listening


@asynccontextmanager
async def apart(url: URL, threads: Sequence[ThreadId]) -> AsyncGenerator[Acks]:
    """Listen in a process of its own, as `greenlight bot` does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.listener",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env=os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)},
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the listener has no pipes")
    await process.stdout.readline()  # it is connected
    process.stdin.write(json.dumps(threads).encode() + b"\n")
    acks = Acks()
    yield acks
    process.stdin.close()
    told = json.loads(await process.stdout.read())
    await process.wait()
    acks.burst, acks.late = told["burst"], told["late"]


async def _listen(url: URL, threads: Sequence[ThreadId], acks: Acks, ended: asyncio.Event) -> None:
    database = Database(url, pool_size=LISTENER_CONNECTIONS)
    inbox = PostgresInbox(database)
    acks.burst = await asyncio.gather(*(_accept(inbox, thread) for thread in threads))
    while not ended.is_set():
        acks.late.append(await _accept(inbox, thread_id("T1", LATE_CHANNEL, f"late-{len(acks.late)}")))
        await asyncio.sleep(PACE_SECONDS)
    await database.close()


async def _accept(inbox: Inbox, thread: ThreadId) -> float:
    began = time.perf_counter()
    await inbox.accept(a_message(ts=thread_parts(thread).root_ts, thread=thread))
    return (time.perf_counter() - began) * 1000


async def _main() -> None:
    acks, ended = Acks(), asyncio.Event()
    print("ready", flush=True)
    threads = json.loads(await asyncio.to_thread(sys.stdin.readline))
    listening = asyncio.create_task(_listen(make_url(os.environ["DATABASE_URL"]), threads, acks, ended))
    await asyncio.to_thread(sys.stdin.read)
    ended.set()
    await listening
    print(json.dumps(asdict(acks)))


if __name__ == "__main__":
    asyncio.run(_main())
