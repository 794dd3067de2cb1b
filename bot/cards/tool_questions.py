"""What a tool asks a person in the middle of its call, as blocks and fields, and the answers. Pure.

All of it is text from outside: it stands there literally, under the name of who asks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from agent.approval import ApprovalRequest
from agent.plan.json_schema import schema_issues
from bot import wording
from bot.cards.edit_form import ArgumentField, entered, fields_of, schema_errors
from bot.elements import (
    PLAIN_CHARACTERS,
    Block,
    escaped,
    field,
    options_input,
    plain,
    preformatted,
    quoted,
    rich_text,
    section,
    shortened,
)
from bot.payloads import FormSubmission
from bot.visibility import visible
from sandbox.script import Json

_MESSAGE_CHARACTERS = 2_000
_VISITED = "visited"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a tool: a form to fill in, or a page to visit."""

    key: str
    message: str
    #: Empty: it is a form.
    url: str
    schema: Mapping[str, Json]
    #: The values that stand in the form at first.
    defaults: Mapping[str, Json]
    fields: Sequence[ArgumentField]
    #: Of the first input.
    block_id: str


def questions_in(request: ApprovalRequest) -> Sequence[Question]:
    """Return the questions of a request for input."""
    asked = request.args.get("questions")
    given = asked.items() if isinstance(asked, Mapping) else ()
    return [_question(number, key, _object(value)) for number, (key, value) in enumerate(given)]


def asks(request: ApprovalRequest) -> str:
    """Return who asks, as ready mrkdwn."""
    return quoted(str(request.args.get("by", "")), 80)


def question_blocks(request: ApprovalRequest) -> Iterator[Block]:
    """Yield what is asked; a page is named whole, with its host first, so that nobody is led elsewhere unseen."""
    for question in questions_in(request):
        parts = [preformatted(shortened(visible(question.message), _MESSAGE_CHARACTERS) or wording.EMPTY)]
        if question.url:
            host = urlsplit(question.url).hostname or ""
            parts += [plain(wording.WANTS_A_VISIT), plain(host, bold=True), preformatted(visible(question.url))]
        elif question.fields:
            names = wording.listed(visible(one.name) for one in question.fields)
            parts.append(plain(wording.wants_to_know(shortened(names, _MESSAGE_CHARACTERS))))
        yield rich_text(parts)
        if question.url:
            yield section(f"<{escaped(question.url)}|{wording.OPEN_PAGE}>")


def input_blocks(request: ApprovalRequest) -> Iterator[Block]:
    """Yield the inputs of the form, each question's below what it asks."""
    for question, shown in zip(questions_in(request), _messages(request), strict=True):
        yield shown
        if question.fields:
            yield from (one.block for one in question.fields)
        else:
            done = options_input([(wording.VISITED if question.url else wording.YES, _VISITED)], type="radio_buttons")
            yield field(wording.YOUR_ANSWER, done, block_id=question.block_id)


async def answers_in(
    request: ApprovalRequest, submission: FormSubmission
) -> tuple[Mapping[str, Json], Mapping[str, str]]:
    """Return question -> answer as the tool gets it, and block id -> what is wrong with an input."""
    answers: dict[str, Json] = {}
    wrong: dict[str, str] = {}
    for question in questions_in(request):
        if not question.fields:
            if submission.chosen(question.block_id) != _VISITED:
                wrong[question.block_id] = wording.PLEASE_CHOOSE
            answers[question.key] = {"action": "accept"} | ({} if question.url else {"content": {}})
            continue
        content, errors = entered(question.fields, question.defaults, submission)
        if not errors:
            errors = schema_errors(question.fields, await schema_issues(content, question.schema))
        wrong |= errors
        answers[question.key] = {"action": "accept", "content": content}
    return answers, wrong


def _messages(request: ApprovalRequest) -> Iterator[Block]:
    for question in questions_in(request):
        yield rich_text([preformatted(shortened(visible(question.message), _MESSAGE_CHARACTERS) or wording.EMPTY)])


def _question(number: int, key: str, told: Mapping[str, Json]) -> Question:
    schema = _with_enums(_object(told.get("schema")))
    properties = _object(schema.get("properties"))
    defaults = {name: _object(one)["default"] for name, one in properties.items() if "default" in _object(one)}
    fields = [
        replace(one, block_id=f"question-{number}-{at}", name=shortened(one.name, PLAIN_CHARACTERS))
        for at, one in enumerate(fields_of(schema, defaults) or ())
    ]
    url = str(told.get("url", ""))
    return Question(
        key=key,
        message=str(told.get("message", "")),
        url=url,
        schema=schema,
        defaults=defaults,
        fields=() if url else fields,
        block_id=f"question-{number}-0",
    )


def _with_enums(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a schema in which choices with titles are plain ones."""
    properties = {name: _plain_choice(_object(one)) for name, one in _object(schema.get("properties")).items()}
    return {**schema, "properties": properties}


def _plain_choice(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    options = schema.get("oneOf")
    if not isinstance(options, list | tuple):
        return schema
    values = [_object(option).get("const") for option in options]
    if not values or not all(isinstance(value, str) for value in values):
        return schema
    return {**{name: value for name, value in schema.items() if name != "oneOf"}, "enum": values}


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else dict[str, Json]()
