"""`[roles.NAME]`: the roles of subagents, those that come with Greenlight and a team's own."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from agent.limits import Role
from agent.llm.shipped_roles import shipped_roles
from agent.plan.file_names import FILES_WRITE
from agent.plan.json_schema import model_schema_issues
from agent.reading.plan_language.names import HELPERS
from agent.roles import MOST_ROLES, SubagentRole
from agent.tool import Registry

RoleKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

_TAKEN = HELPERS | {role.value for role in Role}
_ROLE = TypeAdapter(SubagentRole)


def _with_shipped(given: object) -> object:
    """Return the tables of all roles: those that come along, changed by the file, then the file's own.

    `enabled = false` leaves one out.
    """
    if not isinstance(given, Mapping):
        return given
    tables = cast("Mapping[str, object]", given)
    shipped = {name: _ROLE.dump_python(role, mode="json", exclude={"name"}) for name, role in shipped_roles().items()}
    all_tables: dict[str, object] = {}
    for name in (*shipped, *(name for name in tables if name not in shipped)):
        table = tables.get(name, {})
        if not isinstance(table, Mapping):
            all_tables[name] = table
            continue
        own = dict(cast("Mapping[str, object]", table))
        if own.get("enabled") is False:
            continue
        if own.get("enabled") is True:
            del own["enabled"]
        if "name" in own:
            raise ValueError(f"{name}.name: Extra inputs are not permitted")
        all_tables[name] = {**shipped.get(name, {}), **own, "name": name}
    return all_tables


def _checked(roles: Mapping[str, SubagentRole]) -> Mapping[str, SubagentRole]:
    if len(roles) > MOST_ROLES:
        raise ValueError(f"there may be {MOST_ROLES} roles; leave one out with enabled = false")
    for role in roles.values():
        if role.name in _TAKEN:
            raise ValueError(f"{role.name} is a word of its own; choose another name")
        if unknown := [name for name in role.roles if name not in roles]:
            raise ValueError(f"{role.name} may not hand work to {unknown[0]}: there is no such role")
        if unready := [name for name in role.roles if roles[name].lead]:
            raise ValueError(f"{role.name} may not hand work to {unready[0]}, which is a lead itself")
        if role.roles and not role.lead:
            raise ValueError(f"{role.name} names roles but is no lead; add lead = true")
        if role.result_schema is not None and (issue := next(iter(model_schema_issues(role.result_schema)), None)):
            raise ValueError(f"{role.name}.result_schema{issue.pointer}: {issue.message}")
    return roles


RoleTables = Annotated[dict[RoleKey, SubagentRole], BeforeValidator(_with_shipped), AfterValidator(_checked)]


def unusable_roles(registry: Registry) -> Sequence[str]:
    """Return what is wrong with roles beside the tools that there are, in words; nothing: all can be used."""
    wrong: list[str] = []
    for role in registry.roles:
        wrong += [
            f"roles.{role.name}.tools: there is no tool {name}"
            for name in role.tools
            if "*" not in name and name != FILES_WRITE and registry.find(name) is None
        ]
        if registry.find(role.name) is not None:
            wrong.append(f"roles.{role.name}: a tool has this name")
    return wrong
