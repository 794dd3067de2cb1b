"""What a click may come too late for: a refusal of any other kind is a fault of the test that clicked."""

from infra.dev.local_slack.state.errors import ControlError

_GONE = frozenset({"action_not_found", "message_not_found"})


def is_late(error: BaseException) -> bool:
    """Return whether the button, or its message, was gone when it was pressed."""
    return isinstance(error, ControlError) and error.error in _GONE


class LateClick:
    """Suppresses a click that came too late, and nothing else: `with LateClick(): await people.click(...)`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return error is not None and is_late(error)
