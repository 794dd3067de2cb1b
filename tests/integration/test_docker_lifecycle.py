"""Containers from birth to removal: used once, cancelled at once, gone afterwards whatever happens to us."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox.container import ContainerId, Engine, connect
from sandbox.docker_sandbox import DockerSandbox, DockerSettings
from sandbox.errors import ContainerLost, ImageMissing, ProbeFailed
from sandbox.hardening import DEADLINE_LABEL, INSTANCE_LABEL, OWNER_LABEL, container_spec, profile_of, seccomp_profile
from sandbox.image_spec import ImageSpec, image_tag
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, ToolCallRefused
from sandbox.warm_container import this_process
from tests.fakes.docker_engine import COLD, built_image, docker_sandbox, engine_or_skip

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
HELLO = Job(code="def main(inputs):\n    return 'hello'")
BUSY = Job(code="def main(inputs):\n    while True:\n        pass")


async def no_tools(tool: str, args: object) -> Json:
    raise ToolCallRefused(tool)


@asynccontextmanager
async def an_engine() -> AsyncGenerator[Engine]:
    engine = await engine_or_skip()
    try:
        yield engine
    finally:
        await engine.close()


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 120.0) -> None:
    """Wait for what another process does: there is no event to wait on, and only a hang takes this long."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.1)


def entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


async def filled(sandbox: DockerSandbox, count: int) -> None:
    async def full() -> bool:
        return sandbox.waiting == count

    await eventually(full)


async def test_waiting_container_answers_and_is_replaced() -> None:
    async with docker_sandbox(DockerSettings(pool=PoolSize(ready=2))) as sandbox:
        await filled(sandbox, 1)
        outcome = await sandbox.run(HELLO, no_tools)
        assert outcome.result == "hello"
        await filled(sandbox, 2)


async def test_each_container_runs_one_script() -> None:
    async with docker_sandbox(DockerSettings(pool=PoolSize(ready=1))) as sandbox:
        leave = Job(code="def main(inputs):\n    open('/tmp/left', 'w').close()\n    return 1")
        look = Job(code="import os\ndef main(inputs):\n    return os.listdir('/tmp')")
        await sandbox.run(leave, no_tools)
        for _ in range(3):
            assert (await sandbox.run(look, no_tools)).result == []


async def test_idle_pool_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool's clock stands still until the pool is full, however long the engine takes for that."""
    size = PoolSize(ready=3, idle_ready=1, idle_seconds=1.0)
    async with docker_sandbox(DockerSettings(pool=size)) as sandbox:
        stopped_at = time.monotonic()
        with monkeypatch.context() as clock:
            clock.setattr("sandbox.pool.time", SimpleNamespace(monotonic=lambda: stopped_at))
            await sandbox.run(HELLO, no_tools)
            await filled(sandbox, 3)
        await filled(sandbox, 1)


async def test_old_containers_are_replaced() -> None:
    async with docker_sandbox(DockerSettings(pool=PoolSize(ready=1, age_seconds=1.0))) as sandbox:
        await filled(sandbox, 1)
        started = this_process()
        await asyncio.sleep(1.5)
        await filled(sandbox, 1)
        assert (await sandbox.run(HELLO, no_tools)).result == "hello"
        assert started == this_process()


async def test_other_limits_get_a_container_of_their_own() -> None:
    async with docker_sandbox(DockerSettings(pool=PoolSize(ready=1))) as sandbox:
        hog = "def main(inputs):\n    return len(b'x' * 150_000_000)"
        assert (await sandbox.run(Job(code=hog), no_tools)).result == 150_000_000
        small = Limits(memory_bytes=64 * 1024 * 1024)
        assert (await sandbox.run(Job(code=hog, limits=small), no_tools)).kind is OutcomeKind.OOM


async def test_no_more_scripts_at_once_than_allowed() -> None:
    async with docker_sandbox(DockerSettings(pool=COLD, concurrency=2)) as sandbox:
        outcomes = await asyncio.gather(*(sandbox.run(HELLO, no_tools) for _ in range(6)))
        assert [outcome.result for outcome in outcomes] == ["hello"] * 6


async def test_cancel_ends_a_script_that_would_sleep_for_ten_minutes() -> None:
    """How soon (aim: 200 ms) is the bench's to say; here, that nobody waits for the script."""
    here = asyncio.Event()

    async def note(tool: str, args: object) -> Json:
        here.set()
        return None

    code = "import time\ndef main(inputs):\n    tools.here()\n    time.sleep(600)"
    job = Job(code=code, tools=frozenset({"here"}), limits=replace(Limits(), wall_seconds=900.0))
    async with docker_sandbox() as sandbox:
        async with asyncio.timeout(120):
            task = asyncio.create_task(sandbox.run(job, note))
            await here.wait()
            assert await sandbox.containers() == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await sandbox.settle()
        assert await sandbox.containers() == 0


async def test_cancel_while_the_container_starts_leaves_nothing() -> None:
    async with docker_sandbox() as sandbox:
        for delay in (0.0, 0.02, 0.05, 0.1):
            task = asyncio.create_task(sandbox.run(HELLO, no_tools))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        async def gone() -> bool:
            return await sandbox.containers() == 0

        await eventually(gone)


