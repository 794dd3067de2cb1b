"""Names of branches, revisions and files: what git takes for something else never passes."""

import pytest

from infra.tools.git.names import is_branch, is_commit_id, is_path, is_writable_path, revision_parts

TRICKS = (
    "--output=/tmp/x",
    "-c",
    "--upload-pack=touch /tmp/x",
    "--",
    "-",
    "main..other",
    "main...other",
    "^main",
    "main:config/secret",
    ":/fix",
    ":0:file",
    "main@{1}",
    "main@{upstream}",
    "@{-1}",
    "@",
    "main^{/fix}",
    "main^{tree}",
    "main^!",
    "main^-1",
    "main^@",
    "a b",
    "main\n--all",
    "main\0x",
    "main;id",
    "$(id)",
    "`id`",
    "refs/../heads/main",
    "ma..in",
    "/main",
    "main/",
    "a//b",
    ".hidden",
    "a/.b",
    "main.lock",
    "a.lock/b",
    "main.",
    "main~",
    "main?",
    "main*",
    "[main]",
    "main\\x",
    "ext::sh -c id",
    "file:///etc",
    "",
    "x" * 300,
)


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_no_branch(name: str) -> None:
    assert not is_branch(name)


@pytest.mark.parametrize("name", [name for name in TRICKS if name != "main~"])
def test_a_trick_is_no_revision(name: str) -> None:
    assert revision_parts(name) is None


@pytest.mark.parametrize("name", ["main", "fix/pool-size", "v1.2.3", "JIRA-12_x", "a=b", "feature+x", "release#4"])
def test_an_ordinary_name_is_a_branch_and_a_revision(name: str) -> None:
    assert is_branch(name)
    assert revision_parts(name) == ((f"refs/heads/{name}", f"refs/tags/{name}"), "")


def test_a_commit_id_is_no_name_of_a_branch() -> None:
    assert is_commit_id("a" * 40)
    assert not is_branch("a" * 40)
    assert revision_parts("a" * 40) == (("a" * 40,), "")


def test_a_name_comes_before_an_abbreviated_id_and_parents_follow() -> None:
    assert revision_parts("deadbee~2^") == (("refs/heads/deadbee", "refs/tags/deadbee", "deadbee"), "~2^")


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a/./b", "a//b", "a/", "a\0b", "a\nb", "a\\b", "x" * 501],
)
def test_a_way_out_of_the_repository_is_no_path(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize("path", [".git/config", ".GIT/hooks/x", "a/.git/x", "git~1/config", ".git /x", ".git./x"])
def test_a_part_of_a_clone_is_no_place_for_a_file(path: str) -> None:
    assert is_path(path)
    assert not is_writable_path(path)


@pytest.mark.parametrize(
    "path", ["a", "-c", "--output=x", ":(glob)x", "a b/ü.txt", ".github/workflows/ci.yml", ".gitignore"]
)
def test_an_odd_name_of_a_file_is_a_path(path: str) -> None:
    assert is_writable_path(path)
