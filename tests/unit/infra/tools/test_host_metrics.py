"""What `host_metrics` tells of the machine these tests run on."""

import json
import os
from collections.abc import Mapping
from typing import Any

from infra.tools.host_metrics import HostMetricsConfig, measured


def figures(processes: int = 5) -> Mapping[str, Any]:
    told = measured(HostMetricsConfig(processes=processes))
    assert isinstance(told, Mapping)
    return told


def test_figures_are_plausible() -> None:
    told = figures()
    assert told["cpu"]["count"] == os.cpu_count()
    assert len(told["cpu"]["load"]) == 3
    assert 0 < told["memory"]["available_bytes"] < told["memory"]["total_bytes"]
    assert any(disk["free_bytes"] <= disk["total_bytes"] for disk in told["disks"])
    assert told["uptime_seconds"] > 0
    assert told["processes"]["count"] >= len(told["processes"]["biggest"]) > 0


def test_processes_are_named_without_their_command_line() -> None:
    assert all(set(process) == {"name", "memory_bytes"} for process in figures()["processes"]["biggest"])
    assert figures(processes=0)["processes"]["biggest"] == []


def test_figures_are_small_json() -> None:
    assert len(json.dumps(figures(), allow_nan=False)) < 4096
