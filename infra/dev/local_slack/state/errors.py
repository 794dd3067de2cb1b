"""Refusals of the workspace, to the app and to people.

WorkspaceError
├── SlackError     the app asked the Web API for something Slack does not allow
└── ControlError   a person (or a test acting as one) tried what a Slack client does not offer
"""

from typing import Any, TypeVar

from infra.dev.local_slack.state.payload import JsonObject

_Found = TypeVar("_Found")


class WorkspaceError(Exception):
    """Anything the workspace refuses."""


class SlackError(WorkspaceError):
    """A Web API call was refused with one of Slack's own error codes.

    `messages` become response_metadata.messages; `facts` are further keys of the answer, such as needed and provided.
    """

    def __init__(self, error: str, *messages: str, **facts: Any) -> None:
        super().__init__(f"{error} {'; '.join(messages)}".rstrip())
        self.error = error
        self.messages = messages
        self.facts = facts

    def as_json(self) -> JsonObject:
        """Return the answer in Slack's form."""
        body: JsonObject = {"ok": False, "error": self.error, **self.facts}
        if self.messages:
            body["response_metadata"] = {"messages": list(self.messages)}
        return body


def refuse_if(wrong: object, error: str, *messages: str, **facts: Any) -> None:
    """Raise SlackError when `wrong` is true; the other arguments are the error's."""
    if wrong:
        raise SlackError(error, *messages, **facts)


def found(value: _Found | None, error: str, *messages: str) -> _Found:
    """Return what was looked up.

    Raises:
        SlackError: There is none.
    """
    if value is None:
        raise SlackError(error, *messages)
    return value


class ControlError(WorkspaceError):
    """A person's action was refused by the client, before it reached the app; `explanation` is for people."""

    def __init__(self, error: str, explanation: str) -> None:
        super().__init__(f"{error}: {explanation}")
        self.error = error
        self.explanation = explanation
