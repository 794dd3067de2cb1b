"""Which files leave prompts and store: nothing referred to, and everything else that is too old or too much."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.eviction import (
    FileLimits,
    FileReferences,
    KeptFile,
    PromptFiles,
    evictions,
    in_prompts,
    referred_nodes,
    steps_after,
)
from agent.plan.files import Evicted, FileOrigin, FileRecord
from agent.plan.operations import Dependency, Node, NodeKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = FileLimits(days=30, run_bytes=100, thread_bytes=150, tenant_bytes=200)
NODES = [NodeId(f"n{number}") for number in range(8)]


def kept(
    name: str = "n0", *, turn: int = 1, size: int = 10, days: float = 0, rounds: int = 0, steps: int = 0
) -> KeptFile:
    """Return a file of a node."""
    origin = FileOrigin(turn=turn, node=NodeId(name), author=UserId("U1"))
    record = FileRecord(
        name=origin.path(f"{name}.json"),
        origin=origin,
        digest=Digest(name),
        size=size,
        media_type="application/json",
        summary="",
        made_at=NOW - timedelta(days=days),
    )
    return KeptFile(record=record, rounds=rounds, steps=steps)


@pytest.mark.parametrize(
    ("rounds", "steps", "shown"),
    [(0, 0, True), (3, 20, True), (4, 0, False), (1, 21, False), (0, 500, True)],
    ids=["new", "at both bounds", "older than three rounds", "older than twenty steps", "of a wide round"],
)
def test_a_file_leaves_the_prompts_after_three_rounds_or_twenty_steps(rounds: int, steps: int, shown: bool) -> None:
    assert in_prompts(kept(rounds=rounds, steps=steps), LIMITS) is shown


def test_only_the_newest_files_of_a_round_show_their_beginning() -> None:
    files = [kept("n0", steps=21), kept("n1", steps=20), kept("n2", rounds=1), kept("n3", rounds=4)]
    shown = PromptFiles.of(files, LIMITS)
    assert shown.fresh == {"1/n1/n1.json"}
    assert shown.older == {"1/n0/n0.json", "1/n2/n2.json"}


def test_steps_count_the_nodes_planned_after_one_that_have_ended() -> None:
    ended = {NODES[1], NODES[3]}
    assert steps_after(reversed(NODES[:4]), ended.__contains__, 20) == {"n3": 0, "n2": 1, "n1": 1, "n0": 2}
    assert steps_after(reversed(NODES[:4]), ended.__contains__, 0) == {"n3": 0}


FILES = st.lists(
    st.builds(
        kept,
        st.sampled_from(NODES),
        turn=st.integers(1, 3),
        size=st.integers(1, 80),
        days=st.floats(0, 60),
        rounds=st.integers(0, 6),
        steps=st.integers(0, 40),
    ),
    max_size=12,
    unique_by=lambda file: file.record.name,
)
REFERENCES = st.builds(
    FileReferences,
    nodes=st.frozensets(st.sampled_from(NODES)),
    names=st.frozensets(st.sampled_from([f"{turn}/{node}/{node}.json" for turn in (1, 2, 3) for node in NODES])),
)


@given(FILES, REFERENCES, st.booleans(), st.integers(0, 300))
def test_nothing_that_is_referred_to_or_shown_goes(
    files: list[KeptFile], references: FileReferences, idle: bool, excess: int
) -> None:
    gone = evictions(files, references, LIMITS, now=NOW, tenant_excess=excess, idle=idle)
    for file in files:
        if references.cover(file.record) or (in_prompts(file, LIMITS) and not idle):
            assert file.record.name not in gone


@given(FILES, REFERENCES, st.booleans(), st.integers(0, 300))
def test_everything_else_goes_that_is_too_old_or_too_much(
    files: list[KeptFile], references: FileReferences, idle: bool, excess: int
) -> None:
    gone = evictions(files, references, LIMITS, now=NOW, tenant_excess=excess, idle=idle)
    left = [file for file in files if file.record.name not in gone]
    spare = [file for file in left if not references.cover(file.record) and (idle or not in_prompts(file, LIMITS))]
    freed = sum(file.record.size for file in files) - sum(file.record.size for file in left)
    for file in spare:
        assert NOW - file.record.made_at <= timedelta(days=LIMITS.days)
        same_run = [other.record.size for other in left if other.record.origin.turn == file.record.origin.turn]
        assert sum(same_run) <= LIMITS.run_bytes
        assert sum(other.record.size for other in left) <= LIMITS.thread_bytes
        assert freed >= excess


@given(FILES, REFERENCES)
def test_no_more_goes_than_the_quotas_ask_for_and_the_oldest_first(
    files: list[KeptFile], references: FileReferences
) -> None:
    limits = FileLimits(days=1_000, run_bytes=10**9, thread_bytes=150, tenant_bytes=10**9)
    gone = evictions(files, references, limits, now=NOW, idle=True)
    sizes = {file.record.name: file.record.size for file in files}
    total = sum(sizes.values())
    if gone:
        assert set(gone.values()) == {Evicted.THREAD_QUOTA}
        newest = max(
            (file for file in files if file.record.name in gone),
            key=lambda file: (file.record.made_at, file.record.name),
        )
        without = sum(size for name, size in sizes.items() if name in gone) - newest.record.size
        assert total - without > limits.thread_bytes
        spared = [file for file in files if file.record.name not in gone and not references.cover(file.record)]
        assert all(file.record.made_at >= newest.record.made_at for file in spared)


def node(name: str, **more: object) -> Node:
    """Return a node of the plan."""
    return Node(id=NodeId(name), kind=NodeKind.TOOL, title=name, tool=ToolName("echo"), **more)  # pyright: ignore[reportArgumentType]


PLANS = st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=8).map(
    lambda plan: {
        NodeId(f"n{at}"): node(f"n{at}", args={"in": [f"${{n{other}}}" for other in sorted(needs) if other < at]})
        for at, needs in enumerate(plan)
    }
)


@given(PLANS, st.frozensets(st.sampled_from(NODES)), st.frozensets(st.sampled_from(NODES)))
def test_what_an_unfinished_node_or_a_red_call_needs_is_referred_to(
    plan: dict[NodeId, Node], ended: frozenset[NodeId], audited: frozenset[NodeId]
) -> None:
    referred = referred_nodes(plan, ended, audited)
    for name, planned in plan.items():
        if name not in ended or name in audited:
            assert name in referred
            for needed in NODES:
                assert needed in referred or f"${{{needed}}}" not in str(planned.args)
    others = {other for other in plan if other not in referred}
    assert all(f"${{{other}}}" not in str(plan[name].args) for other in others for name in plan if name not in ended)


def test_items_dependencies_and_named_files_of_an_unfinished_node_are_referred_to() -> None:
    plan = {
        NodeId("list"): node("list"),
        NodeId("each"): node("each", for_each="${list}"),
        NodeId("each-0"): node("each-0", item_of=NodeId("each")),
        NodeId("old"): node("old"),
        NodeId("reads"): Node(
            id=NodeId("reads"),
            kind=NodeKind.TOOL,
            title="reads",
            tool=ToolName("files_read"),
            args={"name": "1/old/old.json"},
            depends_on=(Dependency(node=NodeId("before")),),
        ),
        NodeId("before"): node("before"),
        NodeId("spare"): node("spare"),
    }
    ended = frozenset(map(NodeId, ("list", "each-0", "old", "before", "spare")))
    assert referred_nodes(plan, ended, frozenset()) == {"list", "each", "each-0", "old", "reads", "before"}
