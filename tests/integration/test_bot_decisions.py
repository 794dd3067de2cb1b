"""Clicks on cards, over the local workspace's wire: who may, who was first, and what the card ends showing."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from agent.approval import ApprovalKind, ApprovalPolicy, Decision, GroupId, Policies
from agent.ids import ThreadId, ToolName, UserId, thread_id, thread_parts
from agent.plan.outcomes import NodeState
from bot import wording
from bot.ports import ApprovalView
from bot.publishing.publisher import ThreadPublisher
from bot.publishing.sender import MessageSender
from bot.slack.rate_limits import POSTS, UPDATES, RateLimiter
from tests.fakes.run_views import ADA, GRACE, a_node, a_run, an_approval
from tests.fakes.slack_scene import Json, Scene
from tests.fakes.slack_scene import scene as opened_scene

APPROVE, REJECT = "decide_approved", "decide_rejected"

OTHER = {"channel": "#general", "text": "payments is down"}
ALONE = {"dry_run": {"result": "1 message"}}
"""Facts of a request that shares its card with no other."""
"""The arguments of a call that shares no card with the usual one: it has one more."""


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with opened_scene() as one:
        yield one


async def asked(scene: Scene, *views: ApprovalView, channel: str = "ops", user: str = "Ada") -> ThreadId:
    """Put questions into a thread of their own and show their cards; return the thread."""
    root = await scene.people.write(user, channel, "please post it")
    place = (await scene.people.dump())["channels"][channel]["id"]
    thread = thread_id("T0LOCAL", place, root)
    moved = tuple(replace(view, request=replace(view.request, thread=thread)) for view in views)
    scene.rows.show(a_run(thread, nodes=(a_node("post", NodeState.ASKING),), approvals=moved))
    await scene.publisher.reconcile(thread)
    return thread


async def card_of(scene: Scene, thread: ThreadId, question: str, channel: str = "ops") -> dict[str, Json]:
    """Return the message that holds, or held, the question's buttons."""
    posts = next(iter(await scene.rows.unsettled(thread))).posts
    ts = next(message.ts for slot, message in posts.items() if slot.key == question)
    return next(message for message in await scene.people.messages(channel) if message["ts"] == ts)


async def click(scene: Scene, user: str, card: dict[str, Json], action: str, channel: str = "ops") -> None:
    """Click and let the app finish."""
    done = await scene.people.act("click", user=user, channel=channel, ts=card["ts"], action_id=action)
    assert done.get("acknowledged"), done
    await scene.settled()


def has_buttons(message: dict[str, Json]) -> bool:
    return any(block["type"] == "actions" for block in message["blocks"])


