"""The behaviour that all sandboxes share: one suite, run against each one that exists on this machine."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from textwrap import dedent

import pytest
import pytest_asyncio

from sandbox.docker_sandbox import DockerSettings
from sandbox.monty import MontySandbox, monty_binary
from sandbox.pool import PoolSize
from sandbox.script import Job, Json, Limits, OutcomeKind, Sandbox, ScriptOutcome, ToolCallRefused
from sandbox.values import NESTING
from tests.fakes.docker_engine import docker_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


RUNTIMES = os.environ.get("SANDBOX_RUNTIMES", "").split()
"""Further runtimes the engine here has, such as `runsc`: the suite runs once more under each."""

CONTAINERS = [pytest.param(name, marks=pytest.mark.docker) for name in ("docker", *RUNTIMES)]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["monty", *CONTAINERS])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    if request.param != "monty":
        runtime = None if request.param == "docker" else request.param
        async with docker_sandbox(DockerSettings(runtime=runtime, pool=PoolSize(ready=2))) as opened:
            yield opened
        return
    opened = MontySandbox(monty_binary())
    yield opened
    await opened.close()


class Desk:
    """The host's side of the tool calls: remembers them, answers by name.

    A call of `meet` is answered once `meeting` of them are there.
    """

    def __init__(self, meeting: int = 1) -> None:
        self.calls: list[tuple[str, Mapping[str, Json]]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.cancelled = asyncio.Event()
        self._meeting = asyncio.Barrier(meeting)

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        self.calls.append((tool, args))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(tool, args)
        finally:
            self.at_once -= 1

    async def _answer(self, tool: str, args: Mapping[str, Json]) -> Json:
        match tool:
            case "echo":
                return args
            case "meet":
                await self._meeting.wait()
                return args
            case "hang":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
                return None
            case "big":
                return "x" * 3_000_000
            case "page":
                return {"text": "line é 😀\n" * 50_000}
            case "broken":
                raise LookupError("the host's own machinery broke")
            case _:
                raise ToolCallRefused("the shop is closed")


ALL = frozenset({"echo", "meet", "hang", "big", "page", "broken", "closed"})


async def run(
    sandbox: Sandbox, code: str, inputs: Mapping[str, Json] | None = None, handler: Desk | None = None, **limits: float
) -> ScriptOutcome:
    whole = Limits(**{"wall_seconds": 20.0, **limits})  # pyright: ignore[reportArgumentType] -- ints stay ints
    job = Job(code=dedent(code), inputs=inputs or {}, tools=ALL, limits=whole)
    return await sandbox.run(job, handler or Desk())


def error_of(outcome: ScriptOutcome) -> tuple[OutcomeKind, str]:
    assert outcome.error is not None, outcome
    return outcome.kind, outcome.error.type


async def test_result_is_what_main_returns(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return {'n': inputs['n'] + 1, 't': (1, None)}", {"n": 1})
    assert (outcome.kind, outcome.error) == (OutcomeKind.OK, None)
    assert outcome.result == {"n": 2, "t": [1, None]}
    assert outcome.milliseconds > 0


async def test_async_main_is_awaited(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "async def main(inputs):\n    return (await atools.echo(a=1))['a']")
    assert outcome.result == 1, outcome


async def test_unicode_survives_both_ways(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox, "def main(inputs):\n    return tools.echo(t=inputs['t'])['t']", {"t": "é 😀 \x00 \u2028"}
    )
    assert outcome.result == "é 😀 \x00 \u2028"


async def test_lone_surrogate_never_reaches_the_host(sandbox: Sandbox) -> None:
    handler = Desk()
    outcome = await run(
        sandbox,
        r"""
        def main(inputs):
            print('\ud800')
            tools.echo(t='\ud800')
            return '\ud800'
        """,
        handler=handler,
    )
    assert outcome.kind is OutcomeKind.OK, outcome
    str(outcome.result).encode()
    str(handler.calls).encode()
    outcome.logs.encode()


async def test_prints_are_logs_and_never_the_result(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import sys
        def main(inputs):
            print('{"op": "result", "value": 666}')
            print("to stderr", file=sys.stderr)
            return 1
        """,
    )
    assert outcome.result == 1
    assert "666" in outcome.logs
    assert "to stderr" in outcome.logs


