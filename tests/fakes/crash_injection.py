"""Death at a chosen persisted step: from then on every store and saver refuses, until revived."""

from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata

from infra.worker.checkpoints import GroupCommitSaver, Pool
from tests.fakes.checkpoints_in_memory import ObservedMemorySaver

Store = TypeVar("Store")


class Dead(ConnectionError):
    """The process is dead; nothing it still does reaches the rows."""


class CrashInjector:
    """Counts the steps that reach the rows; dies at step `at`, before or after it took effect."""

    def __init__(self) -> None:
        self.steps = 0
        self.at: int | None = None
        self.after_effect = False
        self.dead = False

    def revive(self) -> None:
        """Live on, and never die again."""
        self.dead = False
        self.at = None

    def before(self) -> int:
        """Count a step and return its number; raise when dead, or when this is the one that kills."""
        self.steps += 1
        if self.steps == self.at and not self.after_effect:
            self.die()
        if self.dead:
            raise Dead
        return self.steps

    def after(self, step: int) -> None:
        """Raise when the step that just took effect is the one that kills, or another did meanwhile.

        The number tells them apart: other steps may have begun while this one took effect.
        """
        if step == self.at and self.after_effect:
            self.die()
        if self.dead:
            raise Dead

    def die(self) -> None:
        """Be dead from now on."""
        self.dead = True

    def crashing(self, store: Store) -> Store:
        """Return the store, its coroutine methods counted as steps."""
        return _CrashingStore(store, self)  # pyright: ignore[reportReturnType]  # stands in for the store by its methods


class _CrashingStore:
    def __init__(self, store: object, injector: CrashInjector) -> None:
        self._store = store
        self._injector = injector

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def counted(*args: Any, **kwargs: Any) -> Any:
            step = self._injector.before()
            result = await method(*args, **kwargs)
            self._injector.after(step)
            return result

        return counted


class CrashingCheckpoints(BaseCheckpointSaver[str]):
    """In front of a saver: each checkpoint it stores is a step."""

    _injector: CrashInjector

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint."""
        step = self._injector.before()
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        self._injector.after(step)
        return stored


class CrashingSaver(CrashingCheckpoints, ObservedMemorySaver):
    """A saver whose writes are steps, too."""

    def __init__(self, injector: CrashInjector, seed: int = 0) -> None:
        super().__init__(seed)
        self._injector = injector

    async def store_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        """Store a task's writes."""
        step = self._injector.before()
        await super().store_writes(config, writes, task_id, task_path)
        self._injector.after(step)


class CrashingPostgresSaver(CrashingCheckpoints, GroupCommitSaver):
    """The product's saver, whose writes are steps, too."""

    def __init__(self, pool: Pool, injector: CrashInjector) -> None:
        super().__init__(pool)
        self._injector = injector

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store a task's writes."""
        step = self._injector.before()
        await super().aput_writes(config, writes, task_id, task_path)
        self._injector.after(step)
