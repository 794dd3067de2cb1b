"""The reply to `/greenlight accounts`."""

from collections.abc import Sequence

from bot import wording
from bot.blocks.elements import Rendered, button, moment, quoted, rendered, section, with_button, words_only
from bot.payloads import DISCONNECT_ACTION
from bot.ports import ConnectedAccount

MOST_ACCOUNTS = 40


def accounts_message(accounts: Sequence[ConnectedAccount]) -> Rendered:
    """Return a person's accounts, each with the button that disconnects it."""
    if not accounts:
        return words_only(wording.NO_ACCOUNTS)
    lines = [
        with_button(
            wording.account_line(
                quoted(account.title, 80),
                quoted(account.subject, 200),
                "" if account.since is None else moment(account.since),
                quoted(account.scopes, 500),
            ),
            button(wording.DISCONNECT, action=f"{DISCONNECT_ACTION}_{number}", value=account.provider, style="danger"),
            block_id=f"account-{number}",
        )
        for number, account in enumerate(accounts[:MOST_ACCOUNTS])
    ]
    return rendered(wording.YOUR_ACCOUNTS, [section(f"*{wording.YOUR_ACCOUNTS}*"), *lines])
