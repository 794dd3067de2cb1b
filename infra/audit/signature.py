"""The key that signs the end of the chain, and what it signs.

Ed25519: anybody who has the public key can check a signature. The key is GREENLIGHT_AUDIT_KEY, or a file in the data
folder that the first worker makes.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.ids import Tenant
from infra.audit.chain import Position, joined
from sandbox.script import Json

KEY_FILE = "audit-key"
HEAD = "greenlight-audit-head/1"

_SEED_BYTES = 32


class NoSigningKey(Exception):
    """There is no key that signs the audit, or it is no key; the text says where it should be."""


class SigningKey:
    """A private key."""

    def __init__(self, seed: str) -> None:
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed.strip()))
        except ValueError:
            raise NoSigningKey(f"the audit's key must be {_SEED_BYTES} bytes in hexadecimal") from None
        #: The public key, in hexadecimal.
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, text: bytes) -> str:
        """Return the signature, in hexadecimal."""
        return self._key.sign(text).hex()


@lru_cache(maxsize=10_000)
def is_signed(text: bytes, public: str, signature: str) -> bool:
    """Return whether the signature is that of this key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), text)
    except (ValueError, InvalidSignature):
        return False
    return True


def signing_key(given: str | None, data: Path, *, create: bool = False) -> SigningKey:
    """Return the given key, or that of the data folder; `create` makes one there when there is none.

    Raises:
        NoSigningKey: see the class.
    """
    if given is not None:
        return SigningKey(given)
    file = data / KEY_FILE
    if create:
        data.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _write_whole(file, Ed25519PrivateKey.generate().private_bytes_raw().hex())
    try:
        return SigningKey(file.read_text())
    except OSError as error:
        raise NoSigningKey(f"set GREENLIGHT_AUDIT_KEY, or start a worker once: {file} is not there") from error


def _write_whole(file: Path, seed: str) -> None:
    """Put the key where it belongs in one step: another process reads it whole or makes none of its own.

    Raises:
        FileExistsError: another process came first.
    """
    draft = file.with_name(f"{KEY_FILE}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(seed)
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    """The end of a tenant's chain at a time, signed."""

    tenant: Tenant
    seq: int
    hash: str
    at: str
    key: str
    signature: str

    @property
    def is_signed(self) -> bool:
        """Whether the signature is that of the key it names."""
        return is_signed(
            _head_text(self.tenant, Position(seq=self.seq, hash=self.hash), self.at), self.key, self.signature
        )

    def json(self) -> dict[str, Json]:
        """Return it as a line of the published file holds it."""
        return {**vars(self)}


def signed_head(key: SigningKey, tenant: Tenant, end: Position, at: str) -> SignedHead:
    """Sign the end of a chain."""
    signature = key.sign(_head_text(tenant, end, at))
    return SignedHead(tenant=tenant, seq=end.seq, hash=end.hash, at=at, key=key.public, signature=signature)


def head_from_json(told: Mapping[str, Json]) -> SignedHead:
    """Read what `SignedHead.json` returned.

    Raises:
        ValueError: it is something else.
    """
    match dict(told):
        case {
            "tenant": str(tenant),
            "seq": int(seq),
            "hash": str(hash),
            "at": str(at),
            "key": str(key),
            "signature": str(signature),
            **rest,
        } if not rest:
            return SignedHead(tenant=Tenant(tenant), seq=seq, hash=hash, at=at, key=key, signature=signature)
        case _:
            raise ValueError("not a signed head")


def published_heads(file: Path) -> Sequence[SignedHead]:
    """Return the heads in the file that `[audit] heads_file` names.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is no head.
    """
    return [head_from_json(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _head_text(tenant: Tenant, end: Position, at: str) -> bytes:
    return joined(HEAD, tenant, str(end.seq), end.hash, at)