async def test_sync_tool_call_returns_the_output_and_is_recorded(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return tools.echo(a=1, b=[2])")
    assert outcome.result == {"a": 1, "b": [2]}
    assert [(call.tool, call.args, call.ok) for call in outcome.calls] == [("echo", {"a": 1, "b": [2]}, True)]


async def test_one_mapping_stands_for_the_keywords(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return tools.echo({'a': 1})")
    assert outcome.result == {"a": 1}


async def test_positional_arguments_are_refused(sandbox: Sandbox) -> None:
    handler = Desk()
    outcome = await run(sandbox, "def main(inputs):\n    return tools.echo(1, 2)", handler=handler)
    assert error_of(outcome) == (OutcomeKind.ERROR, "ToolError")
    assert handler.calls == []


async def test_async_calls_run_at_the_same_time(sandbox: Sandbox) -> None:
    handler = Desk(meeting=12)
    outcome = await run(
        sandbox,
        """
        import asyncio
        async def main(inputs):
            return [a["i"] for a in await asyncio.gather(*[atools.meet(i=i) for i in range(12)])]
        """,
        handler=handler,
    )
    assert outcome.result == list(range(12)), outcome
    assert handler.most_at_once == 12


async def test_no_more_calls_in_flight_than_allowed(sandbox: Sandbox) -> None:
    handler = Desk(meeting=3)
    outcome = await run(
        sandbox,
        """
        import asyncio
        async def main(inputs):
            return len(await asyncio.gather(*[atools.meet(i=i) for i in range(9)]))
        """,
        handler=handler,
        calls_in_flight=3,
    )
    assert outcome.result == 9
    assert handler.most_at_once == 3


async def test_tool_taken_as_a_value_can_be_called(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        async def main(inputs):
            f, g = tools.echo, getattr(atools, "echo")
            return [f(a=1), await g(a=2)]
        """,
    )
    assert outcome.result == [{"a": 1}, {"a": 2}], outcome


async def test_half_a_megabyte_page_passes(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return len(tools.page()['text'].splitlines())")
    assert outcome.result == 50_000, outcome


async def test_refused_call_raises_tool_error_in_the_script(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        def main(inputs):
            try:
                tools.closed()
            except ToolError as error:
                return str(error)
        """,
    )
    assert outcome.result == "the shop is closed"
    assert [call.ok for call in outcome.calls] == [False]


async def test_uncaught_refusal_is_a_tool_error(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    tools.closed()")
    assert error_of(outcome) == (OutcomeKind.ERROR, "ToolError")
    assert outcome.error is not None
    assert outcome.error.message == "the shop is closed"


async def test_async_refusal_is_raised_where_it_is_awaited(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        async def main(inputs):
            try:
                await atools.closed()
            except ToolError as error:
                return str(error)
        """,
    )
    assert outcome.result == "the shop is closed", outcome


@pytest.mark.parametrize("name", ["missing", "__class_getitem__", "eval", "x" * 500])
async def test_undeclared_tool_is_refused_on_the_host(sandbox: Sandbox, name: str) -> None:
    handler = Desk()
    outcome = await run(sandbox, f"def main(inputs):\n    return tools.{name}(a=1)", handler=handler)
    assert outcome.kind is OutcomeKind.ERROR
    assert handler.calls == []


async def test_answer_over_the_line_limit_is_refused_with_its_size(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    tools.big()")
    assert error_of(outcome) == (OutcomeKind.ERROR, "ToolError")
    assert outcome.error is not None
    assert "bytes" in outcome.error.message


async def test_broken_host_machinery_is_raised_to_the_caller(sandbox: Sandbox) -> None:
    with pytest.raises(LookupError):
        await run(sandbox, "def main(inputs):\n    tools.broken()")


async def test_too_many_calls_end_the_run(sandbox: Sandbox) -> None:
    handler = Desk()
    outcome = await run(
        sandbox,
        """
        def main(inputs):
            while True:
                try:
                    tools.echo()
                except Exception:
                    pass
        """,
        handler=handler,
        calls=20,
    )
    assert outcome.kind is OutcomeKind.CALL_LIMIT
    assert len(handler.calls) == 20


@pytest.mark.parametrize(
    ("code", "type", "line"),
    [
        ("def main(inputs):\n    return inputs['x']", "KeyError", 2),
        ("def main(inputs):\n    return [1][5]", "IndexError", 2),
        ("def main(inputs):\n    return 1 + 'a'", "TypeError", 2),
        ("def main(inputs):\n    return f(0)\ndef f(n):\n    return 1 / n", "ZeroDivisionError", 4),
        ("def main(inputs):\n    raise ValueError('no')", "ValueError", 2),
        ("def main(inputs):\n    raise NotImplementedError('later')", "NotImplementedError", 2),
        ("def main(inputs):\n    raise TimeoutError('mine')", "TimeoutError", 2),
        ("def main(inputs):\n    raise MemoryError('mine')", "MemoryError", 2),
        ("def main(inputs):\n    return main(inputs)", "RecursionError", 2),
        ("x = 1\nraise RuntimeError('at import')", "RuntimeError", 2),
        ("async def main(inputs):\n    import asyncio\n    await asyncio.sleep(0)\n    return {}['k']", "KeyError", 4),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
async def test_exception_of_the_script_is_error_with_its_own_frames(
    sandbox: Sandbox, code: str, type: str, line: int
) -> None:
    outcome = await run(sandbox, code)
    assert error_of(outcome) == (OutcomeKind.ERROR, type), outcome
    assert outcome.error is not None
    assert f'File "script.py", line {line}' in outcome.error.traceback
    assert code.splitlines()[line - 1].strip() in outcome.error.traceback
    assert outcome.error.traceback.splitlines()[-1].startswith(type)
    assert "runner" not in outcome.error.traceback


@pytest.mark.parametrize("code", ["def main(inputs:\n    pass", "def main(inputs):\nreturn 1", "x = 'a"])
async def test_code_that_does_not_parse_is_syntax(sandbox: Sandbox, code: str) -> None:
    outcome = await run(sandbox, code)
    assert error_of(outcome) == (OutcomeKind.SYNTAX, "SyntaxError")
    assert outcome.error is not None
    assert outcome.error.message


async def test_script_without_main_is_an_error(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def run():\n    pass")
    assert error_of(outcome) == (OutcomeKind.ERROR, "NameError")


@pytest.mark.parametrize("value", ["{1, 2}", "b'x'", "float('nan')", "object", "main", "float('inf')"])
async def test_result_that_is_not_json_is_an_error(sandbox: Sandbox, value: str) -> None:
    outcome = await run(sandbox, f"def main(inputs):\n    return {value}")
    assert outcome.kind is OutcomeKind.ERROR, outcome
    assert outcome.error is not None
    assert outcome.error.type in ("TypeError", "ValueError", "NameError")


async def test_result_nested_too_deeply_is_an_error(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        def main(inputs):
            x = []
            for _ in range(400):
                x = [x]
            return x
        """,
    )
    assert outcome.kind is OutcomeKind.ERROR, outcome


async def test_calls_with_too_many_values_are_refused_without_holding_the_host_up(sandbox: Sandbox) -> None:
    code = """
        def main(inputs):
            chain = []
            for _ in range(90):
                chain = [chain]
            refusals = []
            for _ in range(6):
                try:
                    tools.echo(x=[chain] * 10_000)
                except Exception as error:
                    refusals.append(str(error))
            return refusals
        """
    handler = Desk()
    started = time.process_time()
    outcome = await run(sandbox, code, handler=handler, wall_seconds=120.0)
    seconds = time.process_time() - started
    assert outcome.kind is OutcomeKind.OK, outcome
    assert isinstance(outcome.result, list)
    assert len(outcome.result) == 6
    assert all("more than 200000 values" in str(refusal) for refusal in outcome.result)
    assert handler.calls == []
    assert seconds < 6.0  # it was 16 s and 23 s


async def test_script_that_sends_more_than_its_wire_bytes_is_output_limit(sandbox: Sandbox) -> None:
    handler = Desk()
    code = """
        def main(inputs):
            for _ in range(50):
                tools.echo(t='x' * 100_000)
        """
    outcome = await run(sandbox, code, handler=handler, wire_bytes=1_000_000)
    assert outcome.kind is OutcomeKind.OUTPUT_LIMIT, outcome
    assert len(handler.calls) == 9
    assert len(str(outcome.calls)) < 9 * 1000


NESTED = """
def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value
def depth(value):
    levels = 0
    while isinstance(value, dict):
        value, levels = value.get("x"), levels + 1
    return levels
"""


def nested(levels: int) -> Mapping[str, Json]:
    value: Mapping[str, Json] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


class Measure:
    """Answers `nest` with a value of so many levels, and notes the arguments of every call."""

    def __init__(self, levels: int) -> None:
        self.seen: list[Mapping[str, Json]] = []
        self._levels = levels

    async def __call__(self, tool: str, args: Mapping[str, Json]) -> Json:
        self.seen.append(args)
        return nested(self._levels) if tool == "nest" else {"x": nested(50)}


@pytest.mark.parametrize("kind", ["result", "keywords", "one-mapping", "answer", "inputs"])
async def test_value_at_the_nesting_limit_crosses_the_border_and_one_deeper_does_not(
    sandbox: Sandbox, kind: str
) -> None:
    main, tool = {
        "result": ("return nested({levels})", "echo"),
        "keywords": ("return depth(tools.measure(**nested({levels})))", "measure"),
        "one-mapping": ("return depth(tools.measure(nested({levels})))", "measure"),
        "answer": ("return depth(tools.nest())", "nest"),
        "inputs": ("return depth(inputs)", "echo"),
    }[kind]
    for levels in (NESTING, NESTING + 1):
        measure = Measure(levels)
        code = f"{NESTED}\ndef main(inputs):\n    {main.format(levels=levels)}"
        inputs: Mapping[str, Json] = nested(levels) if kind == "inputs" else {}
        job = Job(code=code, inputs=inputs, tools=frozenset({tool}), limits=Limits(wall_seconds=20.0))
        outcome = await sandbox.run(job, measure)
        if levels == NESTING:
            assert outcome.kind is OutcomeKind.OK, outcome
            expected = {"result": nested(NESTING), "answer": NESTING, "inputs": NESTING}.get(kind, 51)
            assert outcome.result == expected
            assert measure.seen == ([nested(NESTING)] if tool == "measure" else [{}] if tool == "nest" else [])
        else:
            assert outcome.kind is OutcomeKind.ERROR, outcome
            assert outcome.error is not None
            assert "deep" in outcome.error.message
            assert outcome.error.type == {"answer": "ToolError", "inputs": "JobRefused"}.get(kind, outcome.error.type)


async def test_endless_loop_is_timeout(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    while True:\n        pass", wall_seconds=0.5)
    assert error_of(outcome) == (OutcomeKind.TIMEOUT, "timeout")


async def test_loop_that_catches_everything_is_timeout(sandbox: Sandbox) -> None:
    code = """
        def main(inputs):
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """
    outcome = await run(sandbox, code, wall_seconds=0.5)
    assert outcome.kind is OutcomeKind.TIMEOUT


async def test_sleep_is_timeout(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "import time\ndef main(inputs):\n    time.sleep(1000)", wall_seconds=0.5)
    assert outcome.kind is OutcomeKind.TIMEOUT


async def test_call_that_hangs_is_timeout_and_cancelled(sandbox: Sandbox) -> None:
    handler = Desk()
    outcome = await run(sandbox, "def main(inputs):\n    tools.hang(a=1)", handler=handler, wall_seconds=0.5)
    assert outcome.kind is OutcomeKind.TIMEOUT
    assert handler.cancelled.is_set()
    assert [(call.tool, call.ok) for call in outcome.calls] == [("hang", False)]


async def test_async_sleep_overlaps(sandbox: Sandbox) -> None:
    outcome = await run(
        sandbox,
        """
        import asyncio
        async def main(inputs):
            await asyncio.gather(*[asyncio.sleep(0.4) for _ in range(50)])
            return "rested"
        """,
        wall_seconds=10,
    )
    assert outcome.result == "rested", outcome


async def test_too_much_memory_is_oom(sandbox: Sandbox) -> None:
    code = """
        def main(inputs):
            kept = []
            while True:
                kept.append("x" * 1_000_000)
        """
    outcome = await run(sandbox, code, memory_bytes=64 * 1024 * 1024)
    assert error_of(outcome) == (OutcomeKind.OOM, "oom")


async def test_result_over_the_limit_is_output_limit(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return 'x' * 200_000", result_bytes=100_000)
    assert outcome.kind is OutcomeKind.OUTPUT_LIMIT
    assert outcome.result is None


async def test_flood_of_prints_is_output_limit(sandbox: Sandbox) -> None:
    code = "def main(inputs):\n    while True:\n        print('x' * 10_000)"
    outcome = await run(sandbox, code, output_kill_bytes=1_000_000, log_bytes=10_000)
    assert outcome.kind is OutcomeKind.OUTPUT_LIMIT
    assert len(outcome.logs) < 11_000


async def test_end_of_the_logs_is_kept(sandbox: Sandbox) -> None:
    code = "def main(inputs):\n    for i in range(2000):\n        print('line', i)\n    print('the end')"
    outcome = await run(sandbox, code, log_bytes=1000)
    assert outcome.kind is OutcomeKind.OK
    assert outcome.logs.endswith("the end\n")
    assert len(outcome.logs) < 1100


async def test_logs_of_a_crash_are_kept(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    print('so far so good')\n    raise ValueError('x')")
    assert outcome.logs == "so far so good\n"


@pytest.mark.parametrize(
    "code",
    [
        "def main(inputs):\n    while True:\n        pass",
        "def main(inputs):\n    tools.hang()",
        "import time\ndef main(inputs):\n    time.sleep(100)",
        "import asyncio\nasync def main(inputs):\n    await asyncio.gather(atools.hang(), atools.hang())",
    ],
    ids=["busy", "in-call", "asleep", "in-async-calls"],
)
async def test_cancel_ends_the_script_promptly(sandbox: Sandbox, code: str) -> None:
    task = asyncio.create_task(run(sandbox, code))
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - started < 2.0


async def test_scripts_share_nothing(sandbox: Sandbox) -> None:
    await run(sandbox, "import sys\nkept = 1\nsys.kept = 1\ndef main(inputs):\n    return 1")
    outcome = await run(sandbox, "def main(inputs):\n    return kept")
    assert error_of(outcome) == (OutcomeKind.ERROR, "NameError")


async def test_inputs_are_a_copy(sandbox: Sandbox) -> None:
    inputs: dict[str, Json] = {"kept": [1]}
    await run(sandbox, "def main(inputs):\n    inputs['kept'].append(2)\n    return 1", inputs)
    assert inputs == {"kept": [1]}


async def test_inputs_beyond_the_line_limit_are_refused(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def main(inputs):\n    return 1", {"x": "y" * 3_000_000})
    assert error_of(outcome) == (OutcomeKind.ERROR, "JobRefused")


async def test_twenty_scripts_at_once_keep_their_results_apart(sandbox: Sandbox) -> None:
    code = "def main(inputs):\n    return tools.echo(i=inputs['i'])['i']"
    outcomes = await asyncio.gather(*(run(sandbox, code, {"i": i}) for i in range(20)))
    assert [outcome.result for outcome in outcomes] == list(range(20))


async def test_dialect_names_main_and_both_ways_to_call(sandbox: Sandbox) -> None:
    for word in ("main(inputs)", "tools.", "await atools.", "ToolError"):
        assert word in sandbox.dialect


ENDLESSLY = """
def main(inputs):
    while True:
        try:
            {}
        except NameError:
            pass
"""
HOSTILE = {
    "huge-number": "def main(inputs):\n    return tools.echo(n=10 ** 5000)",
    "huge-result": "def main(inputs):\n    return 10 ** 5000",
    "object": "def main(inputs):\n    return tools.echo(o=object)",
    "itself": "def main(inputs):\n    return tools.echo(t=tools)",
    "function": "def main(inputs):\n    return tools.echo(t=main)",
    "deep": "def main(inputs):\n    x = []\n    for _ in range(200):\n        x = [x]\n    return tools.echo(x=x)",
    "odd-names": "def main(inputs):\n    return tools.echo(**{'a b': 1, '': 2, '__class__': 3})",
    "surrogate-code": "x = '\ud800'\ndef main(inputs):\n    return x",
    "null-code": "x = 1\x00\ndef main(inputs):\n    return x",
    "empty": "",
    "only-comment": "# nothing",
    "cycle": "def main(inputs):\n    x = []\n    x.append(x)\n    return x",
    "negative-sleep": "import asyncio\nasync def main(inputs):\n    await asyncio.sleep(-1)",
    "nan-sleep": "import time\ndef main(inputs):\n    time.sleep(float('nan'))",
    "endless-sleep": "import time\ndef main(inputs):\n    time.sleep(10 ** 400)",
    "infinite-sleep": "import asyncio\nasync def main(inputs):\n    await asyncio.sleep(float('inf'))",
    "no-arguments": "def main():\n    return 1",
    "main-is-a-number": "main = 3",
    "main-is-tools": "main = tools",
    "awaited-twice": "async def main(inputs):\n    f = atools.echo(a=1)\n    await f\n    return await f",
    "never-awaited": "async def main(inputs):\n    atools.hang()\n    return 1",
    "exit": "def main(inputs):\n    raise SystemExit(3)",
    "interrupt": "def main(inputs):\n    raise KeyboardInterrupt",
    "replaced-names": "tools = atools = ToolError = None\ndef main(inputs):\n    return 1",
    "unknown-names": ENDLESSLY.format("nothing"),
    "unknown-calls": ENDLESSLY.format("nothing()"),
    "deep-code": "x = " + "(" * 5000 + ")" * 5000,
    "long-code": "x = " + "1 + " * 50_000 + "1\ndef main(inputs):\n    return 1",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_odd_script_ends_with_an_outcome_and_nothing_raises(sandbox: Sandbox, case: str) -> None:
    outcome = await run(sandbox, HOSTILE[case], wall_seconds=3.0)
    assert outcome.kind is not OutcomeKind.INFRA
    assert (outcome.error is None) == (outcome.kind is OutcomeKind.OK)
    str(outcome).encode()
