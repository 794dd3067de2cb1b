"""Addresses that count as public."""

import pytest

from agent.tool import ToolError
from infra.tools.addresses import checked_url, host_name, is_local, is_public, reach


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - refused here
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "ff0e::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_address_off_the_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


LOCAL = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",  # noqa: S104 - refused here
    "169.254.169.254",
    "169.254.1.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "::1",
    "::",
    "fe80::1%eth0",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "fd00:ec2::254",
    "fd20:ce::254",
]


@pytest.mark.parametrize("address", LOCAL)
def test_private_addresses_that_are_allowed_include_no_local_one_that_nobody_named(address: str) -> None:
    assert is_local(address)
    assert not reach({}, [], allow_private=True).allows(address, address)
    assert not reach({}, [], allow_private=True).allows("metadata.example", address)
    assert not reach({"status": "https://status.example/"}, ["10.0.0.1"], allow_private=True).allows(address, address)
    assert not reach({}, ["metadata.example"], allow_private=False).allows("metadata.example", address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "fd00::1", "100.64.0.1"])
def test_private_address_that_is_not_local_is_reached_where_those_are_allowed(address: str) -> None:
    assert not is_local(address)
    assert reach({}, [], allow_private=True).allows(address, address)
    assert not reach({}, [], allow_private=False).allows(address, address)


@pytest.mark.parametrize(
    ("known", "hosts", "url"),
    [
        ({"me": "http://127.0.0.1:9090/x"}, [], "http://2130706433/"),
        ({"me": "http://localhost/"}, [], "http://LOCALHOST.:9/"),
        ({}, ["127.0.0.1"], "http://[::ffff:127.0.0.1]/"),
        ({}, ["::1"], "http://[0:0::1]:1/"),
    ],
)
def test_local_host_is_reached_once_it_is_named_however_it_is_spelt(
    known: dict[str, str], hosts: list[str], url: str
) -> None:
    allowed = reach(known, hosts, allow_private=True)
    address = "::1" if "::1]" in url and "ffff" not in url else "127.0.0.1"
    assert allowed.allows(checked_url(url, allowed).host or "", address)


def test_with_a_list_of_hosts_only_those_and_the_known_services_are_reached() -> None:
    allowed = reach({"status": "https://status.example.com/up"}, ["api.example.com"], allow_private=False)
    for url in ("https://api.example.com/x", "http://API.example.com.:8080/", "https://status.example.com/other"):
        assert checked_url(url, allowed).host
    for url in ("https://example.com/", "https://evil.api.example.com/", "https://api.example.com@evil.example/"):
        with pytest.raises(ToolError, match="is not among the hosts") as caught:
            checked_url(url, allowed)
        assert caught.value.code == "host_not_allowed"


@pytest.mark.parametrize("text", ["https://a.example", "a.example:80", "a.example/x", "*.example", "", "a b"])
def test_what_is_no_host_is_refused_in_a_list(text: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        host_name(text)
