"""One provider over HTTP: its metadata, and the exchanges of OAuth 2.1 with it. It keeps nothing but its metadata.

The only import of authlib, which writes the requests; what is sent where, and what of an answer is believed, is here.
"""

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote, urlsplit

import aiohttp
from authlib.oauth2.rfc6749.parameters import (  # pyright: ignore[reportMissingTypeStubs]  # authlib has none
    prepare_grant_uri,  # pyright: ignore[reportUnknownVariableType]  # as above
    prepare_token_request,  # pyright: ignore[reportUnknownVariableType]  # as above
)
from authlib.oauth2.rfc7636 import (  # pyright: ignore[reportMissingTypeStubs]  # as above
    create_s256_code_challenge,  # pyright: ignore[reportUnknownVariableType]  # as above
)
from yarl import URL

from agent.plan.json_values import sanitized_text
from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.accounts.settings import ProviderConfig, is_loopback
from infra.tools.addresses import Reach, checked_url, connector, reach

METADATA_SECONDS = 600.0
"""How long a provider's metadata counts."""

_ANSWER_BYTES = 256 * 1024
_SUBJECT_CHARACTERS = 200
_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_OK = 200
_CREATED = 201
_UNAUTHORIZED = 401
_SERVER_ERROR = 500

_LOST = frozenset({"invalid_grant", "bad_refresh_token", "bad_verification_code"})
"""Errors by which a provider says that a code or a refresh token counts no more."""

_NAMES = ("email", "preferred_username", "login", "name", "sub", "id")
"""Claims that say who somebody is, the plainest first."""

_PARAMETER = re.compile(r'([a-z_]{1,40})="([^"\\]{0,2000})"', re.IGNORECASE)
"""A parameter of a WWW-Authenticate header."""


class ProviderFailed(Exception):
    """A provider could not be asked, or gave an answer that is none; the text says which, and holds no secret."""


class GrantLost(Exception):
    """The provider takes a code or a refresh token no more: the person must connect again."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """What this app is at a provider."""

    id: str
    secret: str = field(default="", repr=False)
    #: `none`, `client_secret_basic` or `client_secret_post`.
    method: str = "none"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a provider gave out."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: datetime | None = None
    #: Those that the person granted.
    scopes: str = ""
    #: Who the person is there; empty: it does not say.
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Where a provider is asked what."""

    issuer: str
    authorize: str
    token: str
    revoke: str = ""
    userinfo: str = ""
    register: str = ""
    #: How clients may show who they are; empty: it does not say.
    methods: tuple[str, ...] = ()
    #: Whether it names itself when people come back (RFC 9207).
    names_itself: bool = False
    #: Whether it takes the address of a document for a client's id.
    takes_documents: bool = False
    #: What the resource asks for, where the configuration says nothing.
    scopes: tuple[str, ...] = ()
    #: How the resource that names it calls itself (RFC 8707); empty: there is none.
    resource: str = ""


