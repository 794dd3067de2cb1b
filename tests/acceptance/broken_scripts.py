"""Scripts that crash, and what a model might write in their place: the cases of the self-healing tests.

All count the errors on the pages of `tests.fakes.planning.Pages` and should return {"a": 1, "b": 1}.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.ids import ToolName
from sandbox.script import Json

RESULT: Mapping[str, Json] = {"a": 1, "b": 1}

_READ = """\
def read():
    lines, page, pages = [], 0, 1
    while page < pages:
        answer = tools.read_page(page=page)
        pages = answer["pages"]
        lines += answer["text"].splitlines()
        page += 1
    return lines
"""
_COUNT = """\
def count(lines):
    errors = {}
    for line in lines:
        name, _, status = line.partition(" ")
        if status.isdigit():
            errors[name] = errors.get(name, 0) + (int(status) >= 500)
    return errors
"""


def script(body: str, before: str = "", main: str = "def") -> str:
    """Return a script that reads all pages into `lines` and goes on with these lines of `main`."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{before}{_READ}{_COUNT}{main} main(inputs):\n    lines = read()\n{indented}"


GOOD = script("return count(lines)")


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A script, what the model answers to its crashes in turn, and how each attempt ends."""

    code: str
    rewrites: tuple[str, ...] = (GOOD,)
    kinds: tuple[str, ...] = ("error", "ok")
    error: str = ""
    tools: tuple[ToolName, ...] = (ToolName("read_page"),)
    limits: Mapping[str, float] = field(default_factory=dict[str, float])


def _error(type: str, body: str, before: str = "") -> Broken:
    return Broken(code=script(body, before), error=type)


_HASTY = {"wall_seconds": 2.5}
REPAIRABLE: Mapping[str, Broken] = {
    "key-error": _error("KeyError", "return {'a': count(lines)['a'], 'b': count(lines)['c']}"),
    "off-by-one": _error("IndexError", "return [lines[i] for i in range(len(lines) + 1)]"),
    "wrong-type": _error("TypeError", "return 'lines: ' + len(lines)"),
    "bad-number": _error("ValueError", "return [int(line.split()[1]) for line in lines]"),
    "bad-regex": _error("error", "return re.findall('(a', lines[0])", "import re\n"),
    "no-such-attribute": _error("AttributeError", "return lines.count_errors()"),
    "missing-import": _error("NameError", "return json.dumps(count(lines))"),
    "missing-module": _error("ModuleNotFoundError", "import pandas_of_another_machine\nreturn 1"),
    "division-by-zero": _error("ZeroDivisionError", "return len(lines) / lines.count('c 500')"),
    "endless-recursion": _error("RecursionError", "def f(n):\n    return f(n + 1)\nreturn f(0)"),
    "wrong-encoding": _error("UnicodeEncodeError", "return 'é'.encode('ascii').decode()"),
    "not-json": _error("TypeError", "return set(lines)"),
    "forgotten-await": Broken(code=script("return atools.read_page(page=0)", main="async def"), error="TypeError"),
    "wrong-schema": _error("ResultRefused", "return {'a': 'one', 'b': 'one'}"),
    "failing-call": _error("ToolError", "return tools.read_page(page=-1)"),
    "denied-once": Broken(code=script("tools.post(text='done')"), error="ToolError"),
    "syntax": Broken(code=script("return count(lines"), kinds=("syntax", "ok"), error="SyntaxError"),
    "endless-loop": Broken(code=script("while True:\n    pass"), kinds=("timeout", "ok"), limits=_HASTY),
    "endless-regex": Broken(
        code=script("re.match('(a+)+$', 'a' * 64 + 'b')", "import re\n"), kinds=("timeout", "ok"), limits=_HASTY
    ),
    "memory": Broken(code=script("while True:\n    lines.append('x' * 1_000_000)"), kinds=("oom", "ok")),
    "endless-output": Broken(code=script("while True:\n    print('x' * 10_000)"), kinds=("output_limit", "ok")),
    "huge-result": Broken(code=script("return 'x' * 2_000_000"), kinds=("output_limit", "ok")),
    "too-many-calls": Broken(
        code=script(
            "page = 3\nwhile True:\n    try:\n        tools.read_page(page=page)\n"
            "    except ToolError:\n        page += 1"
        ),
        kinds=("call_limit", "ok"),
        limits={"calls": 12},
    ),
    "silent-end": Broken(code=script("os._exit(3)", "import os\n"), kinds=("died", "ok")),
    "second-rewrite": Broken(
        code=script("return lines[99]"),
        rewrites=(script("return lines[98]"), GOOD),
        kinds=("error", "error", "ok"),
    ),
    "rewrite-that-does-not-parse": Broken(
        code=script("return lines[99]"),
        rewrites=(script("return count(lines"), GOOD),
        kinds=("error", "syntax", "ok"),
    ),
}
"""Each ends `ok` with RESULT; `error` is the type of the first crash."""

_BREACH = """\
import gc, os, time
def main(inputs):
    for found in gc.get_objects():
        if type(found).__name__ == "Link":
            os.write(found._out, b"nonsense\\n")
    time.sleep(30)
"""

HOPELESS: Mapping[str, Broken] = {
    "wrong-to-the-end": Broken(
        code=script("return lines[99]"),
        rewrites=(script("return lines[98]"), script("return {}['x']")),
        kinds=("error", "error", "error"),
        error="sandbox_error",
    ),
    "slow-to-the-end": Broken(
        code=script("while True:\n    pass"),
        rewrites=tuple(script(f"while True:\n    {number}") for number in (1, 2)),
        kinds=("timeout", "timeout", "timeout"),
        error="sandbox_timeout",
        limits=_HASTY,
    ),
    "another-end-each-time": Broken(
        code=script("os._exit(3)", "import os\n"),
        rewrites=(script("return 'x' * 2_000_000"), script("return count(lines")),
        kinds=("died", "output_limit", "syntax"),
        error="sandbox_syntax",
    ),
    "denied-again": Broken(
        code=script("tools.post(text='done')"),
        rewrites=(script("return getattr(tools, 'post')(text='please')"),),
        kinds=("error", "error"),
        error="sandbox_denied",
    ),
    "breach-of-the-protocol": Broken(code=_BREACH, kinds=("protocol",), error="sandbox_protocol"),
    "rewrites-that-break-the-rules": Broken(
        code=script("return lines[99]"), rewrites=("I would rather not.",), kinds=("error",), error="sandbox_error"
    ),
}
"""Each ends failed; `error` is the word of its failure."""
