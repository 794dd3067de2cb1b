"""The container engine's control calls: the only import of `docker`, each call in a small pool of threads.

Data flows elsewhere (`attachment.py`). The library's errors end here.
"""
# The library's stubs leave most of its answers untyped; each is converted where it arrives.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

import asyncio
import os
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, TypeVar
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound
from docker.types import CancellableStream, LogConfig, Ulimit
from docker.utils import kwargs_from_env

from sandbox.attachment import Address, Attachment, attach, check_listening
from sandbox.errors import BuildFailed, ContainerLost, EngineUnavailable, ImageMissing
from sandbox.hardening import APP, APP_LABEL, INSTANCE_LABEL, ContainerSpec

ContainerId = NewType("ContainerId", str)
_T = TypeVar("_T")

CONTROL_THREADS = 8
CALL_SECONDS = 30
DEFAULT_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class ListedContainer:
    """A container of ours that the engine lists."""

    id: ContainerId
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ExitEvent:
    """One event: the container ran out of memory, or ended with `exit_code`."""

    container: ContainerId
    out_of_memory: bool
    exit_code: int | None = None


class EventStream:
    """Exits as the engine reports them. Iterate in a thread, close from anywhere."""

    def __init__(self, client: docker.APIClient, stream: "CancellableStream[dict[str, object]]") -> None:
        self._client = client
        self._stream = stream

    def __iter__(self) -> Iterator[ExitEvent]:
        try:
            for event in self._stream:
                yield _exit_event(event)
        except (DockerException, requests.RequestException, OSError):
            return

    def close(self) -> None:
        """End the iteration."""
        with suppress(OSError, DockerException):
            self._stream.close()
        self._client.close()


