"""The demo scripts under the agent's real prompts: what it plans, repairs and answers.

One file, though a long one: what the demo can say, role by role.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from agent.ids import NodeId, ToolName, UserId
from agent.limits import PlanLanguage, Role
from agent.llm.prompts import crash_message, planner_message, results_message, system_message
from agent.llm.transcript import ShownNode
from agent.plan.operations import Add, Node, NodeKind, Operation
from agent.plan.outcomes import Cancelled, Expired, Failed, NodeState, Outcome, Rejected, Skipped, Succeeded, state_of
from agent.ports import ChatMessage, Message
from agent.reading.operation_reader import Ask, NeedTools, Reply
from agent.reading.plan_builder import Placed, PlanBuilder
from agent.reading.plan_language.reader import PythonReader
from agent.reading.stream_reader import PlanStreamReader
from agent.reading.validation import Fault, FaultCode
from agent.tool import CallContext, Colour, Registry, Tool
from infra.dev.scripted_model.demo_scripts import demo_scripts
from infra.dev.scripted_model.error_rate_script import FIRST_DRAFT, REPAIRED
from infra.dev.scripted_model.script import ModelRequest, RequestMessage, Text
from infra.tools.access_log import AccessLogConfig
from infra.tools.catalogue import ToolsConfig, open_tools
from infra.tools.http import HttpGetConfig
from infra.tools.sql import SqlConfig
from sandbox.script import Json

NOW = datetime(2025, 11, 21, 9, 30, tzinfo=UTC)
STORY = (
    "check our three services and post a summary to #incidents; "
    "also work out yesterday's error rate per service from the access log"
)
FOLLOW_UP = "and how many errors did the payments database record in that hour?"
SERVICES = {name: f"http://127.0.0.1:9/{name}" for name in ("storefront", "search", "payments")}
BY: Mapping[str, Literal["user", "assistant", "system"]] = {"human": "user", "ai": "assistant", "system": "system"}


async def refuse(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise AssertionError("nothing is called here")


SLACK = Tool(
    name=ToolName("slack_post_message"),
    description="Post a message to a channel.",
    arguments={
        "type": "object",
        "properties": {"channel": {"type": "string"}, "text": {"type": "string"}},
        "required": ["channel", "text"],
        "additionalProperties": False,
    },
    colour=Colour.RED,
    call=refuse,
)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncGenerator[Registry]:
    config = ToolsConfig(
        http_get=HttpGetConfig(known=SERVICES, allow_private=True),
        read_access_log=AccessLogConfig(path=tmp_path / "access.log"),
        sql_query=SqlConfig(database_url="postgresql+psycopg://nobody@127.0.0.1:9/none"),
    )
    async with open_tools(config) as tools:
        yield Registry([*tools, SLACK])


def say(dialogue: Sequence[ChatMessage]) -> str:
    """Return what the brain says to a dialogue."""
    request = ModelRequest(
        model="any",
        messages=tuple(RequestMessage(role=BY[message.by], text=message.text) for message in dialogue),
        stream=False,
        include_usage=False,
        tools=(),
        response_format="text",
        body={},
    )
    reply = next(script for script in demo_scripts(None) if script.matches(request)).reply_to(request)
    assert isinstance(reply, Text)
    return reply.text


def message(text: str, author: str = "U1") -> Message:
    return Message(id=1, author=UserId(author), text=text, at=NOW)


def plan(
    registry: Registry,
    *texts: str,
    nodes: Sequence[ShownNode] = (),
    past: Sequence[ChatMessage] = (),
    faults: Sequence[Fault] = (),
    dialect: str | None = "Python.",
) -> tuple[list[Operation], list[str]]:
    """Return the operations and replies of the scripted model's plan, the same in both languages; fail on any fault."""
    written = [_planned(registry, texts, nodes, past, faults, dialect, language) for language in PlanLanguage]
    assert written[0] == written[1]
    return written[0]


