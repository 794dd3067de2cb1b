"""`http_get`: fetch a URL and give status, time and body; any status is a value, only no answer is an error."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from agent.ids import ToolName
from agent.tools.registry import CallContext, Colour, Tool, ToolError
from infra.tools.addresses import checked_url, connector, not_connected
from infra.tools.http_answer import answer_json
from sandbox.script import Json

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"url": {"type": "string", "description": "An absolute http or https URL.", "maxLength": 2048}},
    "required": ["url"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """What `http_get` may reach. `known` is service name -> URL, named to the model.

    With `allow_private` false, hosts that are not on the public internet are refused, after name
    resolution and at every redirect.
    """

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    allow_private: bool = False
    timeout_seconds: float = 10.0
    cache_seconds: float = 0.0
    body_bytes: int = 1024 * 1024


def http_get(config: HttpConfig) -> Tool:
    """Return the tool."""
    getter = _Getter(config)
    return Tool(
        name=ToolName("http_get"),
        description=_description(config),
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=getter.call,
        timeout_seconds=config.timeout_seconds + 5,
        retryable=True,
        cache_seconds=config.cache_seconds,
    )


def _description(config: HttpConfig) -> str:
    words = (
        "Fetch a URL with GET. Returns status, milliseconds, body (parsed when it is JSON, else text) and truncated. "
        "Every HTTP status is a result, also 4xx and 5xx; the call fails only when nothing answers."
    )
    known = ", ".join(f"{name} = {url}" for name, url in config.known.items())
    return f"{words} Known services: {known}" if known else words


class _Getter:
    """The tool's work."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config

    async def call(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        """Fetch `url`, following redirects."""
        url = self._allowed(str(args["url"]))
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_seconds)
        door = connector(allow_private=self._config.allow_private)
        try:
            async with aiohttp.ClientSession(connector=door, timeout=timeout) as session:
                for _ in range(MAX_REDIRECTS + 1):
                    async with session.get(url, allow_redirects=False) as response:
                        target = response.headers.get("Location")
                        if response.status not in REDIRECTS or target is None:
                            return await answer_json(response, started, self._config.body_bytes)
                        url = self._allowed(str(response.url.join(URL(target))))
        except TimeoutError as error:
            raise ToolError("timeout", f"{url.host} did not answer in {self._config.timeout_seconds:g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise not_connected(url, error) from error
        except aiohttp.InvalidURL as error:
            raise ToolError("bad_url", f"{str(url)!r} names no host that can be reached.") from error
        except aiohttp.ClientConnectionError as error:
            raise ToolError("unreachable", f"{url.host}:{url.port} hung up without an answer.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ToolError("bad_answer", f"{url.host} did not answer in HTTP: {type(error).__name__}.") from error
        raise ToolError("too_many_redirects", f"More than {MAX_REDIRECTS} redirects, the last to {url}.")

    def _allowed(self, text: str) -> URL:
        return checked_url(text, allow_private=self._config.allow_private)
