"""What of the settings is a secret, by the name under which people know it."""

import re
from collections.abc import Iterator, Mapping

from infra.config.file import Configuration
from infra.tools.mcp.settings import McpSettings
from infra.tools.secret import parts_of

SECRET_VARIABLES = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "OPENAI_API_KEY",
    "DATABASE_URL",
    "GREENLIGHT_AUDIT_KEY",
    "GREENLIGHT_ACCOUNT_KEYS",
)

_SHORTEST_KEY = 16
"""A key of a model that is shorter and part of the model's name is a placeholder."""

_SECRET_NAME = re.compile(r"token|key|secret|pass|pwd|credential|auth|cookie|session|dsn|_pat\b", re.IGNORECASE)
_ONE_WORD = re.compile(r"[A-Za-z0-9_+=-]{20,}")
"""A value without a separator of paths, names or words."""


def secrets_of(given: Mapping[str, str], configuration: Configuration, mcp: McpSettings) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of every secret in the settings, and of every password in an address."""
    for name, value in _written(given, configuration, mcp):
        if value.strip():
            yield from parts_of(name, value)


def _written(given: Mapping[str, str], configuration: Configuration, mcp: McpSettings) -> Iterator[tuple[str, str]]:
    for name in SECRET_VARIABLES:
        if name in given and not (name == "OPENAI_API_KEY" and _is_placeholder(given, configuration)):
            yield name, given[name]
    tools = configuration.tools
    if tools.sql_query is not None and isinstance(tools.sql_query.database_url, str):
        yield "tools.sql_query.database_url", tools.sql_query.database_url
    if tools.http_request is not None:
        for origin, headers in tools.http_request.headers.items():
            yield from ((f"{name} of {origin}", value) for name, value in headers.items() if isinstance(value, str))
    for server in mcp.servers:
        passed = {variable: given[variable] for variable in server.config.env_from if variable in given}
        values = {name: value for name, value in {**server.config.env, **passed}.items() if _looks_secret(name, value)}
        yield from ((f"{name} of {server.name}", value) for name, value in {**values, **server.headers}.items())


def _looks_secret(name: str, value: str) -> bool:
    """Return whether a variable may be a secret: a region or a folder would be missed everywhere."""
    if _SECRET_NAME.search(name) or len(list(parts_of(name, value))) > 1:
        return True
    return _ONE_WORD.fullmatch(value) is not None and any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def _is_placeholder(given: Mapping[str, str], configuration: Configuration) -> bool:
    """Return whether the key is for a server that asks for none, such as its model's name: no secret is so short."""
    key = given["OPENAI_API_KEY"]
    names = [given.get("GREENLIGHT_MODEL", ""), *configuration.model.by_role.values()]
    return len(key) < _SHORTEST_KEY and any(key in name for name in names)
