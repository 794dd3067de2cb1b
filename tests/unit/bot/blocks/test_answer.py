"""Answers are cut where Markdown allows, whole, and mention nobody."""

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.answer import answer, defused, markdown_parts


def test_answer_that_fits_is_one_message() -> None:
    (message,) = answer("**Done.** 3 < 4 & so on")
    assert message.blocks == ({"type": "markdown", "text": "**Done.** 3 < 4 & so on"},)
    assert message.text == "**Done.** 3 &lt; 4 &amp; so on"


def test_no_mention_survives() -> None:
    text = defused("<!channel> <@U1> <#C1|x> <!subteam^S1> 1 < 2 <https://a.example|a>")
    assert "<!" not in text
    assert "<@" not in text
    assert "<#C1|x>" in text  # alerts nobody
    assert "1 < 2 <https://a.example|a>" in text


@given(text=st.text(alphabet="ab \n", max_size=400), characters=st.integers(min_value=20, max_value=100))
def test_parts_are_within_the_limit_and_put_together_are_the_whole(text: str, characters: int) -> None:
    parts = list(markdown_parts(text, characters))
    assert all(len(part) <= characters for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


def test_fence_cut_in_two_is_closed_and_opened_again() -> None:
    text = "before\n```python\n" + "\n".join(f"line {number}" for number in range(20)) + "\n```\nafter"
    parts = list(markdown_parts(text, 90))
    assert len(parts) > 1
    assert parts[0].endswith("\n```")
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert all(len(part) <= 90 for part in parts)


def test_empty_answer_still_says_something() -> None:
    (message,) = answer("  \n")
    assert message.text
