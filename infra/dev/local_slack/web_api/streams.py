"""chat.startStream, appendStream and stopStream: a message that grows, for five minutes at most.

A stream ends about five minutes after it opened even while it is appended to
(https://github.com/slackapi/python-slack-sdk/issues/1859).
"""

from infra.dev.local_slack.actions import messages
from infra.dev.local_slack.actions.sessions import SESSION_STATUSES, set_session
from infra.dev.local_slack.block_kit.block_kit import MOST_MARKDOWN, TASK_STATUSES
from infra.dev.local_slack.block_kit.drafts import Draft, blocks_of
from infra.dev.local_slack.block_kit.views import give_ids
from infra.dev.local_slack.state.channels import Channel, Message, Stream
from infra.dev.local_slack.state.errors import SlackError, found, refuse_if
from infra.dev.local_slack.state.payload import JsonObject, copied, is_list, is_object, objects_in, text_in
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method

STREAM_SECONDS = 300.0
MOST_CHUNK_TEXT = 256
"""Characters in a title, details or output of a task_update or plan_update chunk."""
MOST_TASKS = 50
_CHUNK_FIELDS = {
    "markdown_text": {"text"},
    "plan_update": {"title"},
    "task_update": {"id", "title", "status", "details", "output", "sources"},
    "blocks": {"blocks"},
}


