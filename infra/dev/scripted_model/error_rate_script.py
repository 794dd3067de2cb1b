"""The script that the scripted model writes for error rates: its first draft and its repair.

Both keep to the Python that every sandbox runs. The first draft expects every line of a log to be whole, as models tend
to, and crashes at the first broken one.
"""

from collections.abc import Mapping

from sandbox.script import Json

RESULT_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "day": {"type": "string"},
        "services": {"type": "object"},
        "worst": {
            "type": "object",
            "properties": {
                "service": {"type": "string"},
                "hour": {"type": "string"},
                "requests": {"type": "integer"},
                "errors": {"type": "integer"},
                "rate": {"type": "number"},
            },
            "required": ["service", "hour", "requests", "errors", "rate"],
        },
    },
    "required": ["day", "services", "worst"],
}

FIRST_DRAFT = """\
def main(inputs):
    day, hours = inputs["day"], {}
    page, pages = 0, 1
    while page < pages:
        answer = tools.read_access_log(page=page)
        page, pages = page + 1, answer["pages"]
        for line in answer["text"].splitlines():
            fields = line.split(" ")
            if fields[0].startswith(day):
                hour = hours.setdefault((fields[1], fields[0][:13]), [0, 0])
                hour[0] += 1
                hour[1] += int(fields[6]) >= 500
    services = {}
    for (service, _), (requests, errors) in sorted(hours.items()):
        total = services.get(service, (0, 0))
        services[service] = (total[0] + requests, total[1] + errors)
    (service, hour), worst = max(hours.items(), key=lambda item: item[1][1] / item[1][0])
    return {
        "day": day,
        "services": {name: rated(*total) for name, total in services.items()},
        "worst": {"service": service, "hour": hour + ":00:00Z", **rated(*worst)},
    }


def rated(requests, errors):
    return {"requests": requests, "errors": errors, "rate": round(errors / requests, 6)}
"""

_BELIEVES = """\
            if fields[0].startswith(day):
                hour = hours"""
_CHECKS = """\
            # Broken lines exist: cut short, or with "-" for a status that was never sent.
            if len(fields) != 9 or not fields[6].isdigit():
                unreadable += 1
            elif fields[0].startswith(day):
                hour = hours"""

REPAIRED = (
    FIRST_DRAFT.replace(_BELIEVES, _CHECKS)
    .replace("    page, pages = 0, 1\n", "    page, pages, unreadable = 0, 1, 0\n")
    .replace('        "day": day,\n', '        "day": day,\n        "unreadable_lines": unreadable,\n')
)


def repaired(script: str) -> str:
    """Return the script with the cure for broken lines; one that is not the first draft stays as it is."""
    return REPAIRED if script.strip() == FIRST_DRAFT.strip() else script
