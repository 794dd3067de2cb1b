"""The tools of `[tools.git]`."""

from collections.abc import Sequence

from agent.tool import Tool
from infra.tools.git.branches import writing_tools
from infra.tools.git.clone import Clone
from infra.tools.git.history import Clones, reading_tools
from infra.tools.git.program import GitProgram
from infra.tools.git.revert import revert_changes
from infra.tools.git.settings import GitConfig

READING = frozenset({"git_log", "git_show", "git_diff", "git_grep", "git_blame", "git_revert_changes"})
WRITING = frozenset({"git_create_branch", "git_delete_branch", "git_commit", "git_push"})

GIT_TOOLS = READING | WRITING
"""Their names."""


def git_tools(config: GitConfig) -> Sequence[Tool]:
    """Return the tools on these repositories: those that write only where a forge is configured."""
    program = GitProgram()
    by_name = {name: Clone(name, repository, config, program) for name, repository in config.repositories.items()}
    clones = Clones(by_name=by_name, config=config)
    writes = any(repository.api is not None for repository in config.repositories.values())
    return (*reading_tools(clones), revert_changes(clones), *(writing_tools(clones) if writes else ()))
