"""An HTTP answer as a tool's output: status, time, and the head of the body."""

import json
import time

import aiohttp

from sandbox.script import Json


async def answer_json(response: aiohttp.ClientResponse, started: float, body_bytes: int) -> dict[str, Json]:
    """Return the answer; at most `body_bytes` of its body are read. `started` is of `time.monotonic`."""
    raw = await _head(response, body_bytes + 1)
    milliseconds = round((time.monotonic() - started) * 1000)
    truncated = len(raw) > body_bytes
    return {
        "status": response.status,
        "milliseconds": milliseconds,
        "body": _body(raw[:body_bytes], response, truncated),
        "truncated": truncated,
    }


async def _head(response: aiohttp.ClientResponse, size: int) -> bytes:
    """Return the first `size` bytes of the body."""
    parts: list[bytes] = []
    missing = size
    while missing > 0 and (part := await response.content.read(min(missing, 65536))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _body(raw: bytes, response: aiohttp.ClientResponse, truncated: bool) -> Json:
    subtype = response.content_type.rpartition("/")[2]
    if not truncated and (subtype == "json" or subtype.endswith("+json")):
        try:
            return json.loads(raw, parse_constant=_refused)
        except (ValueError, RecursionError):
            pass
    try:
        return raw.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _refused(constant: str) -> None:
    """NaN and infinities are Python's, not JSON's."""
    raise ValueError(constant)
