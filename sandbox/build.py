"""Builds the sandbox image: from a registry's Python image, or offline from Debian's packages."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from sandbox.container import Engine
from sandbox.errors import BuildFailed, SandboxError
from sandbox.image_spec import IMAGE_FOLDER, INPUTS, REPOSITORY, ImageSpec, image_tag

Base: TypeAlias = Literal["auto", "registry", "debian"]

REGISTRY_BASE = "python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea"
"""The tag is for readers: the engine takes the image with this digest, and no other."""

REGISTRY_PYTHON = "3.12"
OWN_TOOLS = Path(__file__).resolve().parents[1] / ".tools" / "bin"
"""Where `make setup` puts uv when the machine has none."""

DEBIAN_SUITE = "bookworm"
DEBIAN_PYTHON = "3.11"
DEBIAN_PACKAGES = (
    "base-files",
    "libc6",
    "libpython3.11-stdlib",
    "libstdc++6",
    "python3-minimal",
    "python3.11-minimal",
    "tzdata",
)
"""A Python with the libraries that wheels and zoneinfo need: no shell, no package manager, no setuid file."""

DEBIAN_BASE = f"{REPOSITORY}-base:{DEBIAN_SUITE}-{hashlib.sha256(' '.join(DEBIAN_PACKAGES).encode()).hexdigest()[:8]}"


async def build_image(engine: Engine, spec: ImageSpec, base: Base, report: Callable[[str], None]) -> str:
    """Build the image and return its tag. `report` gets progress lines, possibly in another thread.

    Raises:
        BuildFailed: with the reason and, where there is one, the way out.
    """
    tag = image_tag(spec)
    image, python = await _base(engine, base, report)
    with tempfile.TemporaryDirectory(prefix="greenlight-image-") as folder:
        context = Path(folder)
        for name in INPUTS:
            shutil.copy(IMAGE_FOLDER / name, context / name)
        packages = context / "packages"
        packages.mkdir()
        if spec.packages:
            await _fetch_packages(spec.packages, packages, python, await engine.machine(), report)
        await engine.build(context, tag, {"BASE": image}, {"greenlight.base": image}, report)
    return tag


async def _base(engine: Engine, base: Base, report: Callable[[str], None]) -> tuple[str, str]:
    """Return the base image and its Python; `auto` prefers a base that is there, then the registry, then Debian."""
    if base == "debian":
        await _make_debian_base(engine, report)
        return DEBIAN_BASE, DEBIAN_PYTHON
    if not await _has(engine, REGISTRY_BASE):
        if base == "auto" and await _has(engine, DEBIAN_BASE):
            return DEBIAN_BASE, DEBIAN_PYTHON
        report(f"pulling {REGISTRY_BASE}")
        try:
            await engine.pull(REGISTRY_BASE)
        except SandboxError as error:
            if base == "registry":
                raise
            report(f"no registry here ({error}); making a base from Debian's packages")
            await _make_debian_base(engine, report)
            return DEBIAN_BASE, DEBIAN_PYTHON
    return REGISTRY_BASE, REGISTRY_PYTHON


async def _has(engine: Engine, image: str) -> bool:
    try:
        await engine.image_digest(image)
    except SandboxError:
        return False
    return True


async def _make_debian_base(engine: Engine, report: Callable[[str], None]) -> None:
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed("no registry answers and mmdebstrap is not installed (Debian: apt install mmdebstrap)")
    report(f"making {DEBIAN_BASE} with mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="greenlight-base-") as folder:
        tarball = Path(folder) / "base.tar"
        included = ",".join(DEBIAN_PACKAGES)
        await _command(
            ["mmdebstrap", "--quiet", "--variant=extract", f"--include={included}", DEBIAN_SUITE, str(tarball)]
        )
        await engine.import_base(tarball, DEBIAN_BASE)


async def _fetch_packages(
    packages: Sequence[str], target: Path, python: str, machine: str, report: Callable[[str], None]
) -> None:
    """Put wheels for the image's Python and machine into `target`; nothing of them runs on this machine."""
    report(f"fetching {', '.join(packages)} for Python {python} on {machine}")
    places = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{OWN_TOOLS}"
    if (uv := shutil.which("uv", path=places)) is not None:
        command = [uv, "pip", "install", "--quiet", "--python-platform", f"{machine}-manylinux_2_28"]
    elif (pip := shutil.which("pip3", path=places) or shutil.which("pip", path=places)) is not None:
        command = [pip, "install", "--quiet", "--no-compile", "--platform", f"manylinux_2_28_{machine}"]
        command += ["--platform", f"manylinux2014_{machine}"]
    else:
        raise BuildFailed("packages need uv or pip on PATH to be fetched")
    command += ["--target", str(target), "--python-version", python, "--only-binary", ":all:"]
    await _command([*command, "--", *packages])


async def _command(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        tail = output.decode(errors="replace").strip()[-2000:]
        raise BuildFailed(f"{command[0]} ended with {process.returncode}: {tail}")