def _planned(
    registry: Registry,
    texts: Sequence[str],
    nodes: Sequence[ShownNode],
    past: Sequence[ChatMessage],
    faults: Sequence[Fault],
    dialect: str | None,
    language: PlanLanguage,
) -> tuple[list[Operation], list[str]]:
    system = system_message(registry, dialect, language)
    said = say([system, *past, planner_message(NOW, [message(text) for text in texts], nodes, faults)])
    intake = PlanBuilder(registry=registry, known={entry.node.id: entry.node for entry in nodes})
    operations: list[Operation] = []
    replies: list[str] = []
    reader = PlanStreamReader() if language is PlanLanguage.JSON else PythonReader(registry, intake)
    for item in (*reader.feed(said), *reader.finish()):
        match item:
            case Reply():
                replies.append(item.text)
            case Placed():
                admission = intake.offer(item)
                assert admission.faults == ()
                operations += admission.admitted
            case Ask() | NeedTools() | Fault():
                pytest.fail(str(item))
    assert intake.close() == []
    return operations, replies


def nodes_of(operations: Sequence[Operation]) -> dict[str, Node]:
    return {operation.node.id: operation.node for operation in operations if isinstance(operation, Add)}


def shown(node: Node, outcome: Outcome | None = None, state: NodeState = NodeState.PLANNED) -> ShownNode:
    return ShownNode(node=node, state=state if outcome is None else state_of(outcome), outcome=outcome)


def needs(node: Node) -> set[str]:
    return {dependency.node for dependency in node.depends_on}


def test_story_becomes_checks_a_post_behind_them_and_a_log_branch_beside_them(registry: Registry) -> None:
    operations, replies = plan(registry, STORY)
    nodes = nodes_of(operations)
    assert list(nodes) == [
        "check_storefront",
        "check_search",
        "check_payments",
        "post_summary",
        "error_rates",
        "deployments",
    ]
    assert replies == []
    assert [nodes[f"check_{name}"].args["url"] for name in SERVICES] == list(SERVICES.values())
    assert all(not needs(nodes[f"check_{name}"]) for name in SERVICES)
    assert nodes["post_summary"].tool == "slack_post_message"
    assert nodes["post_summary"].args["channel"] == "#incidents"
    assert needs(nodes["post_summary"]) == {f"check_{name}" for name in SERVICES}
    assert (nodes["error_rates"].kind, nodes["error_rates"].tools) == (NodeKind.PACKAGE, ("read_access_log",))
    assert nodes["error_rates"].inputs == {"day": "2025-11-20"}
    assert needs(nodes["error_rates"]) == set()
    assert needs(nodes["deployments"]) == {"error_rates"}


def test_follow_up_refers_to_the_worst_hour_of_the_earlier_turn(registry: Registry) -> None:
    earlier = nodes_of(plan(registry, STORY)[0])
    rates = shown(earlier["error_rates"], Succeeded(value={"worst": {"hour": "2025-11-20T14:00:00Z"}}))
    past = [ChatMessage(by="human", text=STORY), ChatMessage(by="ai", text="Done.")]
    operations, replies = plan(registry, FOLLOW_UP, nodes=[rates], past=past)
    [node] = nodes_of(operations).values()
    assert node.tool == "sql_query"
    assert node.args["parameters"] == {"hour": "${error_rates#/worst/hour}"}
    assert needs(node) == {"error_rates"}
    assert replies == []


def test_follow_up_waits_for_error_rates_that_are_still_worked_out(registry: Registry) -> None:
    earlier = nodes_of(plan(registry, STORY)[0])
    past = [ChatMessage(by="human", text=STORY), ChatMessage(by="ai", text="(planned; see the plan so far)")]
    running = shown(earlier["error_rates"], state=NodeState.RUNNING)
    operations, _ = plan(registry, FOLLOW_UP, nodes=[running], past=past)
    assert needs(nodes_of(operations)["database_errors"]) == {"error_rates"}


