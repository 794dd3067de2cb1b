"""The policy is read again once its file was changed and then left alone."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import infra.config.policy_file as module
from infra.config.environment import Settings
from infra.config.file import read_configuration
from infra.config.policy_file import SETTLED_SECONDS, PolicyFile

STRICT = "[[policy.rules]]\nname = 'none'\neffect = 'refuse'\n"
MORE = STRICT + "[[policy.rules]]\nname = 'two'\neffect = 'ask'\nquorum = 2\n"


class Clock:
    """The time of day and of the process, as they are told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return self.now


class Written:
    """A configuration file whose changes carry the clock's time."""

    def __init__(self, folder: Path, *, policy_file: bool) -> None:
        self.clock = Clock()
        self._main = folder / "greenlight.toml"
        self._file = folder / "policy.toml" if policy_file else self._main
        if policy_file:
            self._main.write_text("[policy]\nfile = 'policy.toml'\n")
            os.utime(self._main, (0, 0))
        self.write(STRICT)
        settings = Settings(data=folder, configuration=read_configuration(self._main), configuration_file=self._main)
        self.policy = PolicyFile(settings, time_ns=self.clock.time_ns, monotonic=self.clock.monotonic)

    def write(self, text: str, *, ahead: float = 0) -> None:
        """Write the file; `ahead` of the clock by so many seconds, as another machine's clock may be."""
        self._file.write_text(text)
        at = self.clock.time_ns() + int(ahead * 1e9)
        os.utime(self._file, ns=(at, at))

    def remove(self) -> None:
        self._file.unlink()

    @property
    def rules(self) -> list[str]:
        return [rule.name for rule in self.policy.current().rules]


@pytest.fixture(params=[False, True], ids=["own table", "policy file"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    return Written(tmp_path, policy_file=request.param)


def test_the_file_is_read_at_once_when_the_process_starts(written: Written) -> None:
    assert written.rules == ["none"]


@pytest.mark.parametrize("part", ["", MORE[:20], MORE[: len(STRICT)], STRICT[:-9]])
def test_a_file_that_is_being_written_changes_nothing(written: Written, part: str) -> None:
    assert written.rules == ["none"]
    written.write(part)
    assert written.rules == ["none"]
    written.clock.now += SETTLED_SECONDS / 2
    assert written.rules == ["none"]
    written.write(MORE)
    assert written.rules == ["none"]
    written.clock.now += SETTLED_SECONDS
    assert written.rules == ["none", "two"]


def test_a_change_of_long_ago_counts_at_the_first_look(written: Written) -> None:
    assert written.rules == ["none"]
    written.write(MORE)
    written.clock.now += 3600
    assert written.rules == ["none", "two"]


def test_a_file_whose_time_lies_ahead_counts_once_it_was_seen_alike_for_a_while(written: Written) -> None:
    written.write(MORE, ahead=3600)
    assert written.rules == ["none"]
    written.clock.now += SETTLED_SECONDS
    assert written.rules == ["none", "two"]


def _broken(written: Written) -> None:
    written.write("[[policy.rules]]\nname = 'x'\nefect = 'ask'\n")


@pytest.mark.parametrize("spoil", [_broken, Written.remove])
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told(
    written: Written, spoil: Callable[[Written], None], caplog: pytest.LogCaptureFixture
) -> None:
    assert written.rules == ["none"]
    spoil(written)
    written.clock.now += SETTLED_SECONDS
    assert written.rules == ["none"]
    assert caplog.text.count("the policy stays as it was") == 1
    assert written.rules == ["none"]
    assert caplog.text.count("the policy stays as it was") == 1
    written.write(MORE)
    written.clock.now += SETTLED_SECONDS
    assert written.rules == ["none", "two"]


def test_a_file_that_is_written_while_it_is_read_does_not_count_yet(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.read_policy

    def read_and_write(path: Path) -> object:
        monkeypatch.setattr(module, "read_policy", read)
        policy = read(path)
        written.write(MORE)
        return policy

    assert written.rules == ["none"]
    written.write("")
    written.clock.now += SETTLED_SECONDS
    monkeypatch.setattr(module, "read_policy", read_and_write)
    assert written.rules == ["none"]
    written.clock.now += SETTLED_SECONDS
    assert written.rules == ["none", "two"]
