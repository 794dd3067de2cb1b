"""The tool `send_mail`: one message in plain text, to all of its recipients or to none.

Its card says whom the server takes mail for: it is asked up to the recipients, and no message is sent.
"""

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from functools import partial
from typing import Annotated, Literal, cast

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from pydantic import AfterValidator, Field

from agent.ids import ToolName
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.secret import Secret
from sandbox.script import Json

ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$"

_RECIPIENTS: Mapping[str, Json] = {
    "type": "array",
    "items": {"type": "string", "pattern": ADDRESS, "maxLength": 254},
    "maxItems": 50,
}

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "to": {**_RECIPIENTS, "minItems": 1},
        "cc": _RECIPIENTS,
        "subject": {"type": "string", "minLength": 1, "maxLength": 250, "pattern": r"^[^\r\n\u0000]*$"},
        "text": {"type": "string", "minLength": 1, "maxLength": 100_000},
    },
    "required": ["to", "subject", "text"],
    "additionalProperties": False,
}

CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0
_WORDS = 300

_LATER = range(400, 500)
"""Replies of a server that may take the mail another time."""


def _known_recipient(entry: str) -> str:
    """Return an entry of the list in small letters.

    Raises:
        ValueError: it is neither an address nor a domain.
    """
    if "@" in entry[:1] or "." not in entry.rpartition("@")[2] or any(map(str.isspace, entry)):
        raise ValueError("neither an address nor a domain, such as example.com")
    return entry.lower()


@dataclass(frozen=True, kw_only=True)
class MailConfig:
    """`[tools.send_mail]`: the server that mail goes through, and to whom it may go."""

    host: str
    port: int = field(default=587, metadata={"gt": 0, "lt": 65536})
    #: How the connection is encrypted: by a word after the greeting, from its first byte, or not at all.
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    #: The address that mail comes from.
    sender: Annotated[str, Field(pattern=ADDRESS)]
    #: Addresses and domains that may get mail; empty: any.
    recipients: frozenset[Annotated[str, AfterValidator(_known_recipient)]] = frozenset()

    def __post_init__(self) -> None:
        """Refuse to send a password that others can read.

        Raises:
            ValueError: the connection is not encrypted, or half of the credentials is missing.
        """
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is sent only over an encrypted connection")


def send_mail(config: MailConfig) -> Tool:
    """Return the tool."""
    only = f" Only to {', '.join(sorted(config.recipients))}." if config.recipients else ""
    return Tool(
        name=ToolName("send_mail"),
        description=f"Send one mail in plain text from {config.sender}. Returns message_id and recipients.{only}",
        arguments=ARGUMENTS,
        colour=Colour.RED,
        call=partial(_send, config),
        check=partial(_check, config),
        dry_run=partial(_ask, config),
        targets=("to", "cc"),
        timeout_seconds=2 * CONNECT_SECONDS + SEND_SECONDS,
    )


def _recipients(args: Mapping[str, Json]) -> Sequence[str]:
    """Return everybody who gets the mail, each once."""
    named = [*cast("Sequence[str]", args["to"]), *cast("Sequence[str]", args.get("cc") or ())]
    return list(dict.fromkeys(named))


async def _check(config: MailConfig, _context: CallContext, args: Mapping[str, Json]) -> None:
    for address in _recipients(args) if config.recipients else ():
        if not {address.lower(), address.lower().rpartition("@")[2]} & config.recipients:
            raise ToolError("recipient_refused", f"{address} is not among those who may get mail.")


async def _ask(config: MailConfig, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return whom the server takes mail for."""
    await _check(config, context, args)
    async with _connected(config) as server:
        await _address(server, config, _recipients(args))
        await server.rset()
    return {"accepted": _recipients(args)}


async def _send(config: MailConfig, context: CallContext, args: Mapping[str, Json]) -> Json:
    await _check(config, context, args)
    message = _message(config, context, args)
    async with _connected(config) as server:
        await _address(server, config, _recipients(args))
        context.check_not_late()
        try:
            await server.data(message.as_bytes(policy=WIRE), timeout=SEND_SECONDS)
        except SMTPResponseException as error:
            raise _refused(error) from error
        except (SMTPException, OSError) as error:
            raise ToolError(OUTCOME_UNKNOWN, "The server was lost while the mail was sent.") from error
    return {"message_id": str(message["Message-ID"]), "recipients": _recipients(args)}


def _message(config: MailConfig, context: CallContext, args: Mapping[str, Json]) -> EmailMessage:
    """Return the message; each try of an approved call has the same id."""
    message = EmailMessage()
    message["From"] = config.sender
    message["To"] = ", ".join(cast("Sequence[str]", args["to"]))
    if args.get("cc"):
        message["Cc"] = ", ".join(cast("Sequence[str]", args["cc"]))
    message["Subject"] = str(args["subject"])
    message["Message-ID"] = f"<{context.idempotency_key}@{config.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(str(args["text"]), cte="quoted-printable")
    return message


@asynccontextmanager
async def _connected(config: MailConfig) -> AsyncGenerator[SMTP]:
    """Yield a connection of its own that the server knows us on.

    Raises:
        ToolError: there is none; nothing was sent.
    """
    password = None if config.password is None else await config.password.read()
    server = SMTP(
        hostname=config.host,
        port=config.port,
        timeout=CONNECT_SECONDS,
        use_tls=config.security == "tls",
        start_tls=config.security == "starttls",
    )
    try:
        try:
            await server.connect()
            if password is not None:
                await server.login(config.username, password)
        except SMTPAuthenticationError as error:
            raise ToolError("no_secret", "The mail server refuses the credentials. Nothing was sent.") from error
        except ssl.SSLError as error:
            words = f"{config.host} cannot prove that it is the mail server. Nothing was sent."
            raise ToolError("unreachable", words) from error
        except (SMTPException, OSError) as error:
            words = f"The mail server {config.host}:{config.port} cannot be used. Nothing was sent."
            raise ToolError("unreachable", words) from error
        yield server
    finally:
        server.close()


async def _address(server: SMTP, config: MailConfig, recipients: Sequence[str]) -> None:
    """Tell the server who writes to whom.

    Raises:
        ToolError: it refuses any of them; nothing was sent.
    """
    try:
        await server.mail(config.sender)
        for address in recipients:
            await server.rcpt(address)
    except (SMTPRecipientRefused, SMTPSenderRefused, SMTPResponseException) as error:
        raise _refused(error) from error
    except (SMTPServerDisconnected, SMTPException, OSError) as error:
        raise ToolError("unreachable", "The mail server hung up. Nothing was sent.") from error


def _refused(error: SMTPResponseException) -> ToolError:
    """Return what a server's refusal is; it has taken no mail."""
    words = " ".join(error.message.split())[:_WORDS]
    code = "unavailable" if error.code in _LATER else "recipient_refused"
    return ToolError(code, f"The mail server refuses it ({error.code} {words}). Nothing was sent.")
