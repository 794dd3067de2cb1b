"""The agent's error tree.

AgentError
+-- StoreUnavailable      the database cannot be reached
|   +-- ContentUnavailable  the database can, the store of its files' contents cannot
+-- DuplicateNode         an operation adds a node id the thread already has
+-- ArtifactMissing       an artifact was evicted or never stored
+-- ModelUnavailable      the language model cannot be reached or refuses us
|   +-- ModelSlow         it was reached and takes too long
|   +-- ModelBusy         its server puts us off for too long
|   +-- ContextExceeded   what it was told is longer than it can read
+-- RunnerLost            this process no longer holds the thread's lease
+-- CallsFrozen           an administrator stopped red calls
"""

from enum import StrEnum


class AgentError(Exception):
    """Base of everything the agent raises."""


class StoreUnavailable(AgentError):
    """The database cannot be reached."""


class ContentUnavailable(StoreUnavailable):
    """The store that has the contents of files cannot be reached, or returned another content than was put there."""


class DuplicateNode(AgentError):
    """An operation adds a node the thread already has."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node {node!r} is already in the log")
        self.node = node


class ArtifactMissing(AgentError):
    """The artifact was never stored for this thread, or has been evicted. Its file's name and what it was, if known."""

    def __init__(self, name: str = "", what: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.what = what


class ModelUnavailable(AgentError):
    """The language model cannot be reached, refuses us or answered nothing usable."""


class ModelSlow(ModelUnavailable):
    """The language model was reached and takes longer than we wait: for its first word, its next, or the last."""


class ModelBusy(ModelUnavailable):
    """The model's server put us off for longer than we may wait; `wait_seconds` is its own wish, 0 if it named none."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class ContextExceeded(ModelUnavailable):
    """The prompt is longer than the model can read; only a shorter one helps."""


class CallsFrozen(AgentError):
    """An administrator stopped red calls; nothing was called."""


class RunnerLost(AgentError):
    """This process no longer holds the thread's lease; whatever it still does must not be stored."""


class TurnError(StrEnum):
    """Why a turn ended without doing its work; `bot/wording.py` has the words for people."""

    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_BUSY = "model_busy"
    MODEL_SLOW = "model_slow"
    MODEL_UNHEARD = "model_unheard"
    ANSWER_SLOW = "answer_slow"
    REQUEST_TOO_LONG = "request_too_long"
    RESULTS_TOO_LONG = "results_too_long"
    PLAN_INVALID = "plan_invalid"
    PLAN_TOO_LARGE = "plan_too_large"
    INTERNAL = "internal"
