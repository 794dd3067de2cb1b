"""Faults in how a model writes a right plan down: they change the text, not the plan."""

import json

from infra.evaluation.output import Draft, Output, lines


def broken_line(draft: Draft) -> Output | None:
    """Lose a colon in one line."""
    rows = lines(draft.nodes).splitlines(keepends=True)
    at = len(rows) // 2
    rows[at] = rows[at].replace('"kind": ', '"kind" ', 1)
    return Output(text="".join(rows))


def unclosed_line(draft: Draft) -> Output | None:
    """Lose the brackets that close one line."""
    rows = lines(draft.nodes).splitlines(keepends=True)
    at = len(rows) // 2
    rows[at] = rows[at].rstrip("}\n") + "\n"
    return Output(text="".join(rows))


def single_quotes(draft: Draft) -> Output | None:
    """Write Python's own quotes."""
    return Output(text="".join(f"{node!r}\n" for node in draft.nodes))


def trailing_commas(draft: Draft) -> Output | None:
    """Write a comma behind the last key."""
    return Output(text=lines(draft.nodes).replace("}\n", ",}\n"))


def truncated(draft: Draft) -> Output | None:
    """End in the middle of the last line."""
    text = lines(draft.nodes)
    return Output(text=text[: len(text) - len(lines(draft.nodes[-1:])) // 2 - 1])


def broken_off(draft: Draft) -> Output | None:
    """Lose the connection behind two thirds of the text."""
    text = lines(draft.nodes)
    return Output(text=text[: 2 * len(text) // 3], breaks_off=True)


def prose(draft: Draft) -> Output | None:
    """Put a sentence before and behind, and a fence around."""
    body = lines(draft.nodes)
    return Output(text=f"Sure! Here is the plan:\n\n```jsonl\n{body}```\n\nLet me know if it's fine.\n")


def prose_in_braces(draft: Draft) -> Output | None:
    """Put sentences with braces of their own around."""
    return Output(text=f"Here is {{your plan}}:\n{lines(draft.nodes)}That's {{all}}, isn't it?\n")


def thinking(draft: Draft) -> Output | None:
    """Think of another plan aloud first."""
    wild = {**draft.nodes[0], "id": "wild", "kind": "tool", "tool": "slack_post_message"}
    wild["args"] = {"channel": "#general", "text": "thinking aloud"}
    return Output(
        text=f"<think>Maybe I could post first:\n{lines([wild])}No, better not.</think>\n{lines(draft.nodes)}"
    )


def one_object(draft: Draft) -> Output | None:
    """Write one object over many lines."""
    return Output(text=json.dumps({"operations": draft.nodes}, indent=2, ensure_ascii=False))


def numbered(draft: Draft) -> Output | None:
    """Number the lines."""
    return Output(text="".join(f"{at}. {json.dumps(node)}\n" for at, node in enumerate(draft.nodes, start=1)))
