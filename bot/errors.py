"""The Slack side's error tree.

BotError
+-- SlackRefused       Slack answered, and the answer is no
|   +-- ThreadClosed   the app may not write where the thread is
+-- SlackUnreachable   no usable answer: connection, timeout or a broken body
"""


class BotError(Exception):
    """Base of everything the Slack side raises."""


class SlackRefused(BotError):
    """Slack answered `ok: false`. `code` is its word for why, e.g. `not_in_channel`."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"{method}: {code}")
        self.method = method
        self.code = code


class ThreadClosed(SlackRefused):
    """The app may not write where the thread is: not invited (any more), archived, locked or gone."""


class SlackUnreachable(BotError):
    """Slack gave no usable answer; whether it did what was asked is not known."""

    def __init__(self, method: str) -> None:
        super().__init__(f"{method}: no usable answer")
        self.method = method
