"""The passwords of the demo's world, each in a file that only this user may read."""

import secrets
from pathlib import Path


def kept_password(path: Path) -> str:
    """Return the password in the file, generated at the first start."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(16), encoding="ascii")
        draft.replace(path)
    return path.read_text(encoding="ascii")
