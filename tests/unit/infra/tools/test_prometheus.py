"""The settings of Prometheus: what is refused as the file is read."""

from collections.abc import Mapping

import pytest

from infra.config.file import ConfigurationError, parse_configuration

SECRET = {"env": "PROMETHEUS_TOKEN"}


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"url": "metrics.example.com"}, "not an address"),
        ({"url": "https://metrics.example.com", "username": "me"}, "username and password go together"),
        ({"url": "https://a.example", "username": "me", "password": SECRET, "token": SECRET}, "exclude each other"),
        ({"url": "http://metrics.example.com", "token": SECRET}, "only to an https address"),
        ({"url": "http://10.0.0.1", "username": "me", "password": SECRET}, "only to an https address"),
    ],
)
def test_a_server_that_cannot_be_meant_is_refused(server: Mapping[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_configuration({"tools": {"prometheus": server}}, "the test")


@pytest.mark.parametrize(
    "url", ["http://localhost:9090", "http://[::1]:9090/", "https://metrics.example.com/prometheus"]
)
def test_credentials_go_where_nobody_else_reads_them(url: str) -> None:
    read = parse_configuration({"tools": {"prometheus": {"url": url, "token": SECRET}}}, "the test").tools.prometheus
    assert read is not None
    assert read.url == url.rstrip("/")
