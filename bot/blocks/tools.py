"""The reply to `/greenlight tools`."""

from collections.abc import Iterator, Sequence

from agent.tool import Colour, Tool
from bot import wording
from bot.elements import Rendered, quoted, rendered, sections

MOST_TOOLS = 300

_SUMMARY_CHARACTERS = 150


def tools_message(tools: Sequence[Tool], others: int) -> Rendered:
    """Return what somebody may use, first what only reads; `others` is how many tools are for certain groups."""
    return rendered(wording.TOOLS_HERE, sections(_lines(tools, others)))


def _lines(tools: Sequence[Tool], others: int) -> Iterator[str]:
    shown = tools[:MOST_TOOLS]
    if not shown:
        yield wording.NO_TOOLS_HERE
    for heading, green in ((wording.TOOLS_THAT_READ, True), (wording.TOOLS_THAT_ASK, False)):
        if some := [tool for tool in shown if (tool.colour is Colour.GREEN) is green]:
            yield f"*{heading}*"
            yield from (f"• `{tool.name}` {quoted(tool.summary, _SUMMARY_CHARACTERS)}" for tool in some)
    if len(tools) > len(shown):
        yield wording.more_tools(len(tools) - len(shown))
    if others:
        yield wording.tools_of_groups(others)
