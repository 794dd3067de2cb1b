"""What the agent says: answers and replies as Markdown, trouble in words."""

import re
from collections.abc import Iterator

from bot import wording
from bot.blocks.elements import MARKDOWN_CHARACTERS, markdown, notice
from bot.blocks.message import Rendered, rendered, words_only

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)(.*)$")


def answer(text: str) -> tuple[Rendered, ...]:
    """Return an answer as one message or several; nothing in it can alert anyone."""
    safe = defused(text).strip() or wording.NOTHING_TO_SAY
    return tuple(rendered(notice(part), [markdown(part)]) for part in markdown_parts(safe))


def trouble(word: str) -> Rendered:
    """Return what a person reads when a turn ended in trouble."""
    return words_only(wording.trouble(word))


def defused(text: str) -> str:
    """Return Markdown in which `<!channel>`, `<@U1>` and `<!subteam^S1>` are only words; `<#C1>` alerts nobody."""
    return re.sub(r"<(?=[!@])", "<\N{ZERO WIDTH SPACE}", text)


def markdown_parts(text: str, characters: int = MARKDOWN_CHARACTERS) -> Iterator[str]:
    """Cut Markdown at line ends into parts a block holds; a code fence cut in two is closed and reopened."""
    part: list[str] = []
    size, fence = 0, ""
    for line in _lines(text, characters // 2):
        if part and size + len(line) + len(fence) + 8 > characters:
            yield "\n".join([*part, _closing(fence)] if fence else part)
            part, size = ([fence], len(fence) + 1) if fence else ([], 0)
        part.append(line)
        size += len(line) + 1
        fence = _fence_after(fence, line)
    yield "\n".join(part)


def _lines(text: str, characters: int) -> Iterator[str]:
    for line in text.split("\n"):
        for start in range(0, max(len(line), 1), characters):
            yield line[start : start + characters]


def _fence_after(fence: str, line: str) -> str:
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return line.strip()
    closes = found[1].startswith(_closing(fence)) and not found[2].strip()
    return "" if closes else fence


def _closing(fence: str) -> str:
    found = _FENCE.match(fence)
    return found[1] if found else ""
