"""Scripts inside scripts: what they still return there, and what must stay a script of its own."""

from typing import Any

import pytest

from agent.packing.embedding import CannotEmbed, Embedded, embedded
from agent.packing.script_checks import TOKENS_TO_REWRITE
from tests.fakes.packing_plans import ASYNC, CALLING, CLASSY, PLAIN

MAIN = "def main(inputs):\n    return 1\n"


def called(code: str) -> Any:
    """Run an embedded script's main here: these scripts are the tests' own."""
    script = embedded(code, "_script")
    assert isinstance(script, Embedded), script
    scope: dict[str, Any] = {}
    exec(script.text, scope)  # noqa: S102  # see above
    return scope["_script"]()({"n": 3})


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("def main(inputs):\n    return inputs['n']\n", 3),
        ("X = 2\ndef f(a):\n    return g(a) * X\ndef g(a):\n    return a + 1\ndef main(inputs):\n    return f(3)\n", 8),
        ('T = """a\n  b\n"""\ndef main(inputs):\n    return T\n', "a\n  b\n"),
        ("def main(inputs):\n    return main if inputs is None else 'own'\n", "own"),
        ("import os.path\ndef main(inputs):\n    return os.path.sep\n", "/"),
        ("def main(inputs, more=4):\n    return f\"{inputs['n']}{'x' * more}\\n\"\n", "3xxxx\n"),
        (PLAIN.replace('inputs["spoiled"] = True\n', "pass\n"), None),
        (CLASSY, None),
    ],
    ids=["inputs", "helpers", "text-over-lines", "own-main", "import", "f-string", "plain", "classes"],
)
def test_script_returns_the_same_inside_a_function(code: str, result: Any) -> None:
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102  # the tests' own scripts
    alone = scope["main"]({"n": 3})
    assert called(code) == alone
    assert result is None or alone == result


@pytest.mark.parametrize(
    ("code", "unfit"),
    [
        ("def main(inputs:\n", CannotEmbed.UNREADABLE),
        ("def main(inputs):\n    return '\0'\n", CannotEmbed.UNREADABLE),
        ("x = [" + "1," * TOKENS_TO_REWRITE + "]\n" + MAIN, CannotEmbed.UNREADABLE),
        ("x = 1\n", CannotEmbed.NO_PLAIN_MAIN),
        ("main = lambda inputs: 1\n", CannotEmbed.NO_PLAIN_MAIN),
        (MAIN + MAIN, CannotEmbed.NO_PLAIN_MAIN),
        ("import functools\n@functools.cache\n" + MAIN, CannotEmbed.NO_PLAIN_MAIN),
        ("if True:\n    def main(inputs):\n        return 1\n", CannotEmbed.NO_PLAIN_MAIN),
        ("n = 0\ndef main(inputs):\n    global n\n    n += 1\n    return n\n", CannotEmbed.MODULE_SCOPE),
        ("from math import *\n" + MAIN, CannotEmbed.MODULE_SCOPE),
        ("from __future__ import annotations\n" + MAIN, CannotEmbed.MODULE_SCOPE),
        ("def main(inputs):\n    return sorted(globals())\n", CannotEmbed.MODULE_SCOPE),
        ("max = max\n" + MAIN, CannotEmbed.SHADOWS),
        ("class ToolError(Exception):\n    pass\n" + MAIN, CannotEmbed.SHADOWS),
        ("async def work():\n    return 1\ndef main(inputs):\n    return work()\n", CannotEmbed.MIXED_ASYNC),
        ("import asyncio\ndef main(inputs):\n    return asyncio.run(None)\n", CannotEmbed.MIXED_ASYNC),
    ],
)
def test_script_that_would_mean_something_else_stays_alone(code: str, unfit: CannotEmbed) -> None:
    assert embedded(code, "_script") is unfit


def test_whether_main_is_awaited_is_told() -> None:
    scripts = [embedded(code, "_script") for code in (ASYNC, CALLING)]
    assert [isinstance(embedding, Embedded) and embedding.awaited for embedding in scripts] == [True, False]