def test_follow_up_works_the_hour_out_itself_when_the_thread_does_not_know_it(registry: Registry) -> None:
    failed = shown(nodes_of(plan(registry, STORY)[0])["error_rates"], Failed(error="timeout"))
    past = [ChatMessage(by="human", text=STORY), ChatMessage(by="ai", text="That failed.")]
    nodes = nodes_of(plan(registry, FOLLOW_UP, nodes=[failed], past=past)[0])
    assert list(nodes) == ["error_rates_2", "database_errors"]
    assert needs(nodes["database_errors"]) == {"error_rates_2"}


def test_ids_are_new_in_the_thread(registry: Registry) -> None:
    earlier = [shown(node, Succeeded(value=1)) for node in nodes_of(plan(registry, "check payments")[0]).values()]
    past = [ChatMessage(by="human", text="check payments"), ChatMessage(by="ai", text="Unhealthy.")]
    operations, _ = plan(registry, "check payments again", nodes=earlier, past=past)
    assert list(nodes_of(operations)) == ["check_payments_2"]


def test_first_turn_that_starts_over_writes_the_same_plan(registry: Registry) -> None:
    operations, _ = plan(registry, STORY)
    system = system_message(registry, "Python.")
    begun = [shown(node) for node in list(nodes_of(operations).values())[:3]]
    first = say([system, planner_message(NOW, [message(STORY)], ())])
    assert say([system, planner_message(NOW, [message(STORY)], begun)]) == first


def test_summary_covers_only_what_was_asked_for_before_it(registry: Registry) -> None:
    both = nodes_of(plan(registry, "work out the error rates, check search, and post a summary to #ops")[0])
    assert needs(both["post_summary"]) == {"error_rates", "check_search"}
    first = nodes_of(plan(registry, "check search, post a summary to #ops, and work out the error rates")[0])
    assert needs(first["post_summary"]) == {"check_search"}
    its_own = nodes_of(plan(registry, "check search; post a summary of the error rates to #ops")[0])
    assert needs(its_own["post_summary"]) == {"check_search", "error_rates"}


def test_summary_of_a_follow_up_refers_to_earlier_results(registry: Registry) -> None:
    earlier = [shown(node, Succeeded(value=1)) for node in nodes_of(plan(registry, "check all services")[0]).values()]
    past = [ChatMessage(by="human", text="check all services"), ChatMessage(by="ai", text="2 of 3.")]
    nodes = nodes_of(plan(registry, "post that to #incidents", nodes=earlier, past=past)[0])
    assert needs(nodes["post_summary"]) == {f"check_{name}" for name in SERVICES}


def test_dictated_text_is_posted_as_it_is(registry: Registry) -> None:
    [node] = nodes_of(plan(registry, 'post "costs ${price} & more" to #general')[0]).values()
    assert node.args == {"channel": "#general", "text": "costs $${price} & more"}


def test_long_names_make_a_plan_that_is_accepted(registry: Registry) -> None:
    url = "https://" + "a-very-long-host-name." * 10 + "example/x"
    request = f'post "{"word " * 300}" to #{"channel-" * 20}; check {url}'
    assert len(nodes_of(plan(registry, request)[0])) == 2


def test_same_summary_is_not_planned_twice_while_it_waits(registry: Registry) -> None:
    earlier = nodes_of(plan(registry, STORY)[0])
    waiting = [shown(node, state=NodeState.ASKING) for node in earlier.values()]
    past = [ChatMessage(by="human", text=STORY), ChatMessage(by="ai", text="(planned; see the plan so far)")]
    operations, replies = plan(registry, "post a summary to #incidents", nodes=waiting, past=past)
    assert operations == []
    assert "already planned" in replies[0]


