"""The description of `http_get`."""

from infra.tools.http import HttpGetConfig, http_get


def test_description_names_the_known_services() -> None:
    tool = http_get(
        HttpGetConfig(known={"search": "http://127.0.0.1:1/health", "payments": "http://127.0.0.1:2/health"})
    )
    assert "search = http://127.0.0.1:1/health, payments = http://127.0.0.1:2/health" in tool.description
    assert "Known" not in http_get(HttpGetConfig()).description