async def test_approval_decides_once_and_locks_the_card(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    await click(scene, "Grace", card, APPROVE)
    assert scene.rows.decided == [("q1", Decision.APPROVED, GRACE)]
    locked = await card_of(scene, thread, "q1")
    assert not has_buttons(locked)
    assert "*Approved* by <@U0GRACE> on <!date^" in str(locked["blocks"])
    assert "payments is down" in str(locked["blocks"])


async def test_click_spends_no_chat_update(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    before = (await scene.people.calls()).get("chat.update", 0)
    await click(scene, "Grace", await card_of(scene, thread, "q1"), REJECT)
    await scene.publisher.reconcile(thread)
    assert (await scene.people.calls()).get("chat.update", 0) == before
    assert "*Rejected* by <@U0GRACE>" in str((await card_of(scene, thread, "q1"))["blocks"])


async def test_second_click_changes_nothing_and_is_answered(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    # the second person's client still shows the buttons: deliver both clicks before the card is locked
    await scene.people.act("faults", method="response_url", error="fatal_error")
    await scene.people.act("faults", method="chat.update", error="fatal_error")
    await click(scene, "Grace", card, APPROVE)
    await click(scene, "Linus", card, REJECT)
    assert scene.rows.decided == [("q1", Decision.APPROVED, GRACE)]
    assert await scene.people.whispers("U0LINUS") == [wording.already(Decision.APPROVED, "<@U0GRACE>")]
    assert "*Approved* by <@U0GRACE>" in str((await card_of(scene, thread, "q1"))["blocks"])


async def test_approving_one_card_leaves_its_neighbour_open(scene: Scene) -> None:
    thread = await asked(
        scene, an_approval(id="q1"), an_approval(id="q2", title="Post to #general", args=OTHER, facts=ALONE)
    )
    await click(scene, "Grace", await card_of(scene, thread, "q2"), APPROVE)
    assert scene.rows.decided == [("q2", Decision.APPROVED, GRACE)]
    assert has_buttons(await card_of(scene, thread, "q1"))
    assert not has_buttons(await card_of(scene, thread, "q2"))


async def test_click_on_an_outdated_card_does_not_count(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    (view,) = (await scene.rows.unsettled(thread))[0].approvals
    edited = replace(view.request, args={"channel": "#incidents", "text": "all is well"})
    scene.rows.change_approval(replace(view, version=2, request=edited))
    await click(scene, "Grace", card, APPROVE)
    assert scene.rows.decided == []
    assert await scene.people.whispers("U0GRACE") == [wording.QUESTION_OUTDATED]
    now = await card_of(scene, thread, "q1")
    assert has_buttons(now)
    assert "all is well" in str(now["blocks"])
    await click(scene, "Grace", now, APPROVE)
    assert scene.rows.decided == [("q1", Decision.APPROVED, GRACE)]


async def test_guest_may_not_decide(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    await click(scene, "Gus", await card_of(scene, thread, "q1"), APPROVE)
    assert scene.rows.decided == []
    assert "only full members" in (await scene.people.whispers("U0GUEST"))[0]
    assert has_buttons(await card_of(scene, thread, "q1"))


async def test_stranger_in_a_shared_channel_may_not_decide(scene: Scene) -> None:
    thread = await asked(scene, an_approval(), channel="partners")
    await click(scene, "Olga", await card_of(scene, thread, "q1", "partners"), APPROVE, "partners")
    assert scene.rows.decided == []
    assert "only full members" in (await scene.people.whispers("U0OTHER"))[0]


async def test_member_of_the_installing_team_decides_in_a_shared_channel(scene: Scene) -> None:
    thread = await asked(scene, an_approval(), channel="partners")
    await click(scene, "Grace", await card_of(scene, thread, "q1", "partners"), APPROVE, "partners")
    assert scene.rows.decided == [("q1", Decision.APPROVED, GRACE)]


async def test_doubt_about_the_person_refuses(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    await scene.people.act("faults", method="users.info", error="fatal_error", times=1)
    await click(scene, "Grace", card, APPROVE)
    assert scene.rows.decided == []
    assert "couldn't check" in (await scene.people.whispers("U0GRACE"))[0]
    await click(scene, "Grace", card, APPROVE)
    assert scene.rows.decided == [("q1", Decision.APPROVED, GRACE)]


async def test_a_store_that_is_down_is_told_and_decides_nothing(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    scene.rows.down = True
    await click(scene, "Grace", card, APPROVE)
    scene.rows.down = False
    assert scene.rows.decided == []
    assert await scene.people.whispers("U0GRACE") == [wording.SOMETHING_WENT_WRONG]


async def test_unknown_question_is_answered(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")
    scene.rows.runs.clear()
    await click(scene, "Grace", card, APPROVE)
    assert await scene.people.whispers("U0GRACE") == [wording.QUESTION_UNKNOWN]


async def test_person_decides_what_happened_after_a_crash(scene: Scene) -> None:
    thread = await asked(scene, an_approval(kind=ApprovalKind.UNKNOWN))
    card = await card_of(scene, thread, "q1")
    actions = [
        element["action_id"] for block in card["blocks"] if block["type"] == "actions" for element in block["elements"]
    ]
    assert actions == ["decide_again", "decide_happened", "decide_give_up"]
    await click(scene, "Grace", card, "decide_happened")
    assert scene.rows.decided == [("q1", Decision.HAPPENED, GRACE)]


@pytest.mark.parametrize(
    ("policy", "who", "action", "decided", "told"),
    [
        pytest.param(ApprovalPolicy(self_approval=False), "Ada", APPROVE, False, "somebody else", id="not-oneself"),
        pytest.param(ApprovalPolicy(self_approval=False), "Ada", REJECT, True, "", id="own-no-counts"),
        pytest.param(ApprovalPolicy(self_approval=False), "Grace", APPROVE, True, "", id="second-person"),
        pytest.param(ApprovalPolicy(users=frozenset()), "Grace", APPROVE, False, "Nobody may", id="empty-is-nobody"),
        pytest.param(
            ApprovalPolicy(users=frozenset({UserId("U0LINUS")})), "Grace", APPROVE, False, "not among", id="not-named"
        ),
        pytest.param(
            ApprovalPolicy(groups=frozenset({GroupId("S0ONCALL")})), "Grace", APPROVE, True, "", id="in-the-group"
        ),
        pytest.param(
            ApprovalPolicy(groups=frozenset({GroupId("S0ONCALL")})), "Ada", APPROVE, False, "not among", id="no-group"
        ),
        pytest.param(
            ApprovalPolicy(groups=frozenset({GroupId("S0GONE")})), "Grace", APPROVE, False, "not among", id="gone-group"
        ),
    ],
)
async def test_policy_is_asked_at_the_click(
    policy: ApprovalPolicy, who: str, action: str, decided: bool, told: str
) -> None:
    policies = Policies(by_tool={ToolName("slack_post_message"): policy})
    async with opened_scene(policies) as scene:
        thread = await asked(scene, an_approval())
        await click(scene, who, await card_of(scene, thread, "q1"), action)
        assert bool(scene.rows.decided) is decided
        whispered = await scene.people.whispers({"Ada": ADA, "Grace": GRACE}[who])
        assert [told in words for words in whispered] == ([True] if told else [])


async def test_requester_who_may_not_decide_alone_is_told_what_is_left_to_them_on_this_card() -> None:
    async with opened_scene(Policies(default=ApprovalPolicy(self_approval=False))) as scene:
        thread = await asked(scene, an_approval(kind=ApprovalKind.UNKNOWN))
        card = await card_of(scene, thread, "q1")
        await click(scene, "Ada", card, "decide_again")
        (told,) = await scene.people.whispers("U0ADA")
        assert wording.GIVE_UP in told
        assert "reject" not in told
        await click(scene, "Ada", card, "decide_give_up")
        assert scene.rows.decided == [("q1", Decision.GIVE_UP, ADA)]


async def test_an_edit_of_the_card_that_waits_for_its_turn_never_brings_the_buttons_back(scene: Scene) -> None:
    thread = await asked(scene, an_approval())
    card = await card_of(scene, thread, "q1")

    async def meanwhile(_seconds: float) -> None:
        await click(scene, "Grace", card, APPROVE)

    rate_limiter = RateLimiter(clock=lambda: 0.0, sleep=meanwhile)
    for _ in range(UPDATES.burst):
        await rate_limiter.wait(("update", thread_parts(thread).tenant), UPDATES)
    scene.rows.change_approval(an_approval(thread, blocks=("Tell the team",)))
    publisher = ThreadPublisher(
        scene.rows,
        scene.rows,
        MessageSender(scene.api, scene.rows, rate_limiter, scene.app.principals.identity),
        lambda _: ApprovalPolicy(),
    )
    await publisher.reconcile(thread)
    assert not has_buttons(await card_of(scene, thread, "q1"))


def sender_of(scene: Scene, rate_limiter: RateLimiter) -> MessageSender:
    """Return a sender that waits by this limiter."""
    return MessageSender(scene.api, scene.rows, rate_limiter, scene.app.principals.identity)


async def test_an_approval_withdrawn_before_its_turn_to_be_posted_is_not_posted(scene: Scene) -> None:
    thread = await asked(scene, an_approval())

    async def meanwhile(_seconds: float) -> None:
        scene.rows.change_approval(an_approval(thread, id="q2", args=OTHER, facts=ALONE, decision=Decision.WITHDRAWN))

    rate_limiter = RateLimiter(clock=lambda: 0.0, sleep=meanwhile)
    for _ in range(POSTS.burst):
        await rate_limiter.wait(("post", thread_parts(thread).tenant, thread_parts(thread).channel), POSTS)
    nodes = (a_node("post", NodeState.ASKING),)
    both = (an_approval(thread), an_approval(thread, id="q2", args=OTHER, facts=ALONE))
    scene.rows.show(a_run(thread, nodes=nodes, approvals=both))
    before = await scene.people.thread(thread_parts(thread).root_ts)
    publisher = ThreadPublisher(
        scene.rows,
        scene.rows,
        MessageSender(scene.api, scene.rows, rate_limiter, scene.app.principals.identity),
        lambda _: ApprovalPolicy(),
    )
    await publisher.reconcile(thread)
    assert await scene.people.thread(thread_parts(thread).root_ts) == before
