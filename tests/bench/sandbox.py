"""The sandbox's figures: script to result from a waiting container, a cold one and a plain run, calls, teardown.

Needs a container engine; the Monty figures stand without one.
"""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from sandbox.container import connect
from sandbox.docker_sandbox import DockerSandbox, DockerSettings, open_docker
from sandbox.errors import SandboxError
from sandbox.hardening import OWNER_LABEL
from sandbox.image_spec import ImageSpec, image_tag
from sandbox.monty import MontySandbox, monty_binary
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox
from sandbox.warm_container import this_process
from tests.bench.figure import Figure

HELLO = Job(code="def main(inputs):\n    return 1")
PARALLEL = 500
BATCHES = 5
CALLS = Job(
    code=f"""
import asyncio, time
async def main(inputs):
    await atools.echo(i=0)
    batches = []
    for _ in range({BATCHES}):
        started = time.perf_counter()
        await asyncio.gather(*[atools.echo(i=i) for i in range({PARALLEL})])
        batches.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    for i in range(200):
        tools.echo(i=i)
    return [sorted(batches)[{BATCHES // 2}], (time.perf_counter() - started) * 1000 / 200]
""",
    tools=frozenset({"echo"}),
    limits=Limits(calls=BATCHES * PARALLEL + 201, calls_in_flight=PARALLEL),
)
FLOOD = Job(
    code="import os\ndef main(inputs):\n    block = b'x' * 1_000_000\n    while True:\n        os.write(1, block)"
)
ASLEEP = Job(
    code="import time\ndef main(inputs):\n    tools.here()\n    time.sleep(600)",
    tools=frozenset({"here"}),
    limits=Limits(wall_seconds=900.0),
)
PLAIN = ["docker", "run", "--rm", "--network=none", "--entrypoint", "python3"]


async def echo(tool: str, args: Mapping[str, Json]) -> Json:
    """Answer a call at once."""
    del tool
    return args


def figure(
    name: str, value: float, unit: str, aim: Mapping[str, float] | None = None, ratio_to: str | None = None
) -> Figure:
    """Return one figure as the benches print them."""
    return {"bench": "sandbox", "name": name, "value": round(value, 3), "unit": unit, "aim": aim, "ratio_to": ratio_to}


async def figures() -> AsyncIterator[Figure]:
    """Measure everything this machine can."""
    async for measured in _monty_figures():
        yield measured
    try:
        engine = await connect()
        await engine.image_digest(image_tag(ImageSpec()))
        await engine.close()
    except SandboxError as error:
        yield {**figure("docker", 0, "skipped"), "why": str(error)}
        return
    async for measured in _docker_figures():
        yield measured


async def _monty_figures() -> AsyncIterator[Figure]:
    sandbox = MontySandbox(monty_binary())
    try:
        times = await _timed(lambda: _ok(sandbox, HELLO), 50)
        yield figure("monty median", statistics.median(times), "ms")
        together, single = await _calls(sandbox)
        yield figure(f"monty {PARALLEL} calls at once", together, "ms")
        yield figure("monty call round trip", single, "ms")
    finally:
        await sandbox.close()


async def _docker_figures() -> AsyncIterator[Figure]:
    plain = statistics.median(await _timed(_plain_run, 10))
    yield figure("plain docker run median", plain, "ms")
    async with AsyncExitStack() as stack:
        cold = await _opened(stack, PoolSize(ready=0))
        for at_once, rounds in ((1, 10), (5, 3), (20, 1)):
            times = await _at_once(cold, at_once, rounds)
            yield figure(f"cold median, {at_once} at once", statistics.median(times), "ms")
            yield figure(f"cold p95, {at_once} at once", _p95(times), "ms")
        await _full(cold, 0)
        together, round_trip = await _calls(cold)
        yield figure(f"{PARALLEL} calls at once", together, "ms", {"max": 50.0})
        yield figure("call round trip", round_trip, "ms")
        await _full(cold, 0)
        yield figure("teardown after a flood", await _teardown(cold), "ms")
        gone = [await _cancelled(cold) for _ in range(10)]
        yield figure("cancel to script gone, median", statistics.median(gone), "ms", {"max": 200.0})
    async with AsyncExitStack() as stack:
        warm = await _opened(stack, PoolSize(ready=20, idle_ready=20, starting=4))
        single = 0.0
        for at_once, rounds in ((1, 30), (5, 6), (20, 3)):
            times = await _at_once(warm, at_once, rounds, filled=20)
            median = statistics.median(times)
            single = single or median
            aim = {"max": 15.0} if at_once == 1 else None
            yield figure(f"pre-warmed median, {at_once} at once", median, "ms", aim)
            yield figure(f"pre-warmed p95, {at_once} at once", _p95(times), "ms")
        yield figure("plain / pre-warmed", plain / single, "x", {"min": 12.0}, "plain docker run median")
        await _full(warm, 20)
        yield figure("memory per waiting container", await _container_mebibytes(), "MiB", {"max": 24.0})
        async for line in _growth(warm):
            yield line


