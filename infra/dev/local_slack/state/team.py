"""The content of the workspace: people, user groups, channels with their messages, ephemeral messages, files."""

import mimetypes
import secrets
import string
from dataclasses import dataclass, field

from infra.dev.local_slack.state.channels import Channel, Message
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.people import Person, Usergroup

_ALPHABET = string.ascii_uppercase + string.digits


def new_id(prefix: str, length: int = 10) -> str:
    """Return a fresh id of Slack's look, such as `F7K2Q0ZP1LM`."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(kw_only=True)
class StoredFile:
    """A file in the workspace, or on its way there."""

    id: str
    name: str
    length: int
    owner: str
    created: int
    title: str = ""
    #: None until it is uploaded.
    content: bytes | None = None
    #: Whether it is in the workspace.
    shared: bool = False
    #: Of a canvas: when it was edited last, in seconds since the epoch; its content is Markdown. None: it is none.
    edited: int | None = None
    #: The conversations in which a canvas is shared.
    shared_in: list[str] = field(default_factory=list[str])

    @property
    def media_type(self) -> str:
        """The media type that the name stands for."""
        if self.edited is not None:
            return "application/vnd.slack-docs"
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    def as_json(self, base_url: str) -> JsonObject:
        """Return the file object of the Web API."""
        canvas = {} if self.edited is None else {"filetype": "quip", "pretty_type": "Canvas", "updated": self.edited}
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "mimetype": self.media_type,
            "filetype": self.name.rpartition(".")[2] or "binary",
            "size": self.length,
            "user": self.owner,
            "created": self.created,
            "mode": "hosted",
            "url_private": f"{base_url}/files/{self.id}/{self.name}",
            "url_private_download": f"{base_url}/files/{self.id}/{self.name}",
            "permalink": f"{base_url}/control/files/{self.id}",
            **canvas,
        }


@dataclass(kw_only=True)
class Ephemeral:
    """A message only one person sees; it is in no history and raises no event."""

    user: str
    message: Message


@dataclass(kw_only=True)
class Session:
    """An agent session's state in one thread."""

    status: str
    title: str = ""


@dataclass(kw_only=True)
class Team:
    """The workspace's content, by id."""

    clock: Clock
    id: str = "T0LOCAL"
    domain: str = "local-workspace"
    name: str = "Local workspace"
    bot_user_id: str = "U0GREENLIGHT"
    people: dict[str, Person] = field(default_factory=dict[str, Person])
    usergroups: dict[str, Usergroup] = field(default_factory=dict[str, Usergroup])
    channels: dict[str, Channel] = field(default_factory=dict[str, Channel])
    ephemerals: list[Ephemeral] = field(default_factory=list[Ephemeral])
    files: dict[str, StoredFile] = field(default_factory=dict[str, StoredFile])
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict[tuple[str, str], Session])

    def channel_named(self, reference: str) -> Channel | None:
        """Return the channel of an id, `#name` or `name`; None when there is none."""
        if found := self.channels.get(reference):
            return found
        name = reference.removeprefix("#")
        return next((channel for channel in self.channels.values() if channel.name == name and not channel.is_im), None)

    def person_named(self, reference: str) -> Person | None:
        """Return the person of an id or a handle, with or without @."""
        name = reference.removeprefix("@").casefold()
        return self.people.get(reference) or next(
            (
                person
                for person in self.people.values()
                if name in (person.name.casefold(), person.real_name.casefold())
            ),
            None,
        )

    def add_file(self, name: str, *, owner: str, length: int) -> StoredFile:
        """Add a file whose bytes are still to come."""
        file = StoredFile(id=new_id("F"), name=name, length=length, owner=owner, created=int(self.clock.now()))
        self.files[file.id] = file
        return file

    def direct_message(self, user_id: str) -> Channel | None:
        """Return the direct message between the app and a person, when it has been opened."""
        return next((channel for channel in self.channels.values() if channel.with_user == user_id), None)

    def open_direct_message(self, user_id: str) -> Channel:
        """Return the direct message between the app and a person, opened now if need be."""
        if existing := self.direct_message(user_id):
            return existing
        name = self.people[user_id].name
        channel = Channel(
            id=f"D0{user_id.removeprefix('U0')}",
            name=f"dm-{name}",
            creator=self.bot_user_id,
            created=int(self.clock.now()),
            members=[user_id, self.bot_user_id],
            is_im=True,
            is_private=True,
            with_user=user_id,
        )
        self.channels[channel.id] = channel
        return channel
