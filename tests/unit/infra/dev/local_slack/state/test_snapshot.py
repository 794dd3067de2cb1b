"""A snapshot keeps messages over a restart."""

from pathlib import Path

from infra.dev.local_slack.state.channels import Message, Stream
from infra.dev.local_slack.state.clock import Clock
from infra.dev.local_slack.state.seed import seeded_team
from infra.dev.local_slack.state.snapshot import load, save
from infra.dev.local_slack.state.team import Team


def fresh() -> Team:
    return seeded_team(Clock(), bot_user_id="U0GREENLIGHT", bot_name="Greenlight")


def message(ts: str) -> Message:
    return Message(ts=ts, channel="C0OPS", user="U0ADA", team="T0LOCAL", text="hello", reactions={"eyes": ["U0GRACE"]})


def test_messages_channels_and_people_come_back(tmp_path: Path) -> None:
    before, after = fresh(), fresh()
    before.channels["C0OPS"].messages["1.000001"] = message("1.000001")
    before.people["U0LINUS"].deleted = True
    before.open_direct_message("U0GUEST")
    save(before, tmp_path / "kept.json")
    load(after, tmp_path / "kept.json")
    assert after.channels == before.channels
    assert after.people == before.people


def test_stream_ends_with_a_restart(tmp_path: Path) -> None:
    before, after = fresh(), fresh()
    streaming = message("1.000001")
    streaming.stream = Stream(ends_at=1e12)
    before.channels["C0OPS"].messages[streaming.ts] = streaming
    save(before, tmp_path / "kept.json")
    load(after, tmp_path / "kept.json")
    assert after.channels["C0OPS"].messages["1.000001"].stream is None


def test_missing_or_broken_file_changes_nothing(tmp_path: Path) -> None:
    team = fresh()
    load(team, tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    load(team, tmp_path / "broken.json")
    assert team.channels == fresh().channels
