"""What is said to a language model and what comes back: roles, messages, and the Protocol of a model."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


class Role(StrEnum):
    """What a model is asked to be; `agent/prompts/<role>.md` is its system message."""

    PLANNER = "planner"
    REFLEXION = "reflexion"
    REFLECTION = "reflection"
    ANSWER = "answer"
    SUMMARY = "summary"


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of a dialogue."""

    by: Literal["system", "human", "ai"]
    text: str


class LanguageModel(Protocol):
    """A chat model. Both methods raise `ModelUnavailable`, whose text never holds a secret."""

    def stream(self, role: Role, messages: Sequence[Said]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives. Close the generator to stop early."""
        ...

    async def complete(self, role: Role, messages: Sequence[Said]) -> str:
        """Return the whole answer."""
        ...
