"""Tracebacks as people and models get them: the script's own frames, each with its source line (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.values import clean_text

SCRIPT_NAME = "script.py"
"""The name a script's frames carry, in every sandbox."""

FRAMES_SHOWN = 24
"""A deeper traceback keeps its first and last dozen frames."""

LINE_CHARACTERS = 200
MESSAGE_CHARACTERS = 4000


@dataclass(frozen=True, kw_only=True)
class ScriptFrame:
    """One frame of the script."""

    #: From 1.
    line: int
    #: "" for the module itself.
    function: str = ""


def traceback_text(code: str, frames: Sequence[ScriptFrame], type: str, message: str) -> str:
    """Return the traceback in Python's own form, innermost frame last, however deep the stack was."""
    lines = code.splitlines()
    shown = [_frame_text(lines, frame) for frame in frames]
    if len(frames) > FRAMES_SHOWN:
        half = FRAMES_SHOWN // 2
        shown[half:-half] = [f"  [{len(frames) - FRAMES_SHOWN} frames left out]"]
    head = ["Traceback (most recent call last):"] if shown else []
    return clean_text("\n".join([*head, *shown, f"{type}: {message}" if message else type]))


def _frame_text(lines: Sequence[str], frame: ScriptFrame) -> str:
    function = frame.function or "<module>"
    place = f'  File "{SCRIPT_NAME}", line {frame.line}, in {function}'
    if not 0 < frame.line <= len(lines):
        return place
    return f"{place}\n    {lines[frame.line - 1].strip()[:LINE_CHARACTERS]}"


def short_message(message: str) -> str:
    """Return an exception's message, cut to what a prompt can carry."""
    return clean_text(message[:MESSAGE_CHARACTERS])
