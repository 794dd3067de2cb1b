"""A step: one added node with the person who asked for it, and the request about its call. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.approval import ApprovalKind, ApprovalRequest
from agent.ids import ApprovalId, NodeId, ThreadId, UserId
from agent.plan.effects import Inverse
from agent.plan.operations import Node, call_arguments, digest_of
from agent.plan.templates import shown_title
from agent.ports import Bound
from agent.tool import CallContext, InputGiven
from sandbox.script import Json


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node of the log."""

    thread: ThreadId
    turn: int
    #: The person whose rights it runs with.
    author: UserId
    node: Node

    @property
    def id(self) -> NodeId:
        """The node's id."""
        return self.node.id

    @property
    def task_name(self) -> str:
        """The name of its LangGraph task: equal only for this very node."""
        return f"{self.node.id}@{self.node.digest[:16]}"

    def context(
        self,
        bound: Bound,
        not_after: Callable[[], float],
        note_inverse: Callable[[Inverse], None] = lambda _: None,
        given: InputGiven | None = None,
    ) -> CallContext:
        """Return the context of its call. The idempotency key is equal for every attempt at this very call."""
        key = digest_of([self.thread, self.node.id, bound.digest])
        return CallContext(
            thread=self.thread,
            node=self.node.id,
            author=self.author,
            idempotency_key=key,
            not_after=not_after,
            expected=None if bound.state is None else bound.state.get("read"),
            note_inverse=note_inverse,
            given=given,
        )

    @property
    def written(self) -> Mapping[str, Json]:
        """What the plan wrote for its work, with references."""
        return call_arguments(self.node)

    def question(self, kind: ApprovalKind, bound: Bound, attempt: int, behind: Iterable[Node]) -> ApprovalRequest:
        """Return the request to a person before (or about) this very call; `behind` are the nodes that wait for it."""
        return ApprovalRequest(
            id=self._question_id(kind, bound, attempt),
            thread=self.thread,
            turn=self.turn,
            node=self.node.id,
            kind=kind,
            title=self.node.title,
            tool=bound.tool,
            args=bound.args,
            digest=bound.digest,
            author=self.author,
            attempt=attempt,
            blocks=tuple(shown_title(waiting) for waiting in behind if waiting.id != self.node.item_of),
        )

    def asks(self, kind: ApprovalKind, question: ApprovalId) -> bool:
        """Return whether this is one of the node's own requests of that kind, whatever its arguments were."""
        return question.startswith(self._question_prefix(kind))

    def _question_id(self, kind: ApprovalKind, bound: Bound, attempt: int) -> ApprovalId:
        # 32 hex digits: the form of LangGraph's own interrupt ids, which these become. The first half
        # names node and kind, so that a card is found again when its arguments cannot be.
        return ApprovalId(self._question_prefix(kind) + digest_of([bound.digest, attempt])[:16])

    def _question_prefix(self, kind: ApprovalKind) -> str:
        return digest_of([self.thread, self.node.id, kind.value])[:16]
