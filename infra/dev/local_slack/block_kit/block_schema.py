"""Checks for JSON values that answer with Slack's words and JSON pointers; block_kit.py builds Block Kit of them."""

from collections.abc import Callable, Mapping

from infra.dev.local_slack.state.payload import is_list, is_object

Check = Callable[[object, str], list[str]]
"""(value, JSON pointer) -> what is wrong with it, in Slack's words; empty when nothing is."""


def fault(text: str, pointer: str) -> str:
    """Return one line of response_metadata.messages."""
    return f"[ERROR] {text} [json-pointer:{pointer}]"


def string(*, most: int | None = None, least: int = 0) -> Check:
    """Return the check for a string of `least` to `most` characters."""

    def check(value: object, pointer: str) -> list[str]:
        if not isinstance(value, str):
            return [fault("must provide a string", pointer)]
        if most is not None and len(value) > most:
            return [fault(f"must be less than {most + 1} characters", pointer)]
        if len(value) < least:
            return [fault(f"must be more than {least - 1} characters", pointer)]
        return []

    return check


def boolean(value: object, pointer: str) -> list[str]:
    """Check for true or false."""
    return [] if isinstance(value, bool) else [fault("must provide a boolean", pointer)]


def number(value: object, pointer: str) -> list[str]:
    """Check for any number."""
    ok = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if ok else [fault("must provide a number", pointer)]


def anything(value: object, pointer: str) -> list[str]:
    """Accept any value, because this workspace does not look into it."""
    _ = value, pointer
    return []


def one_of(*allowed: str) -> Check:
    """Return the check for one of the given words."""

    def check(value: object, pointer: str) -> list[str]:
        return [] if value in allowed else [fault("must be a valid enum value", pointer)]

    return check


def array(member: Check, *, most: int | None = None, least: int = 0) -> Check:
    """Return the check for an array of `least` to `most` members."""

    def check(value: object, pointer: str) -> list[str]:
        if not is_list(value):
            return [fault("must provide an array", pointer)]
        if most is not None and len(value) > most:
            return [fault(f"no more than {most} items allowed", pointer)]
        if len(value) < least:
            return [fault(f"no fewer than {least} items required", pointer)]
        return [line for index, item in enumerate(value) for line in member(item, f"{pointer}/{index}")]

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return the check for an object with these members and no others."""
    members = dict(required) | dict(optional or {})

    def check(value: object, pointer: str) -> list[str]:
        if not is_object(value):
            return [fault("must provide an object", pointer)]
        lines = [fault(f"missing required field: {name}", pointer) for name in required if value.get(name) is None]
        lines += [fault(f"invalid additional property: {name}", pointer) for name in value if name not in members]
        for name, member in members.items():
            if value.get(name) is not None:
                lines += member(value[name], f"{pointer}/{name}")
        return lines

    return check


def tagged(kinds: Mapping[str, Check]) -> Check:
    """Return the check for an object whose `type` says which of the shapes it has."""

    def check(value: object, pointer: str) -> list[str]:
        if not is_object(value):
            return [fault("must provide an object", pointer)]
        kind = value.get("type")
        if not isinstance(kind, str):
            return [fault("missing required field: type", pointer)]
        if kind not in kinds:
            return [fault(f"unsupported type: {kind}", f"{pointer}/type")]
        return kinds[kind](value, pointer)

    return check
