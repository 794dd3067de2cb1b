"""The shape of a listener as bolt calls it: arguments are injected by name."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

Listener: TypeAlias = Callable[..., Awaitable[None]]
