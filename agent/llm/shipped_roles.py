"""The roles that come with Greenlight; a file's `[roles]` changes them and adds others."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from agent.plan.file_names import FILES_WRITE
from agent.roles import SubagentRole
from sandbox.script import Json

_PROMPTS = Path(__file__).parent / "prompts" / "roles"

_VERDICT: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "passes": {"type": "boolean"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}, "mend": {"type": "string"}},
                "required": ["what"],
            },
        },
        "summary": {"type": "string"},
    },
    "required": ["passes", "faults"],
}
"""What a critic returns, so that a plan can go by it."""


@cache
def shipped_roles() -> Mapping[str, SubagentRole]:
    """Return name -> role."""
    roles = (
        SubagentRole(
            name="researcher",
            prompt=_prompt("researcher"),
            purpose="finds things out with every reading tool, and gives sources",
            tools=("*",),
            steps=12,
        ),
        SubagentRole(
            name="coder",
            prompt=_prompt("coder"),
            purpose="writes code as text; runs nothing",
            tools=(FILES_WRITE,),
        ),
        SubagentRole(
            name="critic",
            prompt=_prompt("critic"),
            purpose="judges work; returns passes (true or false), faults, summary",
            result_schema=_VERDICT,
        ),
        SubagentRole(name="writer", prompt=_prompt("writer"), purpose="writes or mends a text for readers"),
        SubagentRole(
            name="analyst",
            prompt=_prompt("analyst"),
            purpose="turns data into figures and conclusions, with the reading tools",
            tools=("*", FILES_WRITE),
            steps=10,
        ),
        SubagentRole(
            name="lead",
            prompt=_prompt("lead"),
            purpose="splits work among the other roles and joins what they return",
            steps=6,
            lead=True,
        ),
    )
    return {role.name: role for role in roles}


def _prompt(name: str) -> str:
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8")
