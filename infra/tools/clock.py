"""The tools `current_time` and `calculate_time`: the time in a zone, and sums and differences of times."""

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,6})W)?"
    r"(?:(?P<days>\d{1,7})D)?(?:T(?=.)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?"
    r"(?:(?P<seconds>\d{1,12}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
"""An ISO 8601 duration, whose units are all optional."""

_ZONE: Mapping[str, Json] = {
    "type": "string",
    "description": "An IANA time zone, such as Europe/Berlin.",
    "maxLength": 64,
}
_TIME: Mapping[str, Json] = {"type": "string", "maxLength": 64}

TIME_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"zone": {**_ZONE, "default": "UTC"}},
    "additionalProperties": False,
}

CALCULATION_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "time": {**_TIME, "description": "An ISO 8601 time; without an offset it is one in the zone."},
        "add": {**_TIME, "description": "An ISO 8601 duration, such as P1M2DT3H or -PT30M."},
        "until": {**_TIME, "description": "The other time, instead of a duration."},
        "zone": _ZONE,
    },
    "required": ["time"],
    "oneOf": [{"required": ["add"]}, {"required": ["until"]}],
    "additionalProperties": False,
}


def current_time() -> Tool:
    """Return the tool."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        return _time_json(datetime.now(_zone(str(args.get("zone", "UTC")))))

    return Tool(
        name=ToolName("current_time"),
        description="Return the current time in a zone (UTC without one): time (ISO 8601), weekday, zone, unix.",
        arguments=TIME_ARGUMENTS,
        colour=Colour.GREEN,
        call=call,
        timeout_seconds=5.0,
    )


def calculate_time() -> Tool:
    """Return the tool."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        zone = _zone(str(args["zone"])) if "zone" in args else None
        time = read_time(str(args["time"]), zone)
        if "until" in args:
            return difference(time, read_time(str(args["until"]), zone))
        return _time_json(moved(time, str(args["add"])))

    return Tool(
        name=ToolName("calculate_time"),
        description="Calculate with times. With `add`, returns the time so much later (or earlier): time (ISO 8601), "
        "weekday, zone, unix. Years, months, weeks and days move the calendar and keep the time of day of the zone; "
        "hours, minutes and seconds are time that passes. With `until`, returns the difference: seconds, duration.",
        arguments=CALCULATION_ARGUMENTS,
        colour=Colour.GREEN,
        call=call,
        timeout_seconds=5.0,
    )


def read_time(text: str, zone: ZoneInfo | None) -> datetime:
    """Return the time, in the zone if there is one.

    Raises:
        ToolError: `bad_time`: it cannot be read, or has neither an offset nor a zone.
    """
    try:
        time = datetime.fromisoformat(text.strip())
        if time.tzinfo is None and zone is not None:
            time = time.replace(tzinfo=zone)
        if time.tzinfo is not None:
            # By way of UTC: a time that a change of the clocks leaves out becomes the one that the clocks show then.
            return time.astimezone(UTC).astimezone(zone or time.tzinfo)
    except (ValueError, OverflowError):
        raise ToolError("bad_time", f"{text[:64]!r} is no ISO 8601 time.") from None
    raise ToolError("bad_time", f"{text[:64]!r} has no offset; give the zone it is meant in.")


def moved(time: datetime, duration: str) -> datetime:
    """Return the time that is an ISO 8601 duration later, in the same zone.

    A day that a month lacks becomes the month's last one. A time of day that a change of the clocks leaves out becomes
    the one that the clocks show then; one that comes twice is the first.

    Raises:
        ToolError: `bad_duration`, or `bad_time` for one beyond the years 1 to 9999.
    """
    if (found := _DURATION.fullmatch(duration.strip())) is None:
        raise ToolError("bad_duration", f"{duration[:64]!r} is no ISO 8601 duration, such as P1DT2H or -PT30M.")
    sign = -1 if found["sign"] == "-" else 1
    given = {
        name: float(count) if name == "seconds" else int(count)
        for name, count in found.groupdict("0").items()
        if name != "sign"
    }
    passing = timedelta(hours=given["hours"], minutes=given["minutes"], seconds=given["seconds"])
    months = sign * int(given["years"] * 12 + given["months"])
    days = sign * timedelta(weeks=given["weeks"], days=given["days"])
    try:
        if months or days:
            time = (_months_later(time, months) + days).replace(fold=0)
        return (time.astimezone(UTC) + sign * passing).astimezone(time.tzinfo)
    except (ValueError, OverflowError):
        raise ToolError("bad_time", "The result is beyond the years 1 to 9999.") from None


def difference(time: datetime, until: datetime) -> Json:
    """Return the time that passes between two, negative when the second is the earlier; a day is 24 hours."""
    passed = until.astimezone(UTC) - time.astimezone(UTC)
    return {"seconds": passed.total_seconds(), "duration": _duration_text(passed)}


def _months_later(time: datetime, months: int) -> datetime:
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return time.replace(year=year, month=month + 1, day=min(time.day, calendar.monthrange(year, month + 1)[1]))


def _duration_text(passed: timedelta) -> str:
    size = abs(passed)
    minutes, seconds = divmod(size.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f"{seconds}.{size.microseconds:06}".rstrip("0") if size.microseconds else str(seconds)
    clock = "".join(
        f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (fraction, "S")) if count not in (0, "0")
    )
    text = (f"{size.days}D" if size.days else "") + (f"T{clock}" if clock else "")
    return f"{'-' if passed < timedelta() else ''}P{text or 'T0S'}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolError("bad_zone", f"There is no time zone {name[:64]!r}, such as Europe/Berlin.") from None


def _time_json(time: datetime) -> Json:
    return {
        "time": time.isoformat(),
        "weekday": calendar.day_name[time.weekday()],
        "zone": str(time.tzinfo),
        "unix": time.timestamp(),
    }
