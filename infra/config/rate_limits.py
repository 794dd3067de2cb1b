"""`[rate_limits.NAME]` of the configuration file: how often the tools of a name may be called."""

from typing import Annotated

from pydantic import AfterValidator

from agent.tools.rate_limits import RateLimit
from infra.config.policy import NOT_TOOLS, known_pattern


def _tools(name: str) -> str:
    if name in NOT_TOOLS:
        raise ValueError(f"no tool is called {name!r}")
    return name


LimitedTools = Annotated[str, AfterValidator(known_pattern), AfterValidator(_tools)]


def _limits_something(limit: RateLimit) -> RateLimit:
    if limit.calls is None and limit.per_person is None:
        raise ValueError("calls or per_person is needed")
    return limit


RateLimitTable = Annotated[RateLimit, AfterValidator(_limits_something)]