class Engine:
    """One container engine, at the address the environment names (DOCKER_HOST and its TLS settings)."""

    def __init__(self, client: docker.APIClient, address: Address) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(max_workers=CONTROL_THREADS, thread_name_prefix="engine")
        self.address = address

    async def ping(self) -> bool:
        """Return whether the engine answers."""
        try:
            return await self._call(self._client.ping)
        except (EngineUnavailable, ContainerLost):
            return False

    async def kernel(self) -> str:
        """Return the release of the kernel the engine runs on."""
        return str((await self._call(self._client.info)).get("KernelVersion", ""))

    async def machine(self) -> str:
        """Return the engine's architecture as wheels name it: x86_64 or aarch64."""
        name = str((await self._call(self._client.info)).get("Architecture", ""))
        return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)

    async def image_digest(self, tag: str) -> str:
        """Return the id of the image called `tag`.

        Raises:
            ImageMissing: the engine has none.
        """
        try:
            image: Mapping[str, object] = await self._call(lambda: self._client.inspect_image(tag))
        except ContainerLost as error:
            if isinstance(error.__cause__, ImageNotFound | NotFound):
                raise ImageMissing(tag) from error
            raise
        return str(image["Id"])

    async def create(self, image: str, spec: ContainerSpec, labels: Mapping[str, str]) -> ContainerId:
        """Create a container of `image`; its stdin closes with the connection that attaches (StdinOnce).

        Raises:
            ContainerLost: the engine refuses.
        """
        ulimits = [Ulimit(name=name, soft=value, hard=value) for name, value in spec.ulimits.items()]

        def create() -> ContainerId:
            options = self._client.create_host_config(
                **dict(spec.host_options),  # pyright: ignore[reportArgumentType]  checked by the engine
                ulimits=ulimits,
                log_config=LogConfig(type="none"),
            )
            options["ReadonlyPaths"] = list(spec.readonly_paths)
            made = self._client.create_container(
                image,
                detach=False,
                stdin_open=True,
                tty=False,
                user=spec.user,
                working_dir=spec.working_dir,
                hostname="sandbox",
                labels={**labels, APP_LABEL: APP},
                host_config=options,
                use_config_proxy=False,
            )
            return ContainerId(str(made["Id"]))

        return await self._call(create)

    async def attach(self, container: ContainerId) -> Attachment:
        """Open the container's streams. Call this before `start`."""
        return await attach(self.address, container)

    async def start(self, container: ContainerId) -> None:
        """Start a created container.

        Raises:
            ContainerLost: the engine refuses.
        """
        await self._call(lambda: self._client.start(container))

    async def remove(self, container: ContainerId) -> None:
        """Kill and remove the container with its anonymous volumes, and return when it is gone. Idempotent."""
        try:
            await self._call(lambda: self._client.remove_container(container, v=True, force=True))
        except ContainerLost as error:
            if _status(error) == 409:  # it ended, and the engine is about to remove it by itself
                await self._removed(container)
            elif _status(error) != 404:
                raise

    async def _removed(self, container: ContainerId) -> None:
        try:
            await self._call(lambda: self._client.wait(container, timeout=CALL_SECONDS, condition="removed"))
        except ContainerLost as error:
            if _status(error) != 404:
                raise

    async def ours(self) -> Sequence[ListedContainer]:
        """Return every container of this application, running or not, of whichever process."""
        filters = {"label": f"{APP_LABEL}={APP}"}
        listed: Sequence[Mapping[str, object]] = await self._call(
            lambda: self._client.containers(all=True, filters=filters)
        )
        return [
            ListedContainer(id=ContainerId(str(found["Id"])), labels=_labels(found.get("Labels"))) for found in listed
        ]

    async def import_base(self, tarball: Path, tag: str) -> None:
        """Make an image of a root file system's tarball.

        Raises:
            BuildFailed: the engine refuses.
        """
        repository, _, version = tag.partition(":")
        with _build_failures("import of the base: "):
            await self._call(lambda: self._client.import_image_from_file(str(tarball), repository, version))

    async def pull(self, image: str) -> None:
        """Fetch an image from its registry.

        Raises:
            BuildFailed: the registry does not deliver it.
        """
        with _build_failures(f"pull of {image}: "):
            await self._call(lambda: self._client.pull(image))

    async def build(
        self,
        context: Path,
        tag: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        """Build the image `tag` from a folder, without network; `report` gets the engine's lines, in a thread.

        Raises:
            BuildFailed: a step failed.
        """

        def build() -> None:
            lines = self._client.build(
                path=str(context),
                tag=tag,
                buildargs=dict(arguments),
                labels=dict(labels),
                rm=True,
                forcerm=True,
                network_mode="none",
                use_config_proxy=False,
                decode=True,
            )
            for line in lines:
                if "error" in line:
                    raise BuildError(str(line["error"]), iter(()))
                if text := str(line.get("stream", "")).strip():
                    report(text)

        with _build_failures():
            await self._call(build)

    async def events(self, instance: str) -> "EventStream":
        """Open the stream of exits of the containers labelled with `instance`."""

        def opened() -> EventStream:
            client = _client(timeout_seconds=None)
            filters = {"type": "container", "event": ["oom", "die"], "label": f"{INSTANCE_LABEL}={instance}"}
            return EventStream(client, client.events(filters=filters, decode=True))

        return await self._call(opened)

    async def close(self) -> None:
        """Give back threads and connections. Idempotent."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    async def _call(self, work: Callable[[], _T]) -> _T:
        def translated() -> _T:
            try:
                return work()
            except (APIError, BuildError) as error:
                raise ContainerLost(str(error)) from error
            except (DockerException, requests.RequestException, OSError) as error:
                raise EngineUnavailable(str(error)) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, translated)


@contextmanager
def _build_failures(step: str = "") -> Generator[None]:
    """Turn a refusal of the engine into a failed build."""
    try:
        yield
    except ContainerLost as error:
        raise BuildFailed(f"{step}{error}") from error


async def connect() -> Engine:
    """Connect to the engine the environment names.

    Raises:
        EngineUnavailable: none answers, or the address is of a kind we cannot attach over (ssh).
    """

    def connected() -> docker.APIClient:
        try:
            return _client(timeout_seconds=CALL_SECONDS)
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(f"no engine answers at {_host()}: {error}") from error

    address = _address(_host())
    await check_listening(address)
    return Engine(await asyncio.to_thread(connected), address)


def _host() -> str:
    return os.environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"


def _client(timeout_seconds: int | None) -> docker.APIClient:
    settings = kwargs_from_env()
    return docker.APIClient(
        base_url=settings.get("base_url"),
        tls=settings.get("tls", False),
        version="auto",
        timeout=timeout_seconds,  # pyright: ignore[reportArgumentType]  None means no timeout, as in requests
        max_pool_size=CONTROL_THREADS,
    )


def _address(host: str) -> Address:
    parts = urlsplit(host)
    match parts.scheme:
        case "unix" | "http+unix":
            return Address(path=parts.netloc + parts.path)
        case "tcp" | "http" | "https":
            tls = _tls_context() if _wants_tls() or parts.scheme == "https" else None
            return Address(host=parts.hostname or "127.0.0.1", port=parts.port or (2376 if tls else 2375), tls=tls)
        case scheme:
            raise EngineUnavailable(f"DOCKER_HOST {scheme}:// is not supported; forward the engine's socket instead")


def _wants_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"))


def _tls_context() -> ssl.SSLContext:
    """Return the context the Docker settings describe: ca.pem, cert.pem and key.pem in one folder."""
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        raise EngineUnavailable(f"the engine's certificates in {folder} cannot be read") from error
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _exit_event(event: Mapping[str, object]) -> ExitEvent:
    actor = event.get("Actor")
    attributes = _labels(actor.get("Attributes")) if isinstance(actor, Mapping) else {}
    code = attributes.get("exitCode", "")
    return ExitEvent(
        container=ContainerId(str(event.get("id"))),
        out_of_memory=event.get("status") == "oom",
        exit_code=int(code) if code.isdecimal() else None,
    )


def _status(error: ContainerLost) -> int | None:
    """Return the HTTP status with which the engine refused."""
    cause = error.__cause__
    return cause.status_code if isinstance(cause, APIError) else None


def _labels(value: object) -> Mapping[str, str]:
    return {str(key): str(label) for key, label in value.items()} if isinstance(value, Mapping) else {}
