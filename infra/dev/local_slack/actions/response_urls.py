"""response_url: answers to an interaction without a token, 5 times within 30 minutes."""

from aiohttp import web

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.block_kit.drafts import Draft, draft_of
from infra.dev.local_slack.block_kit.views import give_ids
from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object, text_in
from infra.dev.local_slack.state.team import Ephemeral
from infra.dev.local_slack.state.tickets import ResponseUrl

_GONE = ("invalid_url", "expired_url", "used_url")


class ResponseUrls:
    """Answers /response/SECRET."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one post to a response_url."""
        self._backend.calls["response_url"] += 1
        body = decoded(await request.text())
        try:
            if fault := self._backend.faults.for_method("response_url"):
                raise SlackError(fault.error or "fatal_error")
            if not is_object(body):
                raise SlackError("invalid_payload")
            right = self._backend.tickets.use_response_url(request.match_info["secret"])
            self._carry_out(right, body)
        except SlackError as refusal:
            self._backend.refusals[f"response_url {refusal.error}"] += 1
            return web.json_response(refusal.as_json(), status=404 if refusal.error in _GONE else 400)
        return web.Response(text="ok")

    def _carry_out(self, right: ResponseUrl, body: JsonObject) -> None:
        backend = self._backend
        channel = backend.team.channels[right.channel]
        if body.get("delete_original"):
            self._delete(right)
        elif body.get("replace_original"):
            self._replace(right, draft_of(body))
        else:
            thread_ts = text_in(body, "thread_ts")
            messages.check_root(channel, thread_ts)
            messages.respond(backend, channel, right.user, body, thread_ts)

    def _ephemeral(self, right: ResponseUrl) -> Ephemeral | None:
        return next((one for one in self._backend.team.ephemerals if one.message.ts == right.message_ts), None)

    def _message(self, right: ResponseUrl, refusal: str) -> tuple[Channel, Message]:
        channel = self._backend.team.channels[right.channel]
        message = messages.message_of(channel, right.message_ts or "")
        refuse_if(message.bot_id != self._backend.app.bot_id, refusal)
        return channel, message

    def _delete(self, right: ResponseUrl) -> None:
        backend = self._backend
        if not right.ephemeral:
            messages.remove(backend, *self._message(right, "cant_delete_message"))
        elif ephemeral := self._ephemeral(right):
            backend.team.ephemerals.remove(ephemeral)
            backend.feed.tell("ephemeral_deleted", user=right.user, channel=right.channel, ts=ephemeral.message.ts)

    def _replace(self, right: ResponseUrl, draft: Draft) -> None:
        """Show the draft instead. Unlike in chat.update it is the whole new message: blocks it does not give go."""
        backend, text, blocks = self._backend, draft.text or "", draft.blocks or []
        if right.ephemeral:
            ephemeral = found(self._ephemeral(right), "message_not_found")
            ephemeral.message.text, ephemeral.message.blocks = text, blocks
            give_ids(blocks)
            backend.announcer.ephemeral(ephemeral)
            return
        channel, message = self._message(right, "cant_update_message")
        messages.rewrite(backend, channel, message, Draft(text=text, blocks=blocks))
