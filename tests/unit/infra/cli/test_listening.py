"""A taken port is told in a line, before anything is started."""

import socket
from pathlib import Path

import pytest

from infra.cli.main import main


@pytest.mark.parametrize("command", ["demo", "workspace", "model"])
def test_taken_port_is_told_in_a_line_and_nothing_is_started(
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
        f"Cannot listen on port {port}: Address already in use. For another one: --port NUMBER\n"
    )
    assert not (tmp_path / "data").exists()
