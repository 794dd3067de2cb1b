"""`[privacy]` of the configuration file: the personal data that models read a mask of."""

import re
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from agent.limits import PersonalKind, Privacy
from infra.config.policy import known_pattern

_NAME = re.compile(r"[a-z][a-z_]{0,23}")
_MOST_PATTERNS = 50
_PATTERN_CHARACTERS = 1_000


def _usable(privacy: Privacy, info: ValidationInfo) -> Privacy:
    for name in privacy.tools:
        known_pattern(name, info)
    if len(privacy.patterns) > _MOST_PATTERNS:
        raise ValueError(f"there may be {_MOST_PATTERNS} patterns")
    for name in privacy.patterns:
        if not _NAME.fullmatch(name) or name in frozenset(PersonalKind):
            raise ValueError(
                f"{name!r} is no name for a kind of one's own: small letters and _, and none that is taken"
            )
    if (privacy.tools or privacy.region) and not privacy.kinds:
        raise ValueError("mask or patterns is needed")
    if privacy.patterns or privacy.region:
        _check(privacy)
    return privacy


def _check(privacy: Privacy) -> None:
    from agent.llm.personal_data import own_pattern, regions  # its libraries take a while to load

    for name, pattern in privacy.patterns.items():
        if len(pattern) > _PATTERN_CHARACTERS:
            raise ValueError(f"patterns.{name} has more than {_PATTERN_CHARACTERS} characters")
        try:
            own_pattern(pattern)
        except ValueError as error:
            raise ValueError(f"patterns.{name}: {error}") from error
    if privacy.region and privacy.region not in regions():
        raise ValueError(f"there are no telephone numbers of {privacy.region!r}")


PrivacyTable = Annotated[Privacy, AfterValidator(_usable)]
