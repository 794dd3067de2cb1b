"""The settings of clusters and of Prometheus: what is refused as the file is read."""

from collections.abc import Mapping

import pytest

from infra.config.file import ConfigurationError, parse_configuration

URL = "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({}, "one of url, kubeconfig and in_cluster"),
        ({"url": URL, "in_cluster": True}, "one of url, kubeconfig and in_cluster"),
        ({"url": "10.0.0.1"}, "not an address"),
        ({"url": f"{URL}?x=1"}, "not an address"),
        ({"url": "https://me:secret@10.0.0.1"}, "not an address"),
        ({"url": "http://10.0.0.1", "token": {"env": "X"}}, "only to an https address"),
        ({"in_cluster": True, "token": {"env": "X"}}, "token and ca_file go with url"),
        ({"url": URL, "context": "here"}, "context goes with kubeconfig"),
        ({"url": URL, "namespaces": ["Shop/.."]}, "namespaces"),
        ({"url": URL, "token": "a-token"}, "token"),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_refused(cluster: Mapping[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_configuration({"tools": {"kubernetes": {"clusters": {"main": cluster}}}}, "the test")


def test_a_table_without_a_cluster_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="name a cluster"):
        parse_configuration({"tools": {"kubernetes": {"clusters": {}}}}, "the test")


def test_a_token_may_go_to_this_machine_in_the_open() -> None:
    cluster = {"url": "http://127.0.0.1:8001/", "token": {"env": "X"}}
    read = parse_configuration({"tools": {"kubernetes": {"clusters": {"main": cluster}}}}, "the test").tools.kubernetes
    assert read is not None
    assert read.clusters["main"].url == "http://127.0.0.1:8001"
