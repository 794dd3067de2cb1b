"""Conditions of policy rules, in CEL: compiled and type-checked when they are read, evaluated within bounds.

The library is Google's own (docs/decisions/0011): its `matches` takes linear time (RE2), it stops after 10,000 steps
of loops and 32 levels of nesting. The size of what is looked at is bounded here, so that an evaluation takes
milliseconds at most.
"""

import re
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]  # typed beside the binary, without py.typed

from agent.plan.json_values import fits, json_issue_in
from agent.policy.facts import CallFacts
from agent.policy.rules import NotEvaluated

MOST_CHARACTERS = 2_000
"""Of a condition."""

MOST_BYTES = 32 * 1024
"""Of the arguments, as JSON."""

MOST_BYTES_IN_LOOPS = 4 * 1024
"""Of the arguments, for a condition that goes through lists."""

MOST_LEVELS = 30

_STRING = re.compile(r'"(?>(?:[^"\\\n]|\\.)*)(?P<double>")?|\'(?>(?:[^\'\\\n]|\\.)*)(?P<single>\')?')
"""A string; without either group one that does not end."""

_LOOPS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_PATTERN_NOT_WRITTEN_OUT = re.compile(r"\bmatches\s*\((?!\s*(?:r\s*)?\"\"\s*\))")

VARIABLES: Mapping[str, Any] = {
    "tool": cel.Type.STRING,
    "args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "author": cel.Type.STRING,
    "channel": cel.Type.STRING,
    "channel_name": cel.Type.STRING,
    "reversibility": cel.Type.STRING,
    "outside": cel.Type.BOOL,
    "red_calls": cel.Type.INT,
    "calls_of_tool": cel.Type.INT,
    "open_cards": cel.Type.INT,
    "now": cel.Type.TIMESTAMP,
}
"""What a condition may name."""


class CelCondition:
    """A condition in CEL.

    Raises:
        ValueError: it cannot be compiled; the text says where.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"a condition has at most {MOST_CHARACTERS} characters")
        bare = _STRING.sub(lambda string: '""' if string.lastgroup else string[0], text)
        if _PATTERN_NOT_WRITTEN_OUT.search(bare):
            raise ValueError("the pattern of matches must be a text that is written out: args.x.matches('...')")
        try:
            self._expression = cel.NewEnv(variables=VARIABLES).compile(text)
        except RuntimeError as error:
            raise ValueError(str(error).removeprefix("INVALID_ARGUMENT: ").split(" [INVALID")[0]) from error
        if self._expression.return_type() != cel.Type.BOOL:
            raise ValueError("a condition must say true or false; compare the value with something")
        self._most_bytes = MOST_BYTES_IN_LOOPS if _LOOPS.search(bare) else MOST_BYTES

    def holds(self, facts: CallFacts) -> bool:
        """Return whether the facts meet it.

        Raises:
            NotEvaluated: something is missing, of another type or too large.
        """
        args = dict(facts.args)
        if json_issue_in(args, MOST_LEVELS, strict_text=True) is not None or not fits(args, self._most_bytes):
            raise NotEvaluated("the arguments are too large, or hold what has no place in CEL")
        values: dict[str, Any] = {
            "tool": facts.tool,
            "args": args,
            "author": facts.author,
            "channel": facts.channel,
            "reversibility": facts.reversibility,
            "outside": facts.outside,
            "red_calls": facts.counts.red_calls,
            "calls_of_tool": facts.counts.calls_of_tool,
            "open_cards": facts.counts.open_cards,
            "now": facts.now,
        }
        if facts.channel_name is not None:
            values["channel_name"] = facts.channel_name
        try:
            result = self._expression.eval(data=values)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise NotEvaluated(type(error).__name__) from error
        if result.type() != cel.Type.BOOL:
            raise NotEvaluated("it has no value")
        return bool(result.value())
