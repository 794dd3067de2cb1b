"""Mail over SMTP in a real run: as the card said, to all or to none, and once."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import URL

from infra.config.file import ConfigurationError, parse_configuration
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told, tool

PASSWORD = "mail-0123456789"


class Mailbox:
    """A real SMTP server that keeps what it takes."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[Envelope] = []
        self.asked: list[str] = []
        #: Hang up once the mail was taken, before the answer.
        self.hangs_up = False

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        self.asked.append(address)
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        if address.startswith("later@"):
            return "450 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- as above
        self.taken.append(envelope)
        if self.hangs_up and server.transport is not None:
            server.transport.close()
        return "250 taken"

    @asynccontextmanager
    async def serving(self, **options: Any) -> AsyncGenerator[None]:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: SMTP(self, loop=loop, **options), "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listening.close()


def using(box: Mailbox, **more: Any) -> Callable[[dict[str, object]], None]:
    def configured(table: dict[str, object]) -> None:
        server = {"host": "127.0.0.1", "port": box.port, "security": "none", "sender": "greenlight@example.com"}
        table["tools"] = {"send_mail": {**server, **more}}
        table["approvals"] = {"send_mail": {"self_approval": False}}

    return configured


def mail(**more: Any) -> Mapping[str, Any]:
    text = "Grüße!\n.\nThe last line."
    return tool("mail", "send_mail", {"to": ["ada@example.com"], "subject": "Zahlen für März", "text": text, **more})


def told(scene: AppScene) -> str:
    return json.dumps(results_told(scene.model.requests_of("conclude")[-1]))


def questions(observer: ThreadObserver) -> list[str]:
    """Return the ts of each card that asks what became of a call."""
    return [str(card.message["ts"]) for card in observer.cards() if "decide_happened" in json.dumps(card.message)]


async def test_an_approved_mail_arrives_once_as_its_card_said(database_url: URL, tmp_path: Path) -> None:
    box = Mailbox()
    async with (
        box.serving(),
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=using(box)) as scene,
    ):
        scene.model.add(planned(mail(cc=["linus@example.org", "ada@example.com"])))
        async with scene.asked("write to them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = json.dumps(observer.cards()[0].message, ensure_ascii=False)
            assert "linus@example.org" in card
            assert "Zahlen für März" in card
            assert "accepted" in card
            assert box.taken == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        [taken] = box.taken
        message = BytesParser(policy=default).parsebytes(cast("bytes", taken.content))
        assert taken.rcpt_tos == ["ada@example.com", "linus@example.org"]
        assert message["Subject"] == "Zahlen für März"
        assert cast("str", message.get_content()).splitlines() == ["Grüße!", ".", "The last line."]
        assert message["Message-ID"].strip() in told(scene)


async def test_a_mail_goes_to_all_or_to_nobody(database_url: URL, tmp_path: Path) -> None:
    box = Mailbox()
    async with (
        box.serving(),
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=using(box)) as scene,
    ):
        scene.model.add(planned(mail(to=["ada@example.com", "nobody@example.com"])))
        async with scene.asked("write to them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert "no such mailbox" in json.dumps(observer.cards()[0].message)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert "not everybody may get that mail" in states(observer)["mail"]
        assert box.taken == []


async def test_a_recipient_who_is_not_on_the_list_is_refused_before_anybody_is_asked(
    database_url: URL, tmp_path: Path
) -> None:
    box = Mailbox()
    listed = using(box, recipients=["example.com", "one@example.org"])
    async with box.serving(), app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=listed) as scene:
        scene.model.add(planned(mail(to=["ada@example.com", "ONE@example.org", "two@example.org"])))
        async with scene.asked("write to them") as observer:
            await observer.until(answered, "the answer")
            assert observer.cards() == []
        assert "two@example.org is not among those who may get mail" in told(scene)
        assert box.asked == []


async def test_a_mail_whose_server_is_lost_is_not_sent_again_before_a_person_looked(
    database_url: URL, tmp_path: Path
) -> None:
    box = Mailbox()
    async with (
        box.serving(),
        app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=using(box)) as scene,
    ):
        scene.model.add(planned(mail()))
        box.hangs_up = True
        async with scene.asked("write to them") as observer:
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: bool(questions(seen)), "the question")
            assert len(box.taken) == 1
            await scene.people.click("Grace", observer.channel, questions(observer)[0], "decide_happened")
            await observer.until(answered, "the answer")
        assert len(box.taken) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"username": "me"}, "username and password go together"),
        ({"username": "me", "password": {"env": "X"}}, "only over an encrypted connection"),
        ({"recipients": ["@example.com"]}, "neither an address nor a domain"),
        ({"recipients": ["everybody"]}, "neither an address nor a domain"),
        ({"sender": "nobody"}, "tools.send_mail.sender"),
    ],
)
def test_settings_that_would_send_otherwise_are_refused(wrong: Mapping[str, object], words: str) -> None:
    server = {"host": "smtp.example.com", "security": "none", "sender": "greenlight@example.com"}
    with pytest.raises(ConfigurationError, match=words):
        parse_configuration({"tools": {"send_mail": {**server, **wrong}}}, "the test")


async def test_a_server_that_cannot_prove_its_name_gets_neither_password_nor_mail(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    await asyncio.to_thread(subprocess.run, [*made, *named], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    said: list[LoginPassword] = []

    def authenticate(*given: Any) -> AuthResult:
        said.append(given[-1])
        return AuthResult(success=given[-1].password == PASSWORD.encode())

    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    box = Mailbox()
    options = {"tls_context": context, "authenticator": authenticate, "auth_require_tls": True, "auth_required": True}
    async with box.serving(**options):
        login = {"security": "starttls", "username": "greenlight", "password": {"env": "MAIL_PASSWORD"}}
        async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=using(box, **login)) as scene:
            scene.model.add(planned(mail(), contains="first"))
            async with scene.asked("first") as observer:
                await scene.click(observer, "Grace", "approved")
                await observer.until(answered, "the answer")
                assert "nothing answered there" in states(observer)["mail"]
            assert (said, box.taken) == ([], [])
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            scene.model.add(planned(mail(), contains="second"))
            async with scene.asked("second") as observer:
                await scene.click(observer, "Grace", "approved")
                await observer.until(answered, "the answer")
            assert [login.password for login in said] == [PASSWORD.encode()] * 2  # for the card, and for the mail
            assert len(box.taken) == 1
