"""Masks on the way to a model and back: real data outside, masks inside, and no mask resolved that was not shown."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.budget.usage import charged_to
from agent.ids import Digest, ThreadId, ToolName, thread_id
from agent.limits import PersonalKind, Privacy, Role
from agent.llm.masked_model import MaskedEmbedder, MaskedModel, PersonalResults
from agent.llm.personal_data import PersonalData
from agent.plan.json_values import truncated
from agent.plan.outcomes import Failed, Succeeded
from agent.ports import UNKNOWN_MASK, AskedCall, ChatMessage, OfferedTool
from agent.roles import SubagentRole

DATA = PersonalData(Privacy(mask=(PersonalKind.EMAIL, PersonalKind.IP), patterns={"staff": r"E\d{5}"}))
THREAD, OTHER = thread_id("T1", "C1", "1.0"), thread_id("T1", "C1", "2.0")
ADA, GRACE = "ada@example.com", "grace@example.com"


@dataclass
class Said:
    """A model that says what it is told to, in pieces, and keeps what it read."""

    answer: str = ""
    pieces: int = 1_000
    calls: tuple[AskedCall, ...] = ()
    read: list[str] = field(default_factory=list[str])

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        self.read = [message.text for message in messages]
        return self.answer

    async def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        self.read = [message.text for message in messages]
        for start in range(0, len(self.answer), self.pieces):
            yield self.answer[start : start + self.pieces]

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        self.read = [f"{message.text} {[dict(call.args) for call in message.calls]}" for message in messages]
        return ChatMessage(by="ai", text=self.answer, calls=self.calls)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.read = list(texts)
        return [[1.0] for _ in texts]


@dataclass
class MasksInMemory:
    """A Masks."""

    rows: dict[tuple[ThreadId, str, Digest], int] = field(default_factory=dict[tuple[ThreadId, str, Digest], int])
    asked: int = 0

    async def numbers(
        self, thread: ThreadId, data: Sequence[tuple[str, Digest]], *, new: bool
    ) -> Mapping[tuple[str, Digest], int]:
        self.asked += 1
        for kind, digest in data if new else ():
            number = 1 + sum(of == thread and other == kind for of, other, _ in self.rows)
            self.rows.setdefault((thread, kind, digest), number)
        return {
            (kind, digest): self.rows[thread, kind, digest]
            for kind, digest in data
            if (thread, kind, digest) in self.rows
        }


def human(*texts: str) -> list[ChatMessage]:
    return [ChatMessage(by="human", text=text) for text in texts]


async def streamed(model: MaskedModel, messages: Sequence[ChatMessage]) -> str:
    return "".join([piece async for piece in model.stream(Role.PLANNER, messages)])


async def test_a_model_reads_masks_and_what_it_writes_with_them_is_real() -> None:
    said = Said("write to [email 2], [Email 1], \\[staff 1\\] and [email1]")
    model = MaskedModel(said, DATA)
    answer = await model.complete(Role.CONCLUDE, human(f"{ADA} and {GRACE}", f"again {ADA} E12345"))
    assert said.read == ["[email 1] and [email 2]", "again [email 1] [staff 1]"]
    assert answer == f"write to {GRACE}, {ADA}, E12345 and {ADA}"


async def test_a_mask_of_another_dialogue_stands_for_nothing() -> None:
    said, masks = Said("[email 1] [email 2]"), MasksInMemory()
    model = MaskedModel(said, DATA, masks)
    with charged_to(THREAD):
        await model.complete(Role.CONCLUDE, human(f"{ADA} {GRACE}"))
        assert await model.complete(Role.CONCLUDE, human(GRACE)) == f"[email 1] {GRACE}"
        assert await streamed(model, human("nobody")) == "[email 1] [email 2]"
        assert said.read == ["nobody"]


async def test_numbers_stay_in_a_thread_also_for_another_process_and_threads_count_apart() -> None:
    said, masks = Said(), MasksInMemory()
    for thread, text, read in (
        (THREAD, GRACE, "[email 1]"),
        (THREAD, f"{ADA} {GRACE}", "[email 2] [email 1]"),
        (OTHER, ADA, "[email 1]"),
    ):
        with charged_to(thread):
            await MaskedModel(said, DATA, masks).complete(Role.CONCLUDE, human(text))
        assert said.read == [read]


async def test_numbers_that_are_known_cost_no_statement() -> None:
    masks = MasksInMemory()
    model = MaskedModel(Said(), DATA, masks)
    with charged_to(THREAD):
        for _ in range(3):
            await model.complete(Role.CONCLUDE, human(ADA))
        await model.complete(Role.CONCLUDE, human("nothing"))
    assert masks.asked == 1


async def test_what_only_looks_like_a_mask_never_becomes_a_datum() -> None:
    said = Said("(email 1)")
    model = MaskedModel(said, DATA)
    assert await model.complete(Role.CONCLUDE, human(f"{ADA}, and somebody wrote [email 1]")) == "(email 1)"
    assert said.read == ["[email 1], and somebody wrote (email 1)"]


@given(
    st.lists(
        st.sampled_from(["[email 1]", "[email 2]", "\\[email 1\\]", "[", "]", "\\", "[e", "x = [a, 1]", " ", "é"])
    ),
    st.integers(1, 12),
)
async def test_a_stream_is_resolved_as_the_whole_is_however_it_is_cut(parts: list[str], pieces: int) -> None:
    text = "".join(parts)
    model = MaskedModel(Said(text, pieces), DATA)
    whole = await MaskedModel(Said(text), DATA).complete(Role.PLANNER, human(f"{ADA} {GRACE}"))
    assert await streamed(model, human(f"{ADA} {GRACE}")) == whole


async def test_a_stream_passes_on_what_cannot_be_part_of_a_mask() -> None:
    model = MaskedModel(Said("abc [email 1] def", 1), DATA)
    pieces = [piece async for piece in model.stream(Role.PLANNER, human(ADA))]
    assert "".join(pieces[:4]) == "abc "
    assert "".join(pieces) == f"abc {ADA} def"


@pytest.mark.parametrize("cut", range(10, 40))
async def test_no_piece_of_a_datum_is_left_where_a_text_was_cut(cut: int) -> None:
    said = Said()
    text = truncated(f"it was {ADA} who wrote, and then {GRACE} did it", cut)
    await MaskedModel(said, DATA).complete(Role.CONCLUDE, human(text))
    assert not any(piece in said.read[0] for piece in ("ada@", "a@ex", "grac", "@exam", "mple.com"))


async def test_a_role_reads_masks_in_calls_too_and_its_calls_are_real() -> None:
    asked = AskedCall(id="1", name="tell", args={"to": [ADA], "copies": 2})
    said = Said("told [email 1]", calls=(replace(asked, args={"to": ["[email 1]", "x"], "copies": 2}),))
    role = SubagentRole(name="writer", purpose="Writes", prompt="Write")
    dialogue = [*human(f"tell {ADA}"), ChatMessage(by="ai", text="", calls=(asked,))]
    answer = await MaskedModel(said, DATA).respond(role, dialogue, [])
    assert said.read == ["tell [email 1] []", " [{'to': ['[email 1]'], 'copies': 2}]"]
    assert (answer.text, answer.calls[0].args) == (f"told {ADA}", {"to": [ADA, "x"], "copies": 2})


async def test_a_call_of_a_role_with_an_unknown_mask_has_no_arguments_but_that() -> None:
    said = Said(calls=(AskedCall(id="1", name="tell", args={"to": ["[email 9]"]}),))
    role = SubagentRole(name="writer", purpose="Writes", prompt="Write")
    answer = await MaskedModel(said, DATA).respond(role, human(ADA), [])
    assert answer.calls[0].args == {UNKNOWN_MASK: "[email 9]"}


async def test_vectors_are_made_of_texts_without_data() -> None:
    said = Said()
    assert await MaskedEmbedder(said, DATA).embed([f"mail to {ADA}", "x"]) == [[1.0], [1.0]]
    assert said.read == ["mail to [email]", "x"]


async def test_where_tools_are_named_only_what_their_results_held_is_masked() -> None:
    said, masks = Said("[email 1]"), MasksInMemory()
    learn = PersonalResults(DATA, masks, ["crm_*"])
    model = MaskedModel(said, DATA, masks, only_known=True)
    with charged_to(THREAD):
        await learn(THREAD, ToolName("http_get"), Succeeded(value=GRACE))
        await learn(THREAD, ToolName("crm_find"), Succeeded(value={"who": [ADA]}))
        assert await model.complete(Role.CONCLUDE, human(f"{ADA} {GRACE}")) == ADA
        assert said.read == [f"[email 1] {GRACE}"]
        await learn(THREAD, ToolName("crm_find"), Failed(error="gone", message=f"no {GRACE} there"))
        await model.complete(Role.CONCLUDE, human(f"{ADA} {GRACE}"))
        assert said.read == ["[email 1] [email 2]"]


async def test_of_a_result_with_too_much_everything_is_masked() -> None:
    said, masks = Said(), MasksInMemory()
    await PersonalResults(DATA, masks, ["*"])(THREAD, ToolName("t"), Succeeded(value="x" * (4 * 1024 * 1024)))
    with charged_to(THREAD):
        await MaskedModel(said, DATA, masks, only_known=True).complete(Role.CONCLUDE, human(ADA))
    assert said.read == ["[email 1]"]