@method("chat.startStream", Tier.TWO, "chat:write")
async def start_stream(call: Call) -> JsonObject:
    """Open a streaming message in a thread."""
    backend = call.backend
    _require_streaming(call)
    call.required("thread_ts")
    channel, thread_ts = call.destination()
    if not channel.is_im:
        refuse_if(call.text("recipient_team_id") is None, "missing_recipient_team_id")
        recipient = found(call.text("recipient_user_id"), "missing_recipient_user_id")
        refuse_if(recipient not in channel.members, "user_not_in_channel")
    message = messages.bot_message(backend, channel, Draft(), thread_ts)
    ends_at = backend.clock.now() + STREAM_SECONDS
    message.stream = Stream(ends_at=ends_at, as_plan=call.text("task_display_mode") == "plan")
    _take(call, message, message.stream)
    messages.put(backend, channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream", Tier.FOUR, "chat:write")
async def append_stream(call: Call) -> JsonObject:
    """Add to a streaming message."""
    channel, message, stream = _streaming(call)
    if call.raw.get("markdown_text") in (None, "") and not call.raw.get("chunks"):
        raise SlackError("invalid_arguments", "[ERROR] missing required field: markdown_text")
    _take(call, message, stream)
    call.backend.announcer.redrawn(channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.stopStream", Tier.TWO, "chat:write")
async def stop_stream(call: Call) -> JsonObject:
    """Finish a streaming message."""
    channel, message, stream = _streaming(call)
    blocks = blocks_of(call.raw.get("blocks"))
    status = call.text("session_status")
    if status not in (None, *SESSION_STATUSES):
        raise SlackError("invalid_arguments", "[ERROR] must be a valid enum value [json-pointer:/session_status]")
    _take(call, message, stream)
    previous = copied(message.as_json())
    stream.open = False
    if blocks:
        give_ids(blocks)
        stream.blocks += blocks
    _compose(message, stream)
    call.backend.announcer.changed(channel, message, previous)
    if status is not None and message.thread_ts is not None:
        set_session(call.backend, channel, message.thread_ts, status)
    return {"channel": channel.id, "ts": message.ts, "message": channel.message_json(message)}


def close_expired(channel: Channel, now: float) -> list[Message]:
    """End the streams of a channel whose five minutes are over; return the messages that ended."""
    streams = [(message, stream) for message in channel.messages.values() if (stream := message.stream) is not None]
    ended = [(message, stream) for message, stream in streams if stream.open and now >= stream.ends_at]
    for _, stream in ended:
        stream.open = False
    return [message for message, _ in ended]


def _require_streaming(call: Call) -> None:
    refuse_if(not call.backend.switches.streaming, "unknown_method", req_method=call.method)


def _streaming(call: Call) -> tuple[Channel, Message, Stream]:
    _require_streaming(call)
    channel = call.channel()
    message = call.message(channel)
    close_expired(channel, call.backend.clock.now())
    refuse_if(message.bot_id != call.backend.app.bot_id, "message_not_owned_by_app")
    stream = found(message.stream, "message_not_in_streaming_state")
    refuse_if(not stream.open, "message_not_in_streaming_state")
    return channel, message, stream


def _take(call: Call, message: Message, stream: Stream) -> None:
    """Add the call's markdown_text and chunks to the stream, all or nothing."""
    markdown = call.text("markdown_text") or ""
    refuse_if(len(markdown) > MOST_MARKDOWN, "msg_too_long")
    given = call.json("chunks")
    refuse_if(given is not None and not is_list(given), "invalid_chunks")
    chunks = objects_in({"chunks": given}, "chunks")
    for chunk in chunks:
        _check_chunk(chunk)
    stream.markdown += markdown
    for chunk in chunks:
        _take_chunk(stream, chunk)
    refuse_if(len(stream.tasks) > MOST_TASKS, "invalid_chunks", f"[ERROR] no more than {MOST_TASKS} tasks allowed")
    _compose(message, stream)


def _check_chunk(chunk: JsonObject) -> None:
    kind = str(chunk.get("type"))
    refuse_if(kind not in _CHUNK_FIELDS, "invalid_chunks", f"[ERROR] unsupported type: {kind}")
    if unknown := set(chunk) - _CHUNK_FIELDS[kind] - {"type"}:
        raise SlackError("invalid_chunks", f"[ERROR] invalid additional property: {min(unknown)}")
    refuse_if(kind == "markdown_text" and len(str(chunk.get("text", ""))) > MOST_MARKDOWN, "msg_too_long")
    if kind == "task_update":
        whole = text_in(chunk, "id") and text_in(chunk, "title")
        refuse_if(not whole, "invalid_chunks", "[ERROR] missing required field: id, title")
        known = chunk.get("status") in TASK_STATUSES
        refuse_if(not known, "invalid_chunks", "[ERROR] must be a valid enum value [json-pointer:/status]")
    for name in ("title", "details", "output"):
        line = f"[ERROR] must be less than {MOST_CHUNK_TEXT + 1} characters: {name}"
        refuse_if(len(str(chunk.get(name) or "")) > MOST_CHUNK_TEXT, "invalid_chunks", line)
    if kind == "blocks":
        blocks_of(chunk.get("blocks"))


def _take_chunk(stream: Stream, chunk: JsonObject) -> None:
    match chunk["type"]:
        case "markdown_text":
            stream.markdown += str(chunk.get("text", ""))
        case "plan_update":
            stream.plan_title = str(chunk.get("title", ""))
        case "task_update":
            known = stream.tasks.get(str(chunk["id"]), {})
            task: JsonObject = {"task_id": chunk["id"], "title": chunk["title"], "status": chunk["status"]}
            for name in ("details", "output"):
                # Details and output of one task add up over its updates.
                if text := text_in(chunk, name):
                    task[name] = _rich_text(_plain_of(known.get(name)) + text)
                elif name in known:
                    task[name] = known[name]
            if sources := chunk.get("sources") or known.get("sources"):
                task["sources"] = sources
            stream.tasks[str(chunk["id"])] = task
        case _:
            blocks = blocks_of(chunk.get("blocks")) or []
            give_ids(blocks)
            stream.blocks += blocks


def _rich_text(text: str) -> JsonObject:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def _plain_of(rich_text: object) -> str:
    """Return the text of what _rich_text made."""
    if not is_object(rich_text):
        return ""
    return str(rich_text["elements"][0]["elements"][0]["text"])


def _compose(message: Message, stream: Stream) -> None:
    """Make the message show what the stream holds."""
    blocks: list[JsonObject] = []
    tasks = list(stream.tasks.values())
    if tasks and (stream.as_plan or stream.plan_title):
        blocks.append({"type": "plan", "title": stream.plan_title or "Plan", "tasks": tasks})
    else:
        blocks += [{"type": "task_card", **task} for task in tasks]
    if stream.markdown:
        blocks.append({"type": "markdown", "text": stream.markdown})
    blocks += stream.blocks
    give_ids(blocks)
    message.text = stream.markdown
    message.blocks = blocks