async def test_close_removes_every_container() -> None:
    async with an_engine() as engine:
        async with docker_sandbox(DockerSettings(pool=PoolSize(ready=3, idle_ready=3))) as sandbox:
            await filled(sandbox, 3)
        mine = str(this_process())
        assert [container for container in await engine.ours() if container.labels.get(OWNER_LABEL) == mine] == []


async def test_scripts_in_a_row_leave_descriptors_and_threads_as_they_were() -> None:
    async with docker_sandbox(DockerSettings(pool=PoolSize(ready=3))) as sandbox:

        async def row(count: int) -> tuple[int, int]:
            for _ in range(count):
                assert (await sandbox.run(HELLO, no_tools)).result == "hello"
            await filled(sandbox, 3)
            await asyncio.sleep(1)
            return entries("/proc/self/fd"), entries("/proc/self/task")

        descriptors, threads = await row(10)
        after = await row(30)
        assert after[0] <= descriptors + 4
        assert after[1] <= threads + 4


WORKER = """
import asyncio, sys
from sandbox.docker_sandbox import DockerSettings, open_docker
from sandbox.pool import PoolSize
from sandbox.script import Job

async def no_tools(tool, args):
    return None

async def main():
    sandbox = await open_docker(DockerSettings(pool=PoolSize(ready=2, idle_ready=2)))
    while sandbox.waiting < 2:
        await asyncio.sleep(0.05)
    busy = Job(code="def main(inputs):\\n    while True:\\n        pass")
    asleep = Job(code="import time\\ndef main(inputs):\\n    time.sleep(1000)")
    tasks = [asyncio.create_task(sandbox.run(job, no_tools)) for job in (busy, asleep)]
    await asyncio.sleep(0.5)
    print("running", flush=True)
    await asyncio.gather(*tasks)

asyncio.run(main())
"""


async def test_nothing_is_left_after_sigkill_of_the_worker() -> None:
    async with an_engine() as engine:
        await built_image(engine)
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert worker.stdout is not None
        assert (await worker.stdout.readline()).strip() == b"running"

        async def left() -> int:
            found = await engine.ours()
            return sum(1 for container in found if f":{worker.pid}:" in container.labels.get(OWNER_LABEL, ""))

        assert await left() >= 2
        worker.send_signal(signal.SIGKILL)
        await worker.wait()

        async def gone() -> bool:
            return await left() == 0

        await eventually(gone)


async def test_orphan_of_a_dead_process_is_reaped_at_the_next_start() -> None:
    async with an_engine() as engine:
        tag = await built_image(engine)
        spec = container_spec(profile_of(Limits()), seccomp=seccomp_profile())
        owner = replace(this_process(), pid=4194304, started="1")
        labels = {OWNER_LABEL: str(owner), INSTANCE_LABEL: "gone", DEADLINE_LABEL: str(int(time.time()) + 1000)}
        orphan = await engine.create(tag, spec, labels)
        async with docker_sandbox():
            assert orphan not in {container.id for container in await engine.ours()}


async def test_second_removal_of_a_container_waits_until_it_is_gone() -> None:
    async with an_engine() as engine:
        tag = await built_image(engine)
        spec = container_spec(profile_of(Limits()), seccomp=seccomp_profile())
        labels = {OWNER_LABEL: str(this_process()), INSTANCE_LABEL: "x", DEADLINE_LABEL: str(int(time.time()) + 1000)}

        async def removed(container: ContainerId) -> None:
            await engine.remove(container)
            assert container not in {left.id for left in await engine.ours()}

        for _ in range(5):
            container = await engine.create(tag, spec, labels)
            await engine.start(container)
            await asyncio.gather(*(removed(container) for _ in range(4)))


async def test_weaker_filter_fails_the_probe_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.docker_sandbox.seccomp_profile", lambda: '{"defaultAction": "SCMP_ACT_ALLOW"}')
    async with an_engine() as engine:
        await built_image(engine)
        sandbox = DockerSandbox(await connect(), DockerSettings(pool=COLD))
        with pytest.raises(ProbeFailed) as caught:
            await sandbox.open()
        assert any("AF_NETLINK" in fault for fault in caught.value.faults)
        mine = str(this_process())
        assert [container for container in await engine.ours() if container.labels.get(OWNER_LABEL) == mine] == []


async def test_image_with_a_package_has_it_and_says_so() -> None:
    """The wheel is fetched here and copied in: the image's build and its scripts have no network."""
    spec = ImageSpec(packages=("iniconfig==2.1.0",))
    async with docker_sandbox(DockerSettings(image=spec, pool=COLD)) as sandbox:
        code = "import iniconfig\ndef main(inputs):\n    return iniconfig.__file__"
        outcome = await sandbox.run(Job(code=code), no_tools)
        assert str(outcome.result).startswith("/greenlight/packages/"), outcome
        assert "iniconfig==2.1.0" in sandbox.dialect


async def test_missing_image_says_its_tag() -> None:
    async with an_engine():
        spec = ImageSpec(packages=("nobody-built-this",))
        sandbox = DockerSandbox(await connect(), DockerSettings(image=spec, pool=COLD))
        with pytest.raises(ImageMissing) as caught:
            await sandbox.open()
        assert caught.value.tag == image_tag(spec)


async def test_unknown_runtime_refuses_to_open() -> None:
    async with an_engine() as engine:
        await built_image(engine)
        sandbox = DockerSandbox(await connect(), DockerSettings(runtime="nonexistent", pool=COLD))
        with pytest.raises(ContainerLost):
            await sandbox.open()
