"""The policy as the configuration file says it now: read again when the file changes."""

import logging
import os
from pathlib import Path

from agent.policy.rules import PolicySet
from infra.config.environment import Settings
from infra.config.file import ConfigurationError, policy_file, read_policy

_log = logging.getLogger(__name__)


class PolicyFile:
    """The policy of a process. A file that cannot be used is logged, and the policy stays what it was."""

    def __init__(self, settings: Settings) -> None:
        self._policy = settings.configuration.policy_set()
        self._path = settings.configuration_file
        self._watched: tuple[Path, ...] = ()
        if self._path is not None:
            own = policy_file(self._path, settings.configuration)
            self._watched = tuple(dict.fromkeys((self._path, own)))
        #: How the files looked when they were last read.
        self._seen = self._look()
        self._first = True

    def current(self) -> PolicySet:
        """Return the policy. Looks at the files' times, and reads them when they changed."""
        if self._path is not None and ((seen := self._look()) != self._seen or self._first):
            self._seen, self._first = seen, False
            self._read(self._path)
        return self._policy

    def _read(self, path: Path) -> None:
        try:
            policy = read_policy(path)
        except (ConfigurationError, OSError) as error:
            _log.error("the policy stays as it was (%s), because its file cannot be used: %s", self._version, error)
            return
        if policy.version != self._policy.version:
            _log.warning("the policy changed from %s to %s", self._version, policy.version)
        self._policy = policy

    @property
    def _version(self) -> str:
        return self._policy.version

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_looks, self._watched))


def _looks(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same call, told as what it is
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
