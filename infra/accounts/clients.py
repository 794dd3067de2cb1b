"""What this app is at a provider: the client of the configuration, a document of its own, or one that it registers."""

import asyncio
from collections.abc import Mapping

from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.accounts.keys import Keyring
from infra.accounts.provider import Client, Metadata, Provider, ProviderFailed
from infra.accounts.rows import ClientRows, RegisteredClient
from infra.accounts.settings import CALLBACK, CLIENT, AccountsTable

CLIENT_NAME = "Greenlight"


class Clients:
    """The clients of the providers."""

    def __init__(self, settings: AccountsTable, rows: ClientRows, keys: Keyring) -> None:
        self._settings = settings
        self._rows = rows
        self._keys = keys
        self._registering = asyncio.Lock()

    @property
    def redirect(self) -> str:
        """The one address to which people come back."""
        return self._settings.base_url + CALLBACK

    def document(self) -> dict[str, object]:
        """Return what the app says of itself."""
        return {
            "client_name": CLIENT_NAME,
            "application_type": "web" if self._settings.base_url.startswith("https://") else "native",
            "client_uri": self._settings.base_url,
            "redirect_uris": [self.redirect],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }

    def own_document(self) -> Mapping[str, object]:
        """Return the document at the address that is the client's id."""
        return {**self.document(), "client_id": self._settings.base_url + CLIENT}

    async def of(self, provider: Provider) -> Client:
        """Return the client; where there is none yet, register it.

        Raises:
            ProviderFailed: there is none.
        """
        metadata = await provider.metadata()
        if provider.config.client_id:
            secret = await self._secret(provider)
            return Client(id=provider.config.client_id, secret=secret, method=provider.method(metadata, secret))
        if metadata.takes_documents and self._settings.base_url.startswith("https://"):
            return Client(id=self._settings.base_url + CLIENT)
        async with self._registering:
            return await self._kept(provider, metadata) or await self._registered(provider, metadata)

    async def _secret(self, provider: Provider) -> str:
        if provider.config.client_secret is None:
            return ""
        try:
            return await provider.config.client_secret.read()
        except ToolError as error:
            raise ProviderFailed(f"the client's secret at {provider.title}: {error}") from None

    async def _kept(self, provider: Provider, metadata: Metadata) -> Client | None:
        kept = await self._rows.client(provider.name)
        if kept is None or (kept.issuer, kept.redirect) != (metadata.issuer, self.redirect):
            return None
        secret = self._keys.open(kept.sealed) if kept.sealed else ""
        if secret is None:  # the key is lost
            return None
        SECRETS.learn(f"the client's secret at {provider.name}", secret)
        return Client(id=kept.client_id, secret=secret, method=kept.method)

    async def _registered(self, provider: Provider, metadata: Metadata) -> Client:
        if not metadata.register:
            raise ProviderFailed(f"{provider.title} needs a client_id in [accounts.{provider.name}]")
        document = self.document()
        if metadata.methods and "none" not in metadata.methods:
            document["token_endpoint_auth_method"] = provider.method(metadata, "secret")
        if provider.config.scopes or metadata.scopes:
            document["scope"] = " ".join(provider.config.scopes or metadata.scopes)
        client = await provider.register(document, metadata)
        SECRETS.learn(f"the client's secret at {provider.name}", client.secret)
        kept = RegisteredClient(
            issuer=metadata.issuer,
            redirect=self.redirect,
            client_id=client.id,
            sealed=self._keys.seal(client.secret) if client.secret else b"",
            method=client.method,
        )
        await self._rows.register(provider.name, kept)
        return client
