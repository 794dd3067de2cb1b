"""The parts that work with people's accounts, built together on the rows of one database."""

from dataclasses import dataclass
from typing import Protocol

from infra.accounts.clients import Clients
from infra.accounts.connecting import Connecting
from infra.accounts.keys import Keyring
from infra.accounts.people import PeoplesAccounts
from infra.accounts.provider import Provider
from infra.accounts.rows import AccountRows, ClientRows, FlowRows
from infra.accounts.sealed_tokens import SealedTokens
from infra.accounts.settings import AccountsTable


class Rows(AccountRows, FlowRows, ClientRows, Protocol):
    """All rows."""


@dataclass(frozen=True, kw_only=True)
class OpenAccounts:
    """What works with people's accounts."""

    people: PeoplesAccounts
    connecting: Connecting
    clients: Clients


def open_accounts(table: AccountsTable, keys: Keyring, rows: Rows) -> OpenAccounts:
    """Return the parts for the providers of the configuration."""
    providers = {name: Provider(name, config) for name, config in table.providers.items()}
    clients, sealed = Clients(table, rows, keys), SealedTokens(keys)
    return OpenAccounts(
        people=PeoplesAccounts(rows, providers, clients, sealed),
        connecting=Connecting(table, providers, clients, rows, rows, keys, sealed),
        clients=clients,
    )
