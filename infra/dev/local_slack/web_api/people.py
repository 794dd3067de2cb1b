"""users.list, info, lookupByEmail; usergroups.list and usergroups.users.list."""

from __future__ import annotations

from infra.dev.local_slack.state.errors import SlackError
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.people import Person
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("users.list", Tier.TWO, "users:read")
async def list_(call: Call) -> JsonObject:
    """Everybody, page by page."""
    people = [_told(call, person) for person in call.backend.team.people.values()]
    return call.page(people, key="members") | {"cache_ts": int(call.backend.clock.now())}


@method("users.info", Tier.FOUR, "users:read")
async def info(call: Call) -> JsonObject:
    """One person."""
    person = call.backend.team.people.get(call.required("user"))
    if person is None:
        raise SlackError("user_not_found")
    return {"user": _told(call, person)}


@method("users.lookupByEmail", Tier.THREE, "users:read.email")
async def lookup_by_email(call: Call) -> JsonObject:
    """The person of an address."""
    email = call.required("email").casefold()
    for person in call.backend.team.people.values():
        if person.email and person.email.casefold() == email and not person.deleted:
            return {"user": _told(call, person)}
    raise SlackError("users_not_found")


@method("usergroups.list", Tier.TWO, "usergroups:read")
async def usergroups(call: Call) -> JsonObject:
    """All user groups."""
    team = call.backend.team
    with_users = call.flag("include_users")
    return {"usergroups": [group.as_json(team.id, with_users=with_users) for group in team.usergroups.values()]}


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
async def usergroup_members(call: Call) -> JsonObject:
    """Who is in a user group."""
    group = call.backend.team.usergroups.get(call.required("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    people = call.backend.team.people
    return {"users": [user for user in group.users if user in people and not people[user].deleted]}


def _told(call: Call, person: Person) -> JsonObject:
    return person.as_json(with_email="users:read.email" in call.backend.app.scopes)
