"""The inputs of the sandbox image, and the tag that follows from them (pure)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

IMAGE_FOLDER = Path(__file__).with_name("image")
INPUTS = ("Dockerfile", "runner.py")
REPOSITORY = "greenlight-sandbox"


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """The settable part of the image: pip requirements, in the order they are installed."""

    packages: tuple[str, ...] = ()


def image_tag(spec: ImageSpec) -> str:
    """Return `name:digest`, where the digest covers every input of the build but the base."""
    digest = hashlib.sha256()
    for name in INPUTS:
        content = IMAGE_FOLDER.joinpath(name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    digest.update("\n".join(spec.packages).encode())
    return f"{REPOSITORY}:{digest.hexdigest()[:16]}"
