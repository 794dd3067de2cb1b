"""The pages at which people connect accounts: whose it will be, and whether it worked.

One server of the bot's process. It answers only its own few addresses, and logs none of them: they hold codes.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import escape

from aiohttp import web

from agent.errors import AgentError
from bot import wording
from infra.accounts.clients import Clients
from infra.accounts.connecting import OFFER_SECONDS, Begun, Connecting, Ended, Ending
from infra.accounts.settings import CALLBACK, CLIENT, CONNECT, AccountsTable

_COOKIE = "greenlight_account"
_BODY_BYTES = 16 * 1024
_LONGEST = 4096
"""Of one value that comes back from a provider."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

_log = logging.getLogger(__name__)


class AccountPages:
    """The pages."""

    def __init__(self, settings: AccountsTable, connecting: Connecting, clients: Clients) -> None:
        self._settings = settings
        self._connecting = connecting
        self._clients = clients

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(client_max_size=_BODY_BYTES, middlewares=[_guarded])
        app.router.add_get(CONNECT, self._offer)
        app.router.add_post(CONNECT, self._begin)
        app.router.add_get(CALLBACK, self._finish)
        app.router.add_get(CLIENT, self._client)
        return app

    async def _offer(self, request: web.Request) -> web.Response:
        """Show whose account it will be. Looking changes nothing: what previews links follows them, too."""
        ticket = request.query.get("ticket", "")
        found = await self._connecting.offered(ticket)
        if found is None:
            return _ended(Ended(ending=Ending.NOT_VALID))
        flow, title = found
        form = (
            f'<form method="post" action="{CONNECT}"><input type="hidden" name="ticket" value="{escape(ticket)}">'
            f"<button>{escape(wording.page_go_on(title))}</button></form>"
        )
        return _page(wording.page_title(title), [wording.page_whose(flow.name, title), wording.PAGE_ONLY_YOU], form)

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        given = (await request.post()).get("ticket", "")
        begun = await self._connecting.begin(given if isinstance(given, str) else "")
        if not isinstance(begun, Begun):
            return _ended(begun)
        response = web.Response(status=303, headers={**_HEADERS, "Location": begun.url})
        response.set_cookie(
            _COOKIE,
            begun.cookie,
            max_age=int(OFFER_SECONDS),
            path=CALLBACK,
            httponly=True,
            secure=self._settings.base_url.startswith("https://"),
            samesite="Lax",
        )
        return response

    async def _finish(self, request: web.Request) -> web.Response:
        told = {key: value for key, value in request.query.items() if len(value) <= _LONGEST}
        response = _ended(await self._connecting.finish(told, request.cookies.get(_COOKIE, "")))
        response.del_cookie(_COOKIE, path=CALLBACK)
        return response

    async def _client(self, _request: web.Request) -> web.Response:
        return web.json_response(self._clients.own_document(), headers=_HEADERS)


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer in plain words whatever happens; the log names no address, which holds a code."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _page(wording.PAGE_NOTHING_HERE, [], status=error.status)
    except AgentError as error:
        _log.warning("an account page could not be shown: %s", type(error).__name__)
    except Exception:  # noqa: BLE001 -- a process boundary: one request that breaks must not end the server
        _log.exception("an account page broke")
    return _page(wording.PAGE_FAILED, [wording.PAGE_TRY_AGAIN], status=500)


def _ended(ended: Ended) -> web.Response:
    match ended.ending:
        case Ending.CONNECTED:
            words = wording.page_connected(ended.title, ended.subject)
            return _page(wording.PAGE_CONNECTED, [words, wording.PAGE_BACK])
        case Ending.REFUSED:
            return _page(wording.PAGE_NOT_CONNECTED, [wording.page_refused(ended.title)], status=400)
        case Ending.NOT_VALID:
            return _page(wording.PAGE_NOT_CONNECTED, [wording.PAGE_NOT_VALID], status=400)
        case Ending.FAILED:
            return _page(wording.PAGE_NOT_CONNECTED, [wording.page_unreachable(ended.title)], status=502)


def _page(title: str, paragraphs: list[str], form: str = "", *, status: int = 200) -> web.Response:
    body = "".join(f"<p>{escape(words)}</p>" for words in paragraphs)
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><h1>{escape(title)}</h1>{body}{form}</html>"
    )
    return web.Response(text=html, content_type="text/html", status=status, headers=_HEADERS)


@asynccontextmanager
async def listening(settings: AccountsTable, pages: AccountPages) -> AsyncGenerator[None]:
    """Serve the pages until the context is left.

    Raises:
        OSError: the address cannot be listened at.
    """
    host, _, port = settings.listen.rpartition(":")
    runner = web.AppRunner(pages.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        _log.info("people who connect accounts are awaited at %s", settings.listen)
        yield
    finally:
        await runner.cleanup()
