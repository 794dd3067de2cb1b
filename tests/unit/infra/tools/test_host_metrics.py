"""The figures that `host_metrics` measures on the machine of these tests."""

import json
import os
from collections.abc import Mapping
from typing import Any

from infra.tools.host_metrics import HostMetricsConfig, measure


def figures(processes: int = 5) -> Mapping[str, Any]:
    metrics = measure(HostMetricsConfig(processes=processes))
    assert isinstance(metrics, Mapping)
    return metrics


def test_figures_are_plausible() -> None:
    metrics = figures()
    assert metrics["cpu"]["count"] == os.cpu_count()
    assert len(metrics["cpu"]["load"]) == 3
    assert 0 < metrics["memory"]["available_bytes"] < metrics["memory"]["total_bytes"]
    assert any(disk["free_bytes"] <= disk["total_bytes"] for disk in metrics["disks"])
    assert metrics["uptime_seconds"] > 0
    assert metrics["processes"]["count"] >= len(metrics["processes"]["biggest"]) > 0


def test_processes_are_named_without_their_command_line() -> None:
    assert all(set(process) == {"name", "memory_bytes"} for process in figures()["processes"]["biggest"])
    assert figures(processes=0)["processes"]["biggest"] == []


def test_figures_are_small_json() -> None:
    assert len(json.dumps(figures(), allow_nan=False)) < 4096
