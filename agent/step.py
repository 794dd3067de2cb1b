"""A step: one added node with the person who asked for it, and what is said about it to others. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.ids import NodeId, QuestionId, ThreadId, UserId
from agent.plan import LoggedOperation, Node, digest_of, node_digest
from agent.ports import Bound, Question, QuestionKind
from agent.tools.registry import CallContext


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node of the log; `author` is the person whose rights it runs with."""

    thread: ThreadId
    turn: int
    author: UserId
    node: Node

    @property
    def id(self) -> NodeId:
        """The node's id."""
        return self.node.id

    @property
    def task_name(self) -> str:
        """The name of its LangGraph task: equal only for this very node."""
        return f"{self.node.id}@{node_digest(self.node)[:16]}"

    def context(self, bound: Bound) -> CallContext:
        """Return on whose behalf its call is made. The key is equal for every try of this very call."""
        key = digest_of([self.thread, self.node.id, bound.digest])
        return CallContext(thread=self.thread, node=self.node.id, author=self.author, idempotency_key=key)

    def question(self, kind: QuestionKind, bound: Bound, attempt: int, behind: Iterable[Node]) -> Question:
        """Return what a person is asked before (or about) this very call."""
        return Question(
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
            blocks=tuple(each.title for each in behind),
        )

    def _question_id(self, kind: QuestionKind, bound: Bound, attempt: int) -> QuestionId:
        # 32 hex digits: the form of LangGraph's own interrupt ids, which these become.
        return QuestionId(digest_of([self.thread, self.node.id, kind.value, bound.digest, attempt])[:32])


def step_added(thread: ThreadId, logged: LoggedOperation, node: Node) -> Step:
    """Return the step that a logged add makes."""
    return Step(thread=thread, turn=logged.turn, author=logged.author, node=node)
