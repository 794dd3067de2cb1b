"""Whatever runs hold, the messages stay within Slack's limits: checked by the strict workspace and by the SDK."""

import json
from collections.abc import Iterable
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block as SdkBlock

from agent.approval import ApprovalKind, ApprovalPolicy, Decision
from agent.ids import NodeId, UserId, thread_id
from agent.plan.outcomes import Cancelled, Failed, NodeState, Rejected, Skipped
from agent.ports import RunStatus
from bot import wording
from bot.blocks.answer import answer
from bot.blocks.board import board
from bot.blocks.help import MOST_RUNS, help_message, opening, status, stoppable
from bot.cards.card import card
from bot.elements import MESSAGE_BLOCKS, Rendered, words_only
from bot.ports import AttemptView, NodeView, OpenRun
from infra.dev.local_slack.block_kit.block_kit import message_faults
from sandbox.script import Json
from tests.fakes.bot_ports import NOON
from tests.fakes.run_views import ADA, THREAD, a_node, a_run, an_approval

REFUSED_ABOVE = 13_200
"""Slack's undocumented bound for all blocks together (slackapi/bolt-js#2509)."""

WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["<!channel>", "<@U1>", "a & b", "*x* _y_ `z`", "```", "\u202eevil", "é" * 400, "&" * 3000, ""]),
)
LONG = st.one_of(WORDS, st.sampled_from(["x" * 20_000, "\n" * 9000, "日本" * 3000, "| a | b |\n" * 4000]))


def check(messages: Iterable[Rendered]) -> None:
    """Assert that Slack would take each message, and that nothing in its mrkdwn mentions or calls anyone unasked."""
    for message in messages:
        blocks = json.loads(json.dumps(message.blocks))
        assert message_faults(blocks) == []
        assert len(blocks) <= MESSAGE_BLOCKS
        assert 0 < len(message.text) <= 4000
        for block in blocks:
            parsed = cast("Any", SdkBlock).parse(block)  # the SDK's models are typed with bare dicts
            assert parsed is not None
            parsed.to_dict()  # runs its validators
        assert sum(len(text) for text in texts(blocks)) <= REFUSED_ABOVE
        for text in [message.text, *mrkdwn(blocks)]:
            assert "<!channel>" not in text
            assert "<@U1>" not in text


def texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():  # pyright: ignore[reportUnknownVariableType] -- decoded JSON
            yield from texts(inner)  # pyright: ignore[reportUnknownArgumentType] -- decoded JSON
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType] -- decoded JSON
            yield from texts(inner)  # pyright: ignore[reportUnknownArgumentType] -- decoded JSON


def mrkdwn(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "markdown"}:  # pyright: ignore[reportUnknownMemberType] -- decoded JSON
            yield str(value["text"])  # pyright: ignore[reportUnknownArgumentType] -- decoded JSON
            return
        for inner in value.values():  # pyright: ignore[reportUnknownVariableType] -- decoded JSON
            yield from mrkdwn(inner)  # pyright: ignore[reportUnknownArgumentType] -- decoded JSON
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType] -- decoded JSON
            yield from mrkdwn(inner)  # pyright: ignore[reportUnknownArgumentType] -- decoded JSON


@st.composite
def nodes(draw: st.DrawFn) -> tuple[NodeView, ...]:
    count = draw(st.sampled_from([0, 1, 5, 40, 41, 120]))
    seen = list[NodeView]()
    for number in range(count):
        state = draw(st.sampled_from(NodeState))
        word = draw(WORDS)
        endings = {
            NodeState.FAILED: Failed(error=word, message=word),
            NodeState.REJECTED: Rejected(by=ADA, reason=word),
            NodeState.SKIPPED: Skipped(because=NodeId(draw(st.sampled_from(["n0", "elsewhere"])))),
            NodeState.CANCELLED: Cancelled(why=word),
        }
        attempts = (AttemptView(attempt=1, kind="error", error=word),) if draw(st.booleans()) else ()
        rest = {"outcome": endings[state]} if state in endings else {}
        behind = tuple(node.id for node in seen[-6:])
        seen.append(a_node(f"n{number}", state, title=word, detail=word, attempts=attempts, depends_on=behind, **rest))
    return tuple(seen)


@settings(deadline=None, max_examples=60)
@given(nodes=nodes(), status=st.sampled_from(RunStatus))
def test_boards(nodes: tuple[NodeView, ...], status: RunStatus) -> None:
    check([board(a_run(nodes=nodes, status=status))])


ARGUMENTS: st.SearchStrategy[dict[str, Json]] = st.dictionaries(
    st.text(min_size=1, max_size=20),
    LONG | st.integers() | st.none() | st.booleans() | st.lists(WORDS, max_size=3) | st.dictionaries(WORDS, WORDS),
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(
    args=ARGUMENTS,
    title=WORDS,
    blocks=st.lists(WORDS, max_size=12),
    decision=st.sampled_from(Decision),
    kind=st.sampled_from(ApprovalKind),
    reason=WORDS,
)
def test_cards(
    args: dict[str, Json], title: str, blocks: list[str], decision: Decision, kind: ApprovalKind, reason: str
) -> None:
    view = an_approval(args=args, title=title, blocks=tuple(blocks), kind=kind, decision=decision, by=ADA, at=NOON)
    policy = ApprovalPolicy(users=frozenset(UserId(f"U{n}X") for n in range(30)), self_approval=False)
    check(card(view, policy))


@settings(deadline=None, max_examples=60)
@given(text=LONG)
def test_answers(text: str) -> None:
    check(answer(text))


@given(word=st.text(max_size=20))
def test_turn_errors(word: str) -> None:
    check([words_only(wording.turn_error(word))])


@settings(deadline=None)
@given(request=LONG.filter(lambda words: len(words) < 4000))
def test_openings(request: str) -> None:
    check([opening(ADA, request)])


@given(request=WORDS, count=st.integers(min_value=0, max_value=30))
def test_status_and_help(request: str, count: int) -> None:
    runs = [
        OpenRun(
            thread=thread_id("T0LOCAL", "C0OPS", f"{number}.0"),
            turn=1,
            status=RunStatus.WAITING,
            requester=ADA,
            request=request,
            started_at=NOON,
            waiting=2,
        )
        for number in range(count)
    ]
    links = {run.thread: f"https://local.example/archives/C0OPS/p{number}" for number, run in enumerate(runs)}
    offer = stoppable(runs)
    check([status(runs, runs, links), status([], runs, {THREAD: ""}), offer, help_message(UserId("U0BOT"))])
    assert (f"… and {count - MOST_RUNS} more" in str(offer.blocks)) == (count > MOST_RUNS)
