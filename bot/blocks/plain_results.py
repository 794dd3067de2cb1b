"""What came of a turn's steps as plain Markdown: the answer when no model writes one, or somebody stopped it."""

from collections.abc import Mapping, Sequence

from agent.ids import NodeId
from agent.llm.transcript import ShownNode
from agent.plan.json_values import truncated
from agent.plan.outcomes import ArtifactRef, Expired, Failed, Skipped, Succeeded
from agent.plan.templates import shown_title
from agent.tools.binding import rendered
from bot import wording

_VALUE_CHARACTERS = 300


class PlainResults:
    """The `PlainWords` of `agent/planning/answerer.py`."""

    def results(self, nodes: Sequence[ShownNode]) -> str:
        """Return one line for each step: its title and how it ended."""
        titles = {each.node.id: shown_title(each.node) for each in nodes}
        return "\n".join(f"- **{titles[each.node.id]}**: {_ending(each, titles)}" for each in nodes)

    def nothing_left(self) -> str:
        """Return what to say of a turn in which nothing was planned, and nothing said."""
        return wording.NOTHING_LEFT

    def stopped(self, nodes: Sequence[ShownNode], *, undecided: bool) -> str:
        """Return what a stopped turn has done and what it has not; `undecided`: nobody said whether to go on."""
        done = [each for each in nodes if isinstance(each.outcome, Succeeded)]
        rest = [each for each in nodes if not isinstance(each.outcome, Succeeded)]
        stopped = wording.STOPPED if nodes else wording.STOPPED_EARLY
        parts = [wording.STOPPED_UNDECIDED if undecided else stopped]
        if done:
            parts.append(f"{wording.WHAT_WAS_DONE}\n{self.results(done)}")
        if rest:
            parts.append(f"{wording.WHAT_WAS_NOT_DONE}\n{self.results(rest)}")
        return "\n\n".join(parts)


def _ending(shown: ShownNode, titles: Mapping[NodeId, str]) -> str:
    words = wording.STATES[shown.state]
    match shown.outcome:
        case Succeeded(artifact=ArtifactRef() as ref):
            return f"{words}; {ref.size} bytes, beginning with {_code(ref.head)}"
        case Succeeded(value=value):
            return words if value is None else f"{words}; {_code(rendered(value))}"
        case Failed(error=error):
            return f"{words}: {wording.failure(error)}"
        case Expired():
            return f"{words}: {wording.NOBODY_DECIDED}"
        case Skipped(because=because, why=why) if why:
            return f"{words}: {wording.condition_unmet(titles.get(because, because))}"
        case Skipped(because=because):
            return f"{words}, because of “{titles.get(because, because)}”"
        case _:
            return words


def _code(text: str) -> str:
    return "`" + truncated(" ".join(text.split()), _VALUE_CHARACTERS).replace("`", "'").replace("\n", " ") + "`"
