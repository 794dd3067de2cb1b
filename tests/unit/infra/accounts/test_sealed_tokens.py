"""People's tokens as they are kept."""

from dataclasses import replace

from cryptography.fernet import Fernet

from agent.ids import Tenant, UserId
from infra.accounts.keys import Keyring
from infra.accounts.provider import Tokens
from infra.accounts.rows import Whose
from infra.accounts.sealed_tokens import SealedTokens

ADA = Whose(tenant=Tenant("T"), person=UserId("UADA"), provider="example")
TOKENS = Tokens(access="access-0123456789", refresh="refresh-0123456789", subject="ada", scopes="read")


def test_tokens_come_back_and_are_not_readable_meanwhile() -> None:
    sealed = SealedTokens(Keyring(Fernet.generate_key().decode()))
    kept = sealed.account(ADA, TOKENS)
    assert b"0123456789" not in kept.sealed
    assert "0123456789" not in repr(kept) + repr(TOKENS)
    assert sealed.tokens(kept) == TOKENS


def test_a_row_that_was_put_in_anothers_place_gives_nothing() -> None:
    sealed = SealedTokens(Keyring(Fernet.generate_key().decode()))
    kept = sealed.account(ADA, TOKENS)
    assert sealed.tokens(replace(kept, whose=replace(ADA, person=UserId("UEVE")))) is None
    assert sealed.tokens(replace(kept, whose=replace(ADA, provider="other"))) is None
