"""A real bare repository of tests, and what others do to it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_IDENTITY = {"GIT_AUTHOR_NAME": "Marco", "GIT_AUTHOR_EMAIL": "marco@shop.example"}
_COMMITTER = {"GIT_COMMITTER_NAME": "Marco", "GIT_COMMITTER_EMAIL": "marco@shop.example"}
_ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(frozen=True, kw_only=True)
class BareRepository:
    """A remote, with a working tree of somebody who pushes to it."""

    folder: Path
    work: Path

    @classmethod
    def made(cls, root: Path) -> "BareRepository":
        """Return an empty one with the branch main."""
        built = cls(folder=root / "remote.git", work=root / "work")
        built.work.mkdir(parents=True)
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(built.folder))
        _git("init", "--quiet", "--initial-branch=main", str(built.work))
        built.do("remote", "add", "origin", str(built.folder))
        return built

    def do(self, *arguments: str, at: str = "2025-11-20T10:00:00Z") -> str:
        """Run git in the working tree."""
        return _git("-C", str(self.work), *arguments, at=at)

    def ask(self, *arguments: str) -> str:
        """Return what git says of the bare repository."""
        return _git(f"--git-dir={self.folder}", *arguments).strip()

    def commit(
        self,
        message: str,
        files: Mapping[str, str | bytes | None],
        *,
        branch: str = "main",
        at: str = "2025-11-20T10:00:00Z",
    ) -> str:
        """Commit files (None: it is gone) on a branch, push it, and return the commit."""
        for path, content in files.items():
            file = self.work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.do("add", "--all")
        self.do("commit", "--quiet", "--allow-empty", "-m", message, at=at)
        self.do("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return self.head()

    def head(self) -> str:
        """Return the commit of the working tree."""
        return self.do("rev-parse", "HEAD").strip()

    def file(self, path: str, revision: str = "main") -> str:
        """Return a file of the bare repository, byte for byte."""
        return _git(f"--git-dir={self.folder}", "show", f"{revision}:{path}")


def _git(*arguments: str, at: str = "2025-11-20T10:00:00Z") -> str:
    dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    environment = {**os.environ, **_ALONE, **_IDENTITY, **_COMMITTER, **dates}
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, env=environment)
    return done.stdout.decode()