async def _opened(stack: AsyncExitStack, pool: PoolSize) -> DockerSandbox:
    sandbox = await open_docker(DockerSettings(pool=pool, concurrency=32))
    stack.push_async_callback(sandbox.close)
    return sandbox


async def _full(sandbox: DockerSandbox, count: int) -> None:
    """Wait until the pool is full and the machine quiet; nothing here tells when, so look."""
    while sandbox.waiting < count or await sandbox.containers() > count:  # noqa: ASYNC110  the engine tells nobody
        await asyncio.sleep(0.05)


async def _ok(sandbox: Sandbox, job: Job) -> Json:
    outcome = await sandbox.run(job, echo)
    if outcome.kind is not OutcomeKind.OK:
        raise RuntimeError(str(outcome))
    return outcome.result


async def _timed(work: Callable[[], Awaitable[object]], count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        await work()
        times.append((time.perf_counter() - started) * 1000)
    return times


async def _at_once(sandbox: DockerSandbox, count: int, rounds: int, filled: int = 0) -> list[float]:
    times: list[float] = []
    for _ in range(rounds):
        await _full(sandbox, filled)
        for timed in await asyncio.gather(*(_timed(lambda: _ok(sandbox, HELLO), 1) for _ in range(count))):
            times += timed
    return times


async def _plain_run() -> None:
    command = [*PLAIN, image_tag(ImageSpec()), "-c", "print(1)"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await process.wait()


async def _calls(sandbox: Sandbox) -> tuple[float, float]:
    """Return milliseconds for all calls at once, and for one round trip, as the script itself measured them."""
    result = await _ok(sandbox, CALLS)
    match result:
        case [int() | float() as together, int() | float() as single]:
            return float(together), float(single)
        case _:
            raise RuntimeError(str(result))


async def _teardown(sandbox: DockerSandbox) -> float:
    """Return how long after its outcome a flooding container is gone."""
    outcome = await sandbox.run(FLOOD, echo)
    if outcome.kind is not OutcomeKind.OUTPUT_LIMIT:
        raise RuntimeError(str(outcome))
    started = time.perf_counter()
    await sandbox.settle()
    return (time.perf_counter() - started) * 1000


async def _cancelled(sandbox: DockerSandbox) -> float:
    """Return how long after its cancellation a sleeping script's call has returned and its container is gone."""
    here = asyncio.Event()

    async def note(tool: str, args: Mapping[str, Json]) -> Json:
        here.set()
        return await echo(tool, args)

    task = asyncio.create_task(sandbox.run(ASLEEP, note))
    await here.wait()
    started = time.perf_counter()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await sandbox.settle()
    return (time.perf_counter() - started) * 1000


async def _container_mebibytes() -> float:
    """Return the median memory of our waiting containers, as the engine counts it."""
    listing = ["docker", "ps", "-q", "--filter", f"label={OWNER_LABEL}={this_process()}"]
    ids = (await _output(listing)).split()
    rows = (await _output(["docker", "stats", "--no-stream", "--format", "{{json .}}", *ids])).splitlines()
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    used = [str(json.loads(row)["MemUsage"]).split(" / ")[0] for row in rows]
    return statistics.median(float(text[:-3]) * units[text[-3:]] for text in used)


async def _output(command: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


async def _growth(sandbox: DockerSandbox) -> AsyncIterator[Figure]:
    """Run a hundred scripts in a row and say what has grown."""

    async def state() -> dict[str, float]:
        await _full(sandbox, 20)
        await sandbox.settle()
        return {"containers": await sandbox.containers(), **_own_state()}

    await _timed(lambda: _ok(sandbox, HELLO), 20)
    before = await state()
    await _timed(lambda: _ok(sandbox, HELLO), 100)
    after = await state()
    aims = {"containers": 0.0, "descriptors": 4.0, "threads": 2.0, "memory": 8.0}
    for name, aim in aims.items():
        unit = "MiB" if name == "memory" else name
        yield figure(f"growth of {name} over 100 scripts", after[name] - before[name], unit, {"max": aim})


def _own_state() -> dict[str, float]:
    """Return this process's descriptors, threads and resident MiB."""
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    descriptors, threads = (sum(1 for _ in Path(folder).iterdir()) for folder in ("/proc/self/fd", "/proc/self/task"))
    return {"descriptors": descriptors, "threads": threads, "memory": int(resident) / 1024}


def _p95(times: list[float]) -> float:
    if len(times) < 20:
        return max(times)
    return statistics.quantiles(times, n=20)[18]
