"""The keys that encrypt people's tokens: GREENLIGHT_ACCOUNT_KEYS, or one that the app makes in its data folder.

The first key encrypts; each one decrypts. So a new key is put first, and the old one goes when nothing needs it.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from agent.redaction import SECRETS

KEYS_FILE = "account-keys"
VARIABLE = "GREENLIGHT_ACCOUNT_KEYS"


class KeysUnusable(Exception):
    """There is no key for people's tokens, or it is none; the text says where it should be, never what it is."""


class Keyring:
    """Encrypts and decrypts."""

    def __init__(self, keys: str) -> None:
        """Take keys with white space or commas between them.

        Raises:
            KeysUnusable: one is no Fernet key, or there is none.
        """
        given = [key for key in re.split(r"[\s,]+", keys) if key]
        try:
            fernets = [Fernet(key) for key in given]
        except ValueError:
            raise KeysUnusable(f"{VARIABLE} holds what is no Fernet key: 32 bytes in URL-safe base64") from None
        if not fernets:
            raise KeysUnusable(f"{VARIABLE} holds no key")
        for key in given:
            SECRETS.learn(VARIABLE, key)
        self._newest = fernets[0]
        self._every = MultiFernet(fernets)

    def seal(self, text: str) -> bytes:
        """Return a text encrypted with the newest key."""
        return self._newest.encrypt(text.encode())

    def open(self, sealed: bytes) -> str | None:
        """Return the text; None when no key fits."""
        try:
            return self._every.decrypt(sealed).decode()
        except InvalidToken:
            return None

    def is_stale(self, sealed: bytes) -> bool:
        """Return whether an older key than the newest encrypted this."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return True
        return False


def open_keyring(given: str | None, data: Path, *, create: bool = True) -> Keyring:
    """Return the given keys, or those of the data folder; `create` makes one there when there is none. Blocks.

    Raises:
        KeysUnusable: see the class.
    """
    if given is not None:
        return Keyring(given)
    file = data / KEYS_FILE
    try:
        if create and not file.exists():
            data.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                _write_whole(file, Fernet.generate_key().decode())
        return Keyring(file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise KeysUnusable(f"set {VARIABLE}, or make {file} readable") from error


def _write_whole(file: Path, key: str) -> None:
    """Put the key where it belongs in one step: another process reads it whole or makes none of its own.

    Raises:
        FileExistsError: another process came first.
    """
    draft = file.with_name(f"{KEYS_FILE}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(key)
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
