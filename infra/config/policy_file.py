"""The policy as the configuration file says it now: read again when the file changes.

A file that is being written can be read whole and still hold the first rules only, or none. So a change counts once
the files were left alone for a second.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from agent.policy.rules import PolicySet
from infra.config.environment import Settings
from infra.config.file import ConfigurationError, policy_file, read_policy

_log = logging.getLogger(__name__)

SETTLED_SECONDS = 1.0
"""How long nobody may have written to the files before they are read."""

_Look = tuple[int, int, int] | None
"""When a file was last written (ns), its size in bytes and its inode."""


class PolicyFile:
    """The policy of a process. A file that cannot be used is logged, and the policy stays what it was."""

    def __init__(
        self,
        settings: Settings,
        *,
        time_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._time_ns = time_ns
        self._monotonic = monotonic
        self._policy = settings.configuration.policy_set()
        self._path = settings.configuration_file
        self._watched: tuple[Path, ...] = ()
        if self._path is not None:
            own = policy_file(self._path, settings.configuration)
            self._watched = tuple(dict.fromkeys((self._path, own)))
        #: How the files looked when they were last read; None before that.
        self._read_as: tuple[_Look, ...] | None = None
        #: How they looked last, and since when they do (monotonic clock, seconds).
        self._seen = self._look()
        self._since = self._monotonic() - SETTLED_SECONDS

    def current(self) -> PolicySet:
        """Return the policy. Looks at the files' times, and reads them once they changed and are left alone."""
        if self._path is None:
            return self._policy
        if (seen := self._look()) != self._seen:
            self._seen, self._since = seen, self._monotonic()
        if seen != self._read_as and self._is_settled(seen):
            self._read(self._path, seen)
        return self._policy

    def _is_settled(self, seen: tuple[_Look, ...]) -> bool:
        """Whether nobody has written for a while, by the files' own times or by how long they look like this."""
        if self._monotonic() - self._since >= SETTLED_SECONDS:
            return True
        newest = max((look[0] for look in seen if look is not None), default=0)
        return self._time_ns() - newest >= SETTLED_SECONDS * 1e9

    def _read(self, path: Path, seen: tuple[_Look, ...]) -> None:
        self._read_as = seen
        try:
            policy = read_policy(path)
        except (ConfigurationError, OSError) as error:
            _log.error("the policy stays as it was (%s), because its file cannot be used: %s", self._version, error)
            return
        if self._look() != seen:  # written while it was read: the next look reads it again
            return
        if policy.version != self._policy.version:
            _log.warning("the policy changed from %s to %s", self._version, policy.version)
        self._policy = policy

    @property
    def _version(self) -> str:
        return self._policy.version

    def _look(self) -> tuple[_Look, ...]:
        return tuple(map(_looks, self._watched))


def _looks(path: Path) -> _Look:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same call, told as what it is
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