class Provider:
    """A provider of the configuration. All methods that ask it raise `ProviderFailed`."""

    def __init__(self, name: str, config: ProviderConfig) -> None:
        self.name = name
        self.config = config
        self.title = config.title or name
        self._metadata: tuple[float, Metadata] | None = None
        named = [config.issuer, config.resource, config.authorize_url, config.token_url]
        hosts = {str(number): url for number, url in enumerate(filter(None, named))}
        self._reach: Reach = reach(hosts, (), allow_private=True)
        self._others: Reach = reach({}, (), allow_private=False)

    async def metadata(self) -> Metadata:
        """Return where it is asked what."""
        if self._metadata is None or time.monotonic() - self._metadata[0] > METADATA_SECONDS:
            self._metadata = (time.monotonic(), await self._found())
        return self._metadata[1]

    async def authorize_url(self, client: Client, redirect: str, state: str, verifier: str) -> str:
        """Return the address where the person says yes."""
        metadata = await self.metadata()
        challenge = str(cast("Any", create_s256_code_challenge)(verifier))
        parameters: dict[str, str] = {**self.config.parameters}
        if metadata.resource:
            parameters["resource"] = metadata.resource
        write = cast("Any", prepare_grant_uri)
        return str(
            write(
                metadata.authorize,
                client.id,
                "code",
                redirect_uri=redirect,
                scope=list(self.config.scopes or metadata.scopes) or None,
                state=state,
                **{**parameters, "code_challenge": challenge, "code_challenge_method": "S256"},
            )
        )

    async def exchange(self, client: Client, redirect: str, code: str, verifier: str) -> Tokens:
        """Return the tokens for a code, with who the person is.

        Raises:
            GrantLost: the code counts no more.
        """
        answer = await self._tokens(
            client, "authorization_code", code=code, redirect_uri=redirect, code_verifier=verifier
        )
        return replace(answer[0], subject=await self._subject(client, *answer))

    async def refresh(self, client: Client, tokens: Tokens) -> Tokens:
        """Return new tokens; the refresh token is the old one where the provider gives out no other.

        Raises:
            GrantLost: the person must connect again.
        """
        new, _ = await self._tokens(client, "refresh_token", refresh_token=tokens.refresh)
        return replace(
            new, refresh=new.refresh or tokens.refresh, scopes=new.scopes or tokens.scopes, subject=tokens.subject
        )

    async def revoke(self, client: Client, tokens: Tokens) -> bool:
        """Revoke the tokens (RFC 7009); return whether the provider offers that."""
        metadata = await self.metadata()
        if not metadata.revoke:
            return False
        for token, hint in ((tokens.refresh, "refresh_token"), (tokens.access, "access_token")):
            if token:
                form = {"token": token, "token_type_hint": hint}
                status, _ = await self._post(metadata.revoke, client, "&".join(_pairs(form)))
                if status != _OK:
                    raise ProviderFailed(f"{self.title} did not revoke a token ({status})")
        return True

    async def register(self, document: Mapping[str, object], metadata: Metadata) -> Client:
        """Register this app (RFC 7591), and return what it is there."""
        body = json.dumps(document).encode()
        status, told = await self._ask(
            "POST", metadata.register, body=body, headers={"Content-Type": "application/json"}
        )
        client_id = told.get("client_id")
        if status not in (_OK, _CREATED) or not isinstance(client_id, str) or not client_id:
            raise ProviderFailed(f"{self.title} did not register the app ({status})")
        secret = told.get("client_secret")
        method = told.get("token_endpoint_auth_method")
        return Client(
            id=client_id,
            secret=secret if isinstance(secret, str) else "",
            method=method if isinstance(method, str) else ("client_secret_basic" if secret else "none"),
        )

    def method(self, metadata: Metadata, secret: str) -> str:
        """Return how a client with this secret shows who it is."""
        if not secret:
            return "none"
        offered = metadata.methods or ("client_secret_basic",)
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    async def _tokens(self, client: Client, grant: str, **more: str) -> tuple[Tokens, Mapping[str, Any]]:
        metadata = await self.metadata()
        resource = {"resource": metadata.resource} if metadata.resource else {}
        body = str(cast("Any", prepare_token_request)(grant, "", **more, **resource))
        began = datetime.now(UTC)
        status, told = await self._post(metadata.token, client, body)
        error = told.get("error")
        if isinstance(error, str) and error in _LOST:
            raise GrantLost(error)
        access, kind = told.get("access_token"), told.get("token_type", "bearer")
        if status != _OK or error or not isinstance(access, str) or not access:
            raise ProviderFailed(f"{self.title} gave no token ({status})")
        if not access.isascii() or not access.isprintable() or str(kind).lower() != "bearer":
            raise ProviderFailed(f"{self.title} gave a token that cannot be used here")
        refresh, seconds, scopes = told.get("refresh_token"), told.get("expires_in"), told.get("scope")
        known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 2**31
        tokens = Tokens(
            access=access,
            refresh=refresh if isinstance(refresh, str) else "",
            expires_at=began + timedelta(seconds=float(cast("float", seconds))) if known else None,
            scopes=sanitized_text(scopes) if isinstance(scopes, str) else "",
        )
        return tokens, told

    async def _subject(self, client: Client, tokens: Tokens, told: Mapping[str, Any]) -> str:
        """Return who the person is there: for people to read, never to decide by."""
        metadata = await self.metadata()
        claims: Mapping[str, Any] = {}
        if metadata.userinfo:
            SECRETS.learn(f"a token of {self.name}", tokens.access)
            headers = {"Authorization": f"Bearer {tokens.access}", "Accept": "application/json"}
            status, answer = await self._ask("GET", metadata.userinfo, headers=headers)
            claims = answer if status == _OK else {}
        if not claims and isinstance(id_token := told.get("id_token"), str):
            claims = _claims_in(id_token, metadata.issuer, client.id)
        found = next((claims[name] for name in _NAMES if isinstance(claims.get(name), str | int)), "")
        return sanitized_text(str(found))[:_SUBJECT_CHARACTERS]

    async def _post(self, url: str, client: Client, body: str) -> tuple[int, Mapping[str, Any]]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        match client.method:
            case "client_secret_basic":
                pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            case "client_secret_post":
                body = "&".join((body, *_pairs({"client_id": client.id, "client_secret": client.secret})))
            case _:
                body = "&".join((body, *_pairs({"client_id": client.id})))
        return await self._ask("POST", url, body=body.encode(), headers=headers)

    # Metadata

    async def _found(self) -> Metadata:
        config = self.config
        scopes: tuple[str, ...] = ()
        issuer, resource = config.issuer, ""
        if config.resource:
            issuer, resource, scopes = await self._issuer_of_resource()
        found = await self._discovered(issuer) if issuer else None
        given = {
            name: url
            for name, url in (
                ("authorize", config.authorize_url),
                ("token", config.token_url),
                ("revoke", config.revoke_url),
                ("userinfo", config.userinfo_url),
            )
            if url
        }
        if found is None:
            found = Metadata(issuer="", authorize=config.authorize_url, token=config.token_url)
        return replace(found, **given, scopes=scopes, resource=resource)

    async def _issuer_of_resource(self) -> tuple[str, str, tuple[str, ...]]:
        """Return the issuer that a resource names, what it calls itself, and the scopes that it asks for (RFC 9728)."""
        resource = self.config.resource
        challenge = await self._challenge(resource)
        parts = urlsplit(resource)
        origin = f"{parts.scheme}://{parts.netloc}"
        known = f"{origin}/.well-known/oauth-protected-resource"
        path = parts.path.rstrip("/")
        for url in dict.fromkeys([challenge.get("resource_metadata", ""), f"{known}{path}", known]):
            if not url:
                continue
            status, told = await self._ask("GET", url, headers={"Accept": "application/json"})
            if status != _OK or not told:
                continue
            if not _covers(told.get("resource"), resource):
                raise ProviderFailed(f"{self.title}'s metadata is about another resource")
            servers = told.get("authorization_servers")
            first = next(iter(cast("list[object]", servers)), None) if isinstance(servers, list) else None
            if not isinstance(first, str):
                raise ProviderFailed(f"{self.title} names no provider")
            asked = challenge.get("scope", "").split()
            supported = told.get("scopes_supported")
            offered = [str(scope) for scope in cast("list[Any]", supported)] if isinstance(supported, list) else []
            return first, str(told.get("resource")), tuple(asked or offered)
        raise ProviderFailed(f"{self.title} does not say which provider it belongs to")

    async def _challenge(self, resource: str) -> Mapping[str, str]:
        """Return what a resource says to one who shows no token; an MCP server may say it only to a message."""
        url, allowed = self._checked(resource)
        headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        for method, body in (("GET", None), ("POST", _PING)):
            try:
                async with (
                    self._session(allowed) as session,
                    session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
                ):
                    header = response.headers.get("WWW-Authenticate", "") if response.status == _UNAUTHORIZED else ""
            except (TimeoutError, aiohttp.ClientError, ValueError, OSError) as error:
                raise ProviderFailed(f"{self.title} cannot be reached") from error
            if found := {name.lower(): value for name, value in _PARAMETER.findall(header[:8192])}:
                return found
        return {}

    async def _discovered(self, issuer: str) -> Metadata:
        parts = urlsplit(issuer)
        origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        places = [
            f"{origin}/.well-known/oauth-authorization-server{path}",
            f"{origin}/.well-known/openid-configuration{path}",
            f"{origin}{path}/.well-known/openid-configuration",
        ]
        for url in dict.fromkeys(places):
            status, told = await self._ask("GET", url, headers={"Accept": "application/json"})
            if status == _OK and told:
                return self._metadata_in(told, issuer)
        raise ProviderFailed(f"{self.title} has no metadata at {issuer}")

    def _metadata_in(self, told: Mapping[str, Any], issuer: str) -> Metadata:
        def text(key: str) -> str:
            value = told.get(key)
            return value if isinstance(value, str) else ""

        if text("issuer") != issuer:  # RFC 8414, section 3.3: another one may only pass for it
            raise ProviderFailed(f"{self.title}'s metadata is about another issuer")
        challenges, methods = (
            told.get("code_challenge_methods_supported"),
            told.get("token_endpoint_auth_methods_supported"),
        )
        without = not isinstance(challenges, list) if self.config.resource else False
        if without or (isinstance(challenges, list) and "S256" not in challenges):
            raise ProviderFailed(f"{self.title} does not offer PKCE with S256")
        if not text("authorization_endpoint") or not text("token_endpoint"):
            raise ProviderFailed(f"{self.title}'s metadata names no endpoints")
        return Metadata(
            issuer=issuer,
            authorize=text("authorization_endpoint"),
            token=text("token_endpoint"),
            revoke=text("revocation_endpoint"),
            userinfo=text("userinfo_endpoint"),
            register=text("registration_endpoint"),
            methods=tuple(str(method) for method in cast("list[Any]", methods)) if isinstance(methods, list) else (),
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
            takes_documents=told.get("client_id_metadata_document_supported") is True,
        )

    # HTTP

    def _checked(self, text: str) -> tuple[URL, Reach]:
        """Return an address that secrets may be sent to: hosts that only metadata names must be public."""
        host = urlsplit(text).hostname or ""
        allowed = self._reach if self._reach.names(host) else self._others
        try:
            url = checked_url(text, allowed)
        except ToolError as error:
            raise ProviderFailed(f"{self.title} names an address that may not be asked") from error
        if url.scheme != "https" and not is_loopback(text):
            raise ProviderFailed(f"{self.title} names an address without TLS")
        return url, allowed

    def _session(self, allowed: Reach) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=self.config.timeout_seconds)
        return aiohttp.ClientSession(connector=connector(allowed), timeout=timeout)

    async def _ask(
        self, method: str, text: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the JSON object of an answer, empty when it is none; follows no redirect."""
        url, allowed = self._checked(text)
        try:
            async with (
                self._session(allowed) as session,
                session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                raw = await _bounded(response)
        except (TimeoutError, aiohttp.ClientError, ValueError, OSError) as error:
            # Without its cause: that may quote what was sent.
            raise ProviderFailed(f"{self.title} cannot be reached ({type(error).__name__})") from None
        if response.status >= _SERVER_ERROR:
            raise ProviderFailed(f"{self.title} does not work just now ({response.status})")
        try:
            told: object = json.loads(raw)
        except (ValueError, RecursionError):
            return response.status, {}
        return response.status, cast("Mapping[str, Any]", told) if isinstance(told, dict) else {}


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    while len(raw) <= _ANSWER_BYTES and (part := await response.content.read(_ANSWER_BYTES + 1 - len(raw))):
        raw += part
    if len(raw) > _ANSWER_BYTES:
        raise ValueError("too long")
    return bytes(raw)


def code_in(told: Mapping[str, str], metadata: Metadata) -> str | None:
    """Return the code that a provider sent somebody back with, empty when it, or they, said no.

    None: it is no answer of this provider (RFC 9207); one of another must not pass for it.
    """
    named = told.get("iss", "")
    if (metadata.names_itself or "iss" in told) and not hmac.compare_digest(named.encode(), metadata.issuer.encode()):
        return None
    return "" if "error" in told else told.get("code", "")


def _pairs(form: Mapping[str, str]) -> list[str]:
    return [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in form.items()]


def _covers(named: object, resource: str) -> bool:
    """Return whether metadata about a resource is about this one: it names it, or its origin, or a path above it."""
    if not isinstance(named, str):
        return False
    try:
        one, other = urlsplit(named), urlsplit(resource)
    except ValueError:
        return False
    if (one.scheme, one.netloc.lower()) != (other.scheme, other.netloc.lower()):
        return False
    above, path = one.path.rstrip("/"), other.path.rstrip("/")
    return path == above or path.startswith(f"{above}/")


def _claims_in(id_token: str, issuer: str, client_id: str) -> Mapping[str, Any]:
    """Return the claims of an ID token that the token endpoint itself gave us over TLS (OpenID Core, 3.1.3.7)."""
    try:
        payload = id_token.split(".")[1]
        claims: object = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError, RecursionError):
        return {}
    if not isinstance(claims, dict):
        return {}
    told = cast("dict[str, Any]", claims)
    audience = told.get("aud")
    is_ours = audience == client_id or (isinstance(audience, list) and client_id in audience)
    return told if is_ours and (not issuer or told.get("iss") == issuer) else {}
