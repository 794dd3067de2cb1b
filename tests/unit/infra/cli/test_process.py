"""Long-running commands: how a signal stops them, and what they do when their port is taken."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from infra.cli.main import main
from infra.cli.process import stop_signal


async def test_first_signal_is_noted_from_the_start_and_the_second_is_not_caught() -> None:
    with stop_signal() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(60):
            await stopped.wait()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_without_a_signal_nothing_stays_caught() -> None:
    with stop_signal() as stopped:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not stopped.is_set()


@pytest.mark.parametrize("command", ["demo", "workspace", "model"])
def test_taken_port_is_reported_in_a_line_and_nothing_is_started(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GREENLIGHT_DATA", str(tmp_path / "data"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main([command, "--port", str(port)])
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"Cannot listen on port {port}: Address already in use. Choose another one with --port NUMBER\n"
    )
    assert not (tmp_path / "data").exists()
