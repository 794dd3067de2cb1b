"""The Docker sandbox: each script in a container of its own, started ahead of time and used once."""

import logging
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.container import Engine, connect
from sandbox.container_exits import ContainerExits
from sandbox.conversation import Conversation
from sandbox.errors import SandboxError
from sandbox.failure import ended
from sandbox.fair_semaphore import FairSemaphore
from sandbox.hardening import INSTANCE_LABEL, ContainerSpec, Profile, container_spec, profile_of, seccomp_profile
from sandbox.image_spec import ImageSpec, image_tag
from sandbox.pool import Pool, PoolSize
from sandbox.probe import canary, check_canary
from sandbox.reaper import Reaper
from sandbox.script import CallTool, Job, Json, Limits, OutcomeKind, ScriptOutcome, ToolCallRefused
from sandbox.values import NotJson, TooLarge
from sandbox.warm_container import WarmContainer, WarmContainers

log = logging.getLogger(__name__)

OWN_KERNEL_RUNTIMES = frozenset({"runsc"})
"""Runtimes that put a kernel of their own between script and host."""

GRACE_SECONDS = 600.0
"""A container may live for its longest wait, the longest script and this much more."""


@dataclass(frozen=True, kw_only=True)
class DockerSettings:
    """How scripts run in containers."""

    image: ImageSpec = field(default_factory=ImageSpec)
    #: None for the engine's own runtime.
    runtime: str | None = None
    pool: PoolSize = field(default_factory=PoolSize)
    concurrency: int = 16
    #: The limits that waiting containers are made for. A job with other memory, processes or processors gets a
    #: container that is started for it.
    limits: Limits = field(default_factory=Limits)
    #: The longest wall time any job may ask for.
    longest_seconds: float = 3600.0


class DockerSandbox:
    """Runs scripts in containers; made by `open_docker`."""

    name = "docker"

    def __init__(self, engine: Engine, settings: DockerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._slots = FairSemaphore(settings.concurrency)
        self._seccomp = seccomp_profile()
        self._profile = profile_of(settings.limits)
        self._instance = uuid.uuid4().hex
        life = settings.pool.age_seconds + settings.longest_seconds + GRACE_SECONDS
        self._exits = ContainerExits(engine, self._instance)
        self._containers = WarmContainers(engine, self._exits, image_tag(settings.image), self._instance, life)
        self._pool = Pool(self._containers, self._spec(self._profile), settings.pool)
        self._reaper = Reaper(engine, self._instance)
        self._closed = False
        self.python = ""

    @property
    def dialect(self) -> str:
        """The Python that a script may use in the container."""
        text = Path(__file__).with_name("dialects").joinpath("docker.md").read_text()
        packages = self._settings.image.packages
        text = text.replace("CPython 3 ", f"CPython {self.python} " if self.python else "CPython 3 ")
        return f"{text}\nPackages besides the standard library: {', '.join(packages) or 'none'}.\n"

    @property
    def waiting(self) -> int:
        """How many containers wait for a script."""
        return self._pool.waiting

    async def containers(self) -> int:
        """Return how many containers of this sandbox the engine holds, waiting or running."""
        return sum(1 for listed in await self._engine.ours() if listed.labels.get(INSTANCE_LABEL) == self._instance)

    async def settle(self) -> None:
        """Return when every container used so far is removed."""
        await self._containers.settle()

    async def open(self) -> None:
        """Check the image, remove orphans, send the canary, begin to fill the pool.

        Raises:
            SandboxError: scripts must not run here; nothing was left behind.
        """
        try:
            await self._engine.image_digest(image_tag(self._settings.image))
            await self._exits.open()
            await self._reaper.reap()
            await self._send_canary()
        except BaseException:
            await self.close()
            raise
        self._reaper.open()
        self._pool.open()

    async def run(self, job: Job, call: CallTool) -> ScriptOutcome:
        """Run the job in a fresh container; see `Sandbox.run`."""
        async with self._slots.taken(job.queue):
            try:
                container = await self._container(profile_of(job.limits))
            except SandboxError as error:
                return ended(OutcomeKind.INFRA, f"no container could be had: {error}")
            interruptions = self._exits.interruptions
            try:
                outcome = await Conversation(container, job, call).outcome()
            except (NotJson, TooLarge) as error:
                return ended(OutcomeKind.ERROR, f"the inputs cannot be passed to a script: {error}", "JobRefused")
            finally:
                self._containers.discard(container.id, container.attachment)
        if outcome.kind is OutcomeKind.DIED and (
            self._exits.interruptions != interruptions or not await self._engine.ping()
        ):
            return ended(OutcomeKind.INFRA, "the container engine went away")
        return outcome

    async def close(self) -> None:
        """Remove every container and let go of the engine. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._pool.close()
        await self._reaper.close()
        await self._containers.settle()
        await self._exits.close()
        await self._engine.close()

    async def _container(self, profile: Profile) -> WarmContainer:
        if profile == self._profile and (container := self._pool.take()) is not None:
            return container
        return await self._containers.start(self._spec(profile))

    async def _send_canary(self) -> None:
        container = await self._containers.start(self._spec(self._profile))
        self.python = container.python
        try:
            outcome = await Conversation(container, canary(), _no_tools).outcome()
        finally:
            self._containers.discard(container.id, container.attachment)
        own_kernel = self._settings.runtime in OWN_KERNEL_RUNTIMES
        check_canary(outcome, host_kernel=await self._engine.kernel() if own_kernel else None)

    def _spec(self, profile: Profile) -> ContainerSpec:
        return container_spec(profile, seccomp=self._seccomp, runtime=self._settings.runtime)


async def open_docker(settings: DockerSettings | None = None) -> DockerSandbox:
    """Connect to the engine and open a sandbox on it.

    Raises:
        EngineUnavailable: no engine answers.
        ImageMissing: the image is not built.
        ProbeFailed: containers are not isolated as they must be.
        SandboxError: anything else that keeps scripts from running safely.
    """
    sandbox = DockerSandbox(await connect(), settings or DockerSettings())
    await sandbox.open()
    return sandbox


async def _no_tools(tool: str, args: object) -> Json:
    del args
    raise ToolCallRefused(f"the canary calls no tools ({tool})")
