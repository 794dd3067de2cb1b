"""The reply to `/greenlight accounts`."""

from collections.abc import Iterator, Mapping, Sequence

from bot import wording
from bot.elements import Block, Rendered, button, moment, quoted, rendered, section, with_button
from bot.payloads import DISCONNECT_ACTION, LINK_ACTION
from bot.ports import ConnectedAccount

MOST_ACCOUNTS = 20


def accounts_message(accounts: Sequence[ConnectedAccount], providers: Mapping[str, str]) -> Rendered:
    """Return a person's accounts, each with what disconnects it, and the `providers` (name -> title) without one."""
    return rendered(wording.YOUR_ACCOUNTS, list(_blocks(accounts, providers)))


def _blocks(accounts: Sequence[ConnectedAccount], providers: Mapping[str, str]) -> Iterator[Block]:
    yield section(f"*{wording.YOUR_ACCOUNTS}*" if accounts else wording.NO_ACCOUNTS)
    for number, account in enumerate(accounts[:MOST_ACCOUNTS]):
        line = wording.account_line(
            quoted(account.title, 80),
            quoted(account.subject, 200),
            "" if account.since is None else moment(account.since),
            quoted(account.scopes, 500),
        )
        action = f"{DISCONNECT_ACTION}_{number}"
        disconnect = button(wording.DISCONNECT, action=action, value=account.provider, style="danger")
        yield with_button(line, disconnect, block_id=f"account-{number}")
    connected = {account.provider for account in accounts}
    others = {name: title for name, title in providers.items() if name not in connected}
    if others:
        yield section(f"*{wording.ACCOUNTS_TO_CONNECT}*")
    for number, (name, title) in enumerate(list(others.items())[:MOST_ACCOUNTS]):
        connect = button(wording.CONNECT, action=f"{LINK_ACTION}_{number}", value=name)
        yield with_button(f"*{quoted(title, 80)}*", connect, block_id=f"provider-{number}")
