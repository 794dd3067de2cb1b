"""users.list and info; usergroups.list and usergroups.users.list."""

from infra.dev.local_slack.state.errors import found
from infra.dev.local_slack.state.payload import JsonObject
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api.call import Call, method


@method("users.list", Tier.TWO, "users:read")
async def list_people(call: Call) -> JsonObject:
    """Everybody, page by page."""
    people = [person.as_json() for person in call.backend.team.people.values()]
    return call.page(people, key="members") | {"cache_ts": int(call.backend.clock.now())}


@method("users.info", Tier.FOUR, "users:read")
async def person_info(call: Call) -> JsonObject:
    """One person."""
    person = found(call.backend.team.people.get(call.required("user")), "user_not_found")
    return {"user": person.as_json()}


@method("usergroups.list", Tier.TWO, "usergroups:read")
async def usergroups(call: Call) -> JsonObject:
    """All user groups."""
    team = call.backend.team
    with_users = call.flag("include_users")
    return {"usergroups": [group.as_json(team.id, with_users=with_users) for group in team.usergroups.values()]}


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
async def usergroup_members(call: Call) -> JsonObject:
    """Who is in a user group."""
    group = found(call.backend.team.usergroups.get(call.required("usergroup")), "no_such_subteam")
    people = call.backend.team.people
    return {"users": [user for user in group.users if user in people and not people[user].deleted]}
