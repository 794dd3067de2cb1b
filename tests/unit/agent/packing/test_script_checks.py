"""Scripts as a model writes them: what is refused unrun, and how one is found in an answer."""

import pytest

from agent.packing.script_checks import MOST_TOKENS, inputs_needed, script_in, script_issues, tool_calls

MAIN = "def main(inputs):\n    return 1\n"


@pytest.mark.parametrize(
    "code",
    [
        MAIN,
        "async def main(inputs):\n    return await atools.look(page=0)\n",
        "def main(inputs, /):\n    return 1\n",
        "def main(*args):\n    return 1\n",
        "def main(inputs, strict=True):\n    return 1\n",
        "import re\n\nx = '\\d'\n" + MAIN,
        "type A = int\n\n" + MAIN,
        "x = f'{d['k']}'\n" + MAIN,
        "x = " + "-" * 60_000 + "1\n" + MAIN,
        "x = 'tools.fly'\n" + MAIN,
    ],
    ids=[
        "plain",
        "async",
        "positional only",
        "variadic",
        "defaults",
        "odd escape",
        "newer statement",
        "newer f-string",
        "too deep to parse",
        "tool in a text",
    ],
)
def test_script_that_may_work_is_left_to_the_sandbox(code: str) -> None:
    assert script_issues(code, frozenset({"look"}), 100_000) == []


def test_script_that_is_too_dense_to_look_into_is_left_to_the_sandbox() -> None:
    dense = "a = [" + "1," * (MOST_TOKENS // 2) + "]\ndef main(inputs):\n    return tools.fly(inputs['a'])\n"
    assert script_issues(dense, frozenset(), 100_000) == []
    assert (tool_calls(dense), inputs_needed(dense)) == ({}, frozenset())


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "no main"),
        ("def helper(inputs): return 1", "no main"),
        ("class A:\n    def main(self): return 1", "no main"),
        ("def main(): return 1", "one argument"),
        ("def main(a, b): return 1", "one argument"),
        ("def helper(:\n", "no main"),
        ("x = '\ud800'", "no main"),
        ("x = 1\0", "no main"),
        ("def main(inputs): return tools.fly()", "tools.fly, which is not"),
        ("async def main(inputs): return await atools.fly()", "tools.fly, which is not"),
        (MAIN + "#" * 100_000, "more than 100000"),
    ],
)
def test_script_that_cannot_work_is_refused(code: str, says: str) -> None:
    [issue] = script_issues(code, frozenset({"look"}), 100_000)
    assert says in issue


@pytest.mark.parametrize(
    "answer",
    [
        MAIN,
        f"```python\n{MAIN}```",
        f"Here it is:\n\n```python\n{MAIN}\n```\n\nDone.",
        f"```\n{MAIN}```",
        f"````python\n{MAIN}````",
        f"Before:\n```python\nx = 1\n```\nAfter:\n```python\n{MAIN}```",
        f"```python\n{MAIN}",
        f"\n\n{MAIN}\n\n",
    ],
    ids=["bare", "fenced", "prose", "no language", "long fence", "second block", "unclosed", "blank lines"],
)
def test_script_is_found_in_an_answer(answer: str) -> None:
    assert script_in(answer) == MAIN


def test_fence_inside_a_longer_fence_belongs_to_the_script() -> None:
    code = 'def main(inputs):\n    return """\n```\n"""\n'
    assert script_in(f"````python\n{code}````") == code


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        ("    rows = inputs['rows']\n    return len(rows) + inputs['more']\n", {"rows", "more"}),
        ("    return inputs.get('rows')\n", set[str]()),
        ("    if 'rows' in inputs:\n        return inputs['rows']\n", set[str]()),
        ("    a = inputs['a']\n    for each in a:\n        print(inputs['b'])\n    return inputs['c']\n", {"a"}),
        ("    return inputs['a'] if inputs else [inputs['b'] for _ in a]\n", set[str]()),
        ("    inputs['a'] = 1\n    return inputs['a']\n", set[str]()),
        ("    inputs = {'a': 1}\n    return inputs['a']\n", set[str]()),
        ("    try:\n        return inputs['a']\n    except KeyError:\n        return 0\n", set[str]()),
        ("    def later():\n        return inputs['a']\n    return later\n", set[str]()),
        ("    other = {}\n    return other['a']\n", set[str]()),
    ],
)
def test_inputs_needed_are_those_read_in_any_case(body: str, needed: set[str]) -> None:
    assert inputs_needed(f"def main(inputs):\n{body}") == needed


def test_of_a_script_that_cannot_be_read_nothing_is_known() -> None:
    assert inputs_needed("def main(inputs) return inputs['a']") == set()
    assert tool_calls("def main(inputs) return tools.look()") == {}


def test_tool_calls_name_the_first_line_of_each() -> None:
    assert tool_calls("def main(inputs):\n    tools.a()\n    tools.b()\n    tools.a()\n") == {"a": 2, "b": 3}
