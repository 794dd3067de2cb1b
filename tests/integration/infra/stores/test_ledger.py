"""Effects on PostgreSQL: what the ledger's rows say of the calls of a thread."""

from agent.ids import Digest, NodeId, ToolName
from agent.plan.effects import InverseCall, NoInverse, inverse_json
from agent.plan.outcomes import WORLD_CHANGED, Failed, Outcome, Succeeded, outcome_json
from infra.stores.stores import Stores
from tests.fakes.rows import ADA, THREAD, an_add

INVERSE = InverseCall(tool=ToolName("delete"), args={"ts": "1.0"}, resource="1.0")


async def called(stores: Stores, node: str, outcome: Outcome | None, attempt: int = 1, **inverse: object) -> None:
    """Record a try; without an outcome nobody knows what became of it."""
    await stores.ledger.start(THREAD, NodeId(node), Digest("d"), attempt)
    if outcome is not None:
        given = inverse.get("inverse")
        written = inverse_json(given) if isinstance(given, InverseCall | NoInverse) else None
        await stores.ledger.finish(THREAD, NodeId(node), attempt, outcome_json(outcome), written)


async def test_effects_are_read_in_the_order_in_which_their_newest_tries_began(stores: Stores) -> None:
    await stores.log.append(THREAD, 1, ADA, [an_add(node) for node in ("a", "b", "c", "d", "e")])
    await called(stores, "b", Failed(error=WORLD_CHANGED))
    await called(stores, "a", Succeeded(value=1), inverse=INVERSE)
    await called(stores, "b", Succeeded(value=2), attempt=2)
    await called(stores, "c", None)
    await called(stores, "d", None)
    await called(stores, "d", Succeeded(value=3), attempt=2, inverse=INVERSE)
    await called(stores, "e", Succeeded(value=4), inverse=NoInverse.NO_EFFECT)
    found = await stores.effects.of(THREAD)
    assert [(effect.id, effect.inverse, effect.unknown, effect.repeated) for effect in found] == [
        ("a", INVERSE, False, False),
        ("b", None, False, False),
        ("c", None, True, False),
        ("d", INVERSE, False, True),
    ]


async def test_a_thread_without_red_calls_has_no_effects(stores: Stores) -> None:
    assert await stores.effects.of(THREAD) == ()
