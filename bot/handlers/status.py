"""What `!status` says in a thread: what runs, what waits, and for whom."""

from collections.abc import Callable, Iterator

from agent.approval import ApprovalPolicy
from agent.ids import ThreadId, ToolName
from agent.plan.outcomes import NodeState
from agent.ports import Decision, RunStatus
from bot import wording
from bot.blocks.board import board_title
from bot.blocks.card import ABOUT_TURN, who_may_decide
from bot.blocks.elements import escaped, mention, moment, quoted, sections
from bot.blocks.message import Rendered, rendered, words_only
from bot.ports import ApprovalView, Inbox, NodeView, RunView, RunViews

_ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
_MOST_STEPS = 20


class StatusReport:
    """Tells how threads stand, as their rows say it now."""

    def __init__(self, inbox: Inbox, views: RunViews, policy_for: Callable[[ToolName], ApprovalPolicy]) -> None:
        self._inbox = inbox
        self._views = views
        self._policy_for = policy_for

    async def of(self, thread: ThreadId) -> Rendered:
        """Return what people of the thread are told."""
        runs = [each for each in await self._views.unsettled(thread) if each.status not in _ENDED]
        if not runs:
            waiting = await self._inbox.waiting(thread)
            return words_only(wording.NOT_BEGUN if waiting else wording.NOTHING_RUNS_HERE)
        lines = [line for run in runs for line in self._lines(run)]
        return rendered(escaped(board_title(runs[-1])), sections(lines))

    def _lines(self, run: RunView) -> Iterator[str]:
        yield f"*{escaped(board_title(run))}*, asked for by {mention(run.requester)}, since {moment(run.started_at)}"
        running = [each for each in run.nodes if each.state is NodeState.RUNNING]
        waiting = [each for each in run.nodes if each.state is NodeState.PLANNED]
        questions = [each for each in run.questions if each.standing.decision is Decision.PENDING]
        if running:
            yield wording.running_now(_titles(running))
        for each in questions[:_MOST_STEPS]:
            yield self._waits_for_whom(each)
        if len(questions) > _MOST_STEPS:
            yield f"… and {len(questions) - _MOST_STEPS} more"
        if waiting:
            yield wording.waiting_for_others(_titles(waiting))

    def _waits_for_whom(self, view: ApprovalView) -> str:
        question = view.question
        policy = ApprovalPolicy() if question.kind in ABOUT_TURN else self._policy_for(question.tool)
        title = quoted(question.title, 150) or wording.question_title(question.kind)
        return wording.waiting_for_people(title, who_may_decide(policy, question))


def _titles(nodes: list[NodeView]) -> str:
    return wording.listed((quoted(each.title, 80) for each in nodes), most=_MOST_STEPS)
