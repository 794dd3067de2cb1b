"""Keeps a workspace's messages in a JSON file, so that a restart of the demo does not lose the conversation."""

import json
from dataclasses import asdict
from pathlib import Path

from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object, made, object_in, objects_in
from infra.dev.local_slack.state.people import Kind, Person
from infra.dev.local_slack.state.team import Team

VERSION = 1


def save(team: Team, path: Path) -> None:
    """Write people, channels and messages; the file is replaced whole."""
    content: JsonObject = {
        "version": VERSION,
        "people": [asdict(person) for person in team.people.values()],
        "channels": [
            asdict(channel) | {"messages": [_message_json(message) for message in channel.messages.values()]}
            for channel in team.channels.values()
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".new")
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.replace(path)


def load(team: Team, path: Path) -> None:
    """Put what `save` wrote into a fresh team; a file that is missing or of another version changes nothing."""
    content: object = decoded(path.read_text(encoding="utf-8")) if path.exists() else None
    if not is_object(content) or content.get("version") != VERSION:
        return
    for person in objects_in(content, "people"):
        team.people[str(person["id"])] = made(Person, person | {"kind": Kind(str(person["kind"]))})
    for entry in objects_in(content, "channels"):
        channel = made(Channel, entry | {"messages": {}})
        for message in objects_in(entry, "messages"):
            channel.messages[str(message["ts"])] = made(
                Message, message | {"reactions": object_in(message, "reactions")}
            )
        team.channels[channel.id] = channel


def _message_json(message: Message) -> JsonObject:
    """Return a message without its stream: a restart ends streams."""
    return asdict(message) | {"stream": None}