def test_waiting_post_is_withdrawn_on_request(registry: Registry) -> None:
    earlier = nodes_of(plan(registry, STORY)[0])
    past = [ChatMessage(by="human", text=STORY), ChatMessage(by="ai", text="(planned; see the plan so far)")]
    waiting = [shown(node, state=NodeState.ASKING) for node in earlier.values()]
    operations, _ = plan(registry, "don't post it after all", nodes=waiting, past=past)
    assert [type(operation).__name__ for operation in operations] == ["Cancel"]
    done = [shown(node, Succeeded(value=1)) for node in earlier.values()]
    operations, replies = plan(registry, "don't post it after all", nodes=done, past=past)
    assert operations == []
    assert "Nothing is waiting" in replies[0]


def test_several_messages_are_planned_together(registry: Registry) -> None:
    nodes = nodes_of(plan(registry, "check payments", "and what was deployed yesterday?")[0])
    assert list(nodes) == ["check_payments", "deployments"]
    assert nodes["deployments"].args["parameters"] == {"day": "2025-11-20"}


@pytest.mark.parametrize("text", ["hello", "what can you do?", "write me a poem about the sea", "?"])
def test_what_it_does_not_understand_is_answered_with_what_it_can_do(registry: Registry, text: str) -> None:
    operations, [reply] = plan(registry, text)
    assert operations == []
    assert "scripted model" in reply
    assert "`is payments up?`" in reply


def test_rest_is_planned_when_a_part_is_not_understood(registry: Registry) -> None:
    operations, [reply] = plan(registry, "check payments and bake a cake for everyone")
    assert list(nodes_of(operations)) == ["check_payments"]
    assert "“bake a cake for everyone”" in reply


def test_channel_is_asked_for_when_none_was_named(registry: Registry) -> None:
    operations, [reply] = plan(registry, "check payments and post a summary")
    assert list(nodes_of(operations)) == ["check_payments"]
    assert "Which channel" in reply


def test_missing_tool_is_told_and_the_rest_is_planned(registry: Registry) -> None:
    fewer = Registry(tool for tool in registry if tool.name != "slack_post_message")
    operations, [reply] = plan(fewer, "check payments and post a summary to #ops")
    assert list(nodes_of(operations)) == ["check_payments"]
    assert "`slack_post_message` is not installed" in reply


@pytest.mark.parametrize("dialect", [None, Path("sandbox/dialects/none.md").read_text()], ids=["none", "refusing"])
def test_without_a_sandbox_no_script_is_planned(registry: Registry, dialect: str | None) -> None:
    operations, [reply] = plan(registry, STORY, dialect=dialect)
    assert all(node.kind is NodeKind.TOOL for node in nodes_of(operations).values())
    assert "no sandbox" in reply


def test_refused_plan_is_not_written_once_more(registry: Registry) -> None:
    fault = Fault(code=FaultCode.UNKNOWN_TOOL, message="there is no tool 'http_get'")
    past = [ChatMessage(by="ai", text="{}")]
    operations, [reply] = plan(registry, STORY, past=past, faults=[fault])
    assert operations == []
    assert "there is no tool 'http_get'" in reply


def rewrite(script: str) -> str:
    crash = crash_message(
        goal="Work out error rates",
        script=script,
        kind="error",
        type="IndexError",
        message="list index out of range",
        traceback="## Script\nprint('not the script')",
        calls=[{"tool": "read_access_log", "args": "{}", "ok": True, "milliseconds": 1}],
    )
    return say([system_message(dialect="Python."), crash])


def test_crashed_draft_is_repaired() -> None:
    assert rewrite(FIRST_DRAFT) == f"```python\n{REPAIRED}```\n"


def test_unknown_script_is_given_back_as_it_is() -> None:
    assert rewrite("def main(inputs):\n    return 1\n") == "```python\ndef main(inputs):\n    return 1\n```\n"


def test_reflection_ends() -> None:
    said = say([system_message(), results_message(Role.REPLAN, [message(STORY)], ())])
    assert json.loads(said) == {"decision": "end"}


def tool_node(id: str, title: str) -> Node:
    return Node(id=NodeId(id), kind=NodeKind.TOOL, title=title)


