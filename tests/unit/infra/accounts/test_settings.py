"""`[accounts]` in the configuration file."""

import pytest

from infra.config.file import Configuration, ConfigurationError, parse_configuration

EXAMPLE = {"issuer": "https://id.example.com", "client_id": "greenlight"}


def test_providers_stand_beside_the_other_keys() -> None:
    table = parse_configuration({"accounts": {"listen": "127.0.0.1:9000", "example": EXAMPLE}}, "").accounts
    assert table.base_url == "http://127.0.0.1:9000"
    assert table.title("example") == "example"
    assert Configuration().accounts.providers == {}


@pytest.mark.parametrize(
    "accounts",
    [
        {"example": {}},
        {"example": {**EXAMPLE, "issuer": "http://id.example.com"}},
        {"example": {**EXAMPLE, "issuer": "https://me:secret@id.example.com"}},
        {"example": {**EXAMPLE, "resource": "https://mcp.example.com"}},
        {"example": {"issuer": "https://id.example.com", "client_secret": {"env": "X"}}},
        {"Example": EXAMPLE},
        {"public_url": "http://greenlight.example.com"},
        {"listen": "8420"},
        {"lisen": "127.0.0.1:8420"},
    ],
    ids=["nothing", "no TLS", "credentials", "two ways", "no client", "name", "public", "no host", "misspelt"],
)
def test_what_would_be_unsafe_or_senseless_is_refused(accounts: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        parse_configuration({"accounts": accounts}, "")


@pytest.mark.parametrize(
    "table",
    [
        {"tools": {"http_get": {"accounts": {"https://api.example.com": "other"}}}},
        {"mcp": {"desk": {"url": "https://desk.example.com/mcp", "account": "other"}}},
        {"mcp": {"desk": {"command": "desk", "account": "example"}}},
        {
            "tools": {
                "http_request": {
                    "accounts": {"https://api.example.com": "example"},
                    "headers": {"https://api.example.com": {"authorization": "Bearer app"}},
                }
            }
        },
    ],
    ids=["unknown", "unknown of a server", "a program", "two credentials"],
)
def test_a_tool_names_a_provider_that_is_there_and_no_other_credential(table: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        parse_configuration({**table, "accounts": {"example": EXAMPLE}}, "")
