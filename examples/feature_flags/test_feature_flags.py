"""The tools read and set flags, and say beforehand and afterwards what they do."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from feature_flags import Flag, read_flag, set_flag

from agent.ids import Digest, NodeId, ThreadId, UserId
from agent.tools.decorator import CallContext, Json, ToolError, WorldChanged


def context(expected: Json = None) -> CallContext:
    return CallContext(
        thread=ThreadId("t"), node=NodeId("n"), author=UserId("U1"), idempotency_key=Digest("d"), expected=expected
    )


@pytest.fixture(autouse=True)
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"beta": {"on": False, "version": 1}}))
    monkeypatch.setenv("FEATURE_FLAGS_FILE", str(file))
    return file


def test_a_flag_is_read_and_a_missing_one_is_an_error() -> None:
    assert asyncio.run(read_flag("beta")) == Flag(on=False, version=1)
    with pytest.raises(ToolError, match="no flag gamma"):
        asyncio.run(read_flag("gamma"))


def test_a_flag_is_set_and_the_inverse_sets_it_back() -> None:
    made, args = set_flag.build(), {"name": "beta", "on": True}

    async def change() -> tuple[Any, Any]:
        assert made.dry_run is not None
        assert made.precondition is not None
        assert await made.dry_run(context(), args) == "beta goes on"
        before = await made.precondition(context(), args)
        return before, await made.call(context(before), args)

    before, after = asyncio.run(change())
    assert after == {"on": True, "version": 2}
    assert made.undoing is not None
    inverse: Any = made.undoing.inverse(context(), args, after, before)
    assert (inverse.tool, inverse.args) == ("set_flag", {"name": "beta", "on": False})


def test_a_flag_that_somebody_else_changed_is_left_alone(flags: Path) -> None:
    stale: Mapping[str, Json] = {"on": False, "version": 0}
    with pytest.raises(WorldChanged):
        asyncio.run(set_flag("beta", True, context=context(stale)))
    assert json.loads(flags.read_text()) == {"beta": {"on": False, "version": 1}}
