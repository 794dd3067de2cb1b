"""The demo's scripted model: recognises the demo's requests and follow-ups and plays every role over the real tools."""

from dataclasses import replace

from infra.dev.scripted_model.demo_answer import answer_text
from infra.dev.scripted_model.demo_plan import WHAT_I_CAN_DO, plan_text, refusal
from infra.dev.scripted_model.documents import json_lines, plan_rows, request_text, sections, situation
from infra.dev.scripted_model.error_rate_script import repaired
from infra.dev.scripted_model.intents import Unknown, intents, operations
from infra.dev.scripted_model.script import ModelRequest, Pace, Script

TOKENS_PER_SECOND = 60.0
"""A pace at which a person sees the plan arrive."""

FIRST_TOKEN_SECONDS = 0.3


def demo_scripts(tokens_per_second: float | None = TOKENS_PER_SECOND) -> tuple[Script, ...]:
    """Return the scripts of every role; None answers as fast as can be."""
    first = FIRST_TOKEN_SECONDS if tokens_per_second else 0.0
    pace = Pace(first_seconds=first, tokens_per_second=tokens_per_second)
    return (
        Script(role="planner", answer=planned, pace=pace),
        Script(role="repair", answer=rewritten, pace=pace),
        Script(role="conclude", answer=lambda request: f"ANSWER\n{answered(request)}", pace=pace),
        Script(role="replan", answer='{"decision":"end"}', pace=pace),
        Script(role="answer", answer=answered, pace=pace),
        Script(role="summary", answer=summed_up, pace=pace),
        Script(answer=WHAT_I_CAN_DO, pace=pace),
    )


def planned(request: ModelRequest) -> str:
    """Return the plan for a request, or a reply with the requests that are understood."""
    state = situation(request.system, request.last)
    if not any(message.role == "assistant" for message in request.messages):
        # A first turn whose plan has begun starts over after a crash: the same operations with the same ids are no
        # second plan.
        state = replace(state, plan=())
    if state.faults:
        return plan_text([refusal(state.plan, state.faults)], state)
    wanted = intents(state.request, list(state.services))
    if all(isinstance(intent, Unknown) for intent in wanted):
        return plan_text([{"op": "reply", "text": WHAT_I_CAN_DO}], state)
    return plan_text(operations(wanted, state), state)


def rewritten(request: ModelRequest) -> str:
    """Return the repaired script, in a fence as models do."""
    fenced = sections(request.last).get("Script", "")
    script = "".join(f"{line}\n" for line in fenced.split("\n") if not line.startswith("```"))
    return f"```python\n{repaired(script)}```\n"


def summed_up(request: ModelRequest) -> str:
    """Return the summary so far and the first words of each turn."""
    found = sections(request.last)
    before = [line for line in found.get("Summary so far", "").split("\n") if line and not line.startswith("```")]
    turns = [f"- {turn['from']}: {str(turn['text'])[:120]}" for turn in json_lines(found.get("Turns", ""))]
    return "\n".join([*before, *turns])


def answered(request: ModelRequest) -> str:
    """Return the answer to the people."""
    found = sections(request.last)
    rows = plan_rows(found.get("Results", ""))
    return answer_text(rows) if rows else f"Nothing came of “{request_text(found)[:200]}”. _(scripted model)_"
