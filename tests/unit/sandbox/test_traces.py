"""Tracebacks: the script's own frames, never endless."""

from sandbox.traces import ScriptFrame, short_message, traceback_text


def test_deep_recursion_keeps_both_ends() -> None:
    frames = [ScriptFrame(line=1, function=f"f{i}") for i in range(1000)]
    text = traceback_text("f()\n", frames, "RecursionError", "too deep")
    assert "in f0" in text
    assert "in f999" in text
    assert "[976 frames left out]" in text
    assert len(text.splitlines()) < 60


def test_forged_line_numbers_show_no_source() -> None:
    text = traceback_text("a = 1\n", [ScriptFrame(line=-5), ScriptFrame(line=10**9)], "X", "")
    assert "a = 1" not in text
    assert text.endswith("\nX")


def test_long_messages_are_cut() -> None:
    assert len(short_message("x" * 1_000_000)) == 4000
