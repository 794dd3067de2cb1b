"""`[tools.git]`: addresses that git takes for a program or an option are refused, and misplaced credentials, too."""

from collections.abc import Mapping

import pytest

from infra.config.file import ConfigurationError, parse_configuration
from infra.tools.git.settings import transport_of


def parsed(**repository: object) -> None:
    git = {"folder": "/clones", "repositories": {"payments": repository}}
    parse_configuration({"tools": {"git": git}}, "the test")


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c 'touch /tmp/x'",
        "fd::17",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=id@host:x",
        "ssh://-oProxyCommand=id/x",
        "git@-oProxyCommand=id:x",
        "http://github.com/x/y",
        "git://github.com/x/y",
        "ftp://host/x",
        "https://token@github.com/x/y",
        "https://me:token@github.com/x/y",
        "https://github.com/x?y=1",
        "relative/path",
        "../x",
        "",
        "/x\ny",
    ],
)
def test_an_address_that_could_be_something_else_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="neither https"):
        transport_of(address)
    with pytest.raises(ConfigurationError, match=r"tools\.git\.repositories\.payments\.address"):
        parsed(address=address)


@pytest.mark.parametrize(
    ("address", "transport"),
    [
        ("https://github.com/example/payments.git", "https"),
        ("https://git.example.com:8443/a/b/c.git", "https"),
        ("ssh://git@github.com/example/payments.git", "ssh"),
        ("ssh://github.com:2222/example/payments.git", "ssh"),
        ("git@github.com:example/payments.git", "ssh"),
        ("/srv/git/payments.git", "file"),
    ],
)
def test_an_address_says_how_it_is_reached(address: str, transport: str) -> None:
    assert transport_of(address) == transport


HOME = {"address": "https://github.com/x/y"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({**HOME, "api": "https://api.github.com/repos/x/y"}, "api needs a token"),
        ({**HOME, "api": "http://api.github.com/repos/x/y", "token": {"env": "T"}}, "not an https address"),
        ({**HOME, "api": "https://me:pw@api.github.com/repos/x/y", "token": {"env": "T"}}, "not an https address"),
        ({"address": "/x.git", "token": {"env": "T"}}, "token is for https and for api"),
        ({**HOME, "branch": "--all"}, "not the name of a branch"),
        ({**HOME, "user": "a:b"}, "tools.git.repositories.payments.user"),
    ],
)
def test_settings_that_would_leak_or_do_nothing_are_refused(wrong: Mapping[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parsed(**wrong)
