"""Keeps a workspace's messages in a JSON file, so that a restart of the demo does not lose the conversation."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object, object_in, objects_in
from infra.dev.local_slack.state.people import Kind, Person
from infra.dev.local_slack.state.team import Team

VERSION = 1
_Value = TypeVar("_Value")


def save(team: Team, path: Path) -> None:
    """Write people, channels and messages; the file is replaced whole."""
    told: JsonObject = {
        "version": VERSION,
        "people": [asdict(person) for person in team.people.values()],
        "channels": [
            asdict(channel) | {"messages": [_told(message) for message in channel.messages.values()]}
            for channel in team.channels.values()
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".new")
    beside.write_text(json.dumps(told), encoding="utf-8")
    beside.replace(path)


def load(team: Team, path: Path) -> None:
    """Put what `save` wrote into a fresh team; a file that is missing or of another version changes nothing."""
    told: object = decoded(path.read_text(encoding="utf-8")) if path.exists() else None
    if not is_object(told) or told.get("version") != VERSION:
        return
    for person in objects_in(told, "people"):
        team.people[str(person["id"])] = _made(Person, person | {"kind": Kind(str(person["kind"]))})
    for entry in objects_in(told, "channels"):
        channel = _made(Channel, entry | {"messages": {}})
        for message in objects_in(entry, "messages"):
            channel.messages[str(message["ts"])] = _made(
                Message, message | {"reactions": object_in(message, "reactions")}
            )
        team.channels[channel.id] = channel


def _told(message: Message) -> JsonObject:
    """A message without its stream: a restart ends streams."""
    return asdict(message) | {"stream": None}


def _made(kind: type[_Value], values: dict[str, Any]) -> _Value:
    """A dataclass from its asdict, without keys it does not know."""
    names = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType] - only called with dataclasses
    return kind(**{name: value for name, value in values.items() if name in names})
