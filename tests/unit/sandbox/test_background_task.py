"""A background task that no error ends."""

import asyncio
from collections.abc import Callable

import pytest

from sandbox import background_task
from sandbox.background_task import BackgroundTask, background_health, pause_after


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_task, "LONGEST_PAUSE_SECONDS", 0.0)


class Troubled:
    """Work that raises these errors one after the other, then goes well until it is cancelled."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.fine = asyncio.Event()

    async def work(self, well: Callable[[], None]) -> None:
        if self._errors:
            raise self._errors.pop(0)
        well()
        self.fine.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("broken"), AttributeError("get"), ExceptionGroup("several", [ValueError()]), OSError(), KeyError(1)],
    ids=lambda error: type(error).__name__,
)
async def test_background_task_runs_again_after_any_error(error: Exception) -> None:
    troubled = Troubled(error, error, error)
    task = BackgroundTask("watch", troubled.work)
    task.start()
    await asyncio.wait_for(troubled.fine.wait(), 30)
    assert task.health.failures == 0
    await task.stop()


async def test_background_task_survives_a_cancellation_that_nobody_asked_for() -> None:
    troubled = Troubled(asyncio.CancelledError())
    task = BackgroundTask("watch", troubled.work)
    task.start()
    await asyncio.wait_for(troubled.fine.wait(), 30)
    await task.stop()


async def test_background_task_ends_when_it_is_stopped_while_it_fails() -> None:
    failed = asyncio.Event()

    async def fail(_well: Callable[[], None]) -> None:
        failed.set()
        raise RuntimeError

    task = BackgroundTask("watch", fail)
    task.start()
    await asyncio.wait_for(failed.wait(), 30)
    await asyncio.wait_for(task.stop(), 30)
    await task.stop()


async def test_background_task_whose_work_is_done_does_not_run_again() -> None:
    runs: list[int] = []

    async def once(_well: Callable[[], None]) -> None:
        runs.append(1)

    task = BackgroundTask("watch", once)
    task.start()
    await asyncio.sleep(0.05)
    await task.stop()
    assert runs == [1]


async def test_health_says_what_fails_since_when_and_that_it_is_well_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, mended = asyncio.Event(), asyncio.Event()

    async def pause(_seconds: float) -> None:
        failed.set()
        await mended.wait()

    troubled = Troubled(ConnectionError("gone"))
    task = BackgroundTask("watch", troubled.work, expected=(ConnectionError,))
    monkeypatch.setattr("sandbox.background_task.asyncio.sleep", pause)
    task.start()
    await asyncio.wait_for(failed.wait(), 30)
    (health,) = [health for health in background_health() if health.name == "watch"]
    assert (health.failures, health.error) == (1, "ConnectionError")
    assert health.failing_since is not None
    mended.set()
    await asyncio.wait_for(troubled.fine.wait(), 30)
    assert (task.health.failures, task.health.error, task.health.failing_since) == (0, "", None)
    await task.stop()
    assert [health for health in background_health() if health.name == "watch"] == []


def test_pauses_grow_to_a_bound_and_differ_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_task, "LONGEST_PAUSE_SECONDS", 30.0)
    for failures, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (10_000, 30.0)):
        pauses = [pause_after(failures) for _ in range(200)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