def answer(*nodes: ShownNode) -> str:
    return say([system_message(), results_message(Role.ANSWER, [message(STORY)], nodes)])


def test_answer_is_made_of_the_results(registry: Registry) -> None:
    health: dict[str, Json] = {"status": 200, "milliseconds": 252, "body": {"status": "ok"}, "truncated": False}
    ill: dict[str, Json] = {**health, "status": 503, "body": {"status": "unhealthy", "reason": "no | gateway"}}
    rates: dict[str, Json] = {
        "day": "2025-11-20",
        "unreadable_lines": 7,
        "services": {
            "search": {"requests": 1000, "errors": 5, "rate": 0.005},
            "payments": {"requests": 34000, "errors": 680, "rate": 0.02},
        },
        "worst": {
            "service": "payments",
            "hour": "2025-11-20T14:00:00Z",
            "requests": 2322,
            "errors": 537,
            "rate": 0.231266,
        },
    }
    deployed: dict[str, Json] = {
        "columns": ["service", "version", "deployed_at", "deployed_by", "change"],
        "rows": [["payments", "2.29.0", "2025-11-20T13:54:00+00:00", "marco", "Cut the pool"]],
        "truncated": False,
    }
    text = answer(
        shown(tool_node("a", "Check storefront"), Succeeded(value=health)),
        shown(tool_node("b", "Check payments"), Succeeded(value=ill)),
        shown(tool_node("c", "Work out error rates"), Succeeded(value=rates)),
        shown(tool_node("d", "Find what was deployed"), Succeeded(value=deployed)),
        shown(tool_node("e", "Post the summary to #incidents"), Succeeded(value={"channel": "C012", "ts": "1.2"})),
    )
    assert "**1 of 2 healthy.** payments answers 503 (no | gateway)" in text
    assert "| payments | 503 unhealthy | 252 ms |" in text
    assert "14:00-15:00 UTC on 2025-11-20: payments failed 537 of 2,322 requests (23.13 %)" in text
    assert text.index("| payments | 34,000 | 680 | 2.00 % |") < text.index("| search | 1,000 | 5 | 0.50 % |")
    assert "7 broken log lines" in text
    assert "| 2025-11-20 13:54 UTC | payments 2.29.0 | marco | Cut the pool |" in text
    assert "- Post the summary to #incidents: done, in <#C012>." in text
    assert text.endswith("_(scripted model)_")


def test_answer_counts_the_database_errors_of_the_hour() -> None:
    value: dict[str, Json] = {
        "columns": ["kind", "errors", "hour"],
        "rows": [["all kinds", 605, "2025-11-20T14:00:00+00:00"], ["lock_timeout", 605, "2025-11-20T14:00:00+00:00"]],
        "truncated": False,
    }
    text = answer(shown(tool_node("q", "Count"), Succeeded(value=value)))
    assert "**The payments database recorded 605 errors** in the hour 14:00-15:00 UTC on 2025-11-20." in text
    assert "| lock_timeout | 605 |" in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Rejected(by=UserId("U2"), reason="not now"), "**rejected** by <@U2> (“not now”)"),
        (Expired(), "**expired**: nobody decided in time"),
        (Skipped(because=NodeId("b")), "**skipped**, because it waits for “Second”, which did not happen"),
        (Failed(error="timeout", message="no answer"), "**failed** (timeout): no answer"),
        (Cancelled(why="withdrawn on request"), "**cancelled** (withdrawn on request)"),
    ],
    ids=["rejected", "expired", "skipped", "failed", "cancelled"],
)
def test_answer_says_what_did_not_happen(outcome: Outcome, words: str) -> None:
    second = shown(tool_node("b", "Second"), Rejected(by=UserId("U3")))
    assert f"- First: {words}" in answer(shown(tool_node("a", "First"), outcome), second)


def test_answer_shows_results_it_does_not_know_as_they_are() -> None:
    assert "- Odd: [1, 2]" in answer(shown(tool_node("a", "Odd"), Succeeded(value=[1, 2])))
