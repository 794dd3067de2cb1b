"""The providers' part of the examination: each is asked for its metadata, and the keys of people's tokens are read."""

import asyncio
from pathlib import Path

from agent.tool import ToolError
from infra.accounts.keys import KeysUnusable, open_keyring
from infra.accounts.provider import Provider, ProviderFailed
from infra.accounts.settings import AccountsTable
from infra.doctor.finding import Finding, missing, ok, wrong


async def account_findings(table: AccountsTable, keys: str | None, data: Path) -> list[Finding]:
    """Return a finding on the keys, and one per provider; none where there is no provider."""
    if not table.providers:
        return []
    providers = [Provider(name, config) for name, config in table.providers.items()]
    found = await asyncio.gather(*(_finding(provider, table) for provider in providers))
    return [await asyncio.to_thread(_keys, keys, data), *found]


def _keys(given: str | None, data: Path) -> Finding:
    try:
        open_keyring(given, data, create=False)
    except KeysUnusable as error:
        if given is None and not (data / "account-keys").exists():
            return ok("account keys", f"the bot or a worker makes one in {data} as it starts")
        return wrong("account keys", str(error), "Correct it; until then people cannot connect accounts.")
    return ok("account keys", "they can be used")


async def _finding(provider: Provider, table: AccountsTable) -> Finding:
    check = f"account {provider.name}"
    try:
        metadata = await provider.metadata()
    except ProviderFailed as error:
        mend = f"Correct [accounts.{provider.name}], or start the provider; steps that need it wait until then."
        return wrong(check, str(error), mend)
    secret = provider.config.client_secret
    try:
        if secret is not None:
            await secret.read()
    except ToolError as error:
        return missing(check, str(error), f"Put it where [accounts.{provider.name}] says.")
    documented = metadata.takes_documents and table.base_url.startswith("https://")
    if not (provider.config.client_id or metadata.register or documented):
        return missing(check, "it does not let the app register itself", "Register the app there, and set client_id.")
    revokes = "revokes tokens" if metadata.revoke else "revokes no tokens"
    return ok(check, f"{metadata.issuer or metadata.token}: it answers, and {revokes}")
