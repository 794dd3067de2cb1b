"""The keys of people's tokens."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from infra.accounts.keys import Keyring, KeysUnusable, open_keyring

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_a_new_key_comes_first_and_the_old_one_still_opens() -> None:
    sealed = Keyring(OLD).seal("a token")
    both = Keyring(f"{NEW}, {OLD}")
    assert both.open(sealed) == "a token"
    assert both.is_stale(sealed)
    assert not both.is_stale(both.seal("a token"))
    assert Keyring(NEW).open(both.seal("a token")) == "a token"


def test_a_lost_key_opens_nothing_and_raises_nothing() -> None:
    assert Keyring(NEW).open(Keyring(OLD).seal("a token")) is None


@pytest.mark.parametrize("keys", ["", " , ", "no key", f"{OLD} no-key"], ids=["none", "commas", "no key", "one"])
def test_what_is_no_key_is_refused_without_being_quoted(keys: str) -> None:
    with pytest.raises(KeysUnusable) as refused:
        Keyring(keys)
    assert "no-key" not in str(refused.value)


def test_the_key_of_the_data_folder_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = open_keyring(None, tmp_path).seal("a token")
    assert open_keyring(None, tmp_path).open(sealed) == "a token"
    assert (tmp_path / "account-keys").stat().st_mode & 0o777 == 0o600


def test_nothing_is_made_where_nothing_may_be(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable):
        open_keyring(None, tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []
