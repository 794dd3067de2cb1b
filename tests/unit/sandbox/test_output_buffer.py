"""The end of what a script printed is kept; all of it is counted."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.output_buffer import OutputBuffer


@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 50))
def test_output_buffer_keeps_the_last_bytes(pieces: list[bytes], keep: int) -> None:
    book = OutputBuffer(keep_bytes=keep, kill_bytes=10_000)
    for piece in pieces:
        book.write(piece)
    whole = b"".join(pieces)
    assert book.written == len(whole)
    kept = whole[-keep:].decode("utf-8", "replace")
    assert book.text() == (kept if len(whole) <= keep else f"[{len(whole) - keep} bytes of output left out]\n{kept}")


def test_flood_is_noticed_at_the_first_byte_too_many() -> None:
    book = OutputBuffer(keep_bytes=5, kill_bytes=10)
    book.write(b"x" * 10)
    assert not book.flooded
    book.write(b"x")
    assert book.flooded


def test_memory_stays_bounded_under_a_flood_of_small_pieces() -> None:
    book = OutputBuffer(keep_bytes=100, kill_bytes=1 << 30)
    for _ in range(100_000):
        book.write(b"abc")
    assert len(book._pieces) < 50  # pyright: ignore[reportPrivateUsage]  what is bounded here is not to be seen outside
