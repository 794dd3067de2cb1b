"""The tool `host_metrics`: measures the machine that Greenlight runs on."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool
from sandbox.script import Json

SAMPLE_SECONDS = 0.2
"""Time between the two samples from which the use of the processors is computed."""

ARGUMENTS: Mapping[str, Json] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, kw_only=True)
class HostMetricsConfig:
    """`[tools.host_metrics]`."""

    #: How many of the largest processes are listed; by name only, because command lines may contain secrets.
    processes: int = field(default=5, metadata={"ge": 0, "le": 50})


def host_metrics(config: HostMetricsConfig) -> Tool:
    """Return the tool with this configuration."""

    async def call(_context: CallContext, _args: Mapping[str, Json]) -> Json:
        return await asyncio.to_thread(measure, config)

    return Tool(
        name=ToolName("host_metrics"),
        description="Measure the machine Greenlight runs on. Returns cpu {count, percent, load: averages over 1, 5 and "
        "15 minutes}, memory and swap {total_bytes, available_bytes, percent}, disks [{mount, total_bytes, "
        "free_bytes, percent}], uptime_seconds and processes {count, biggest: [{name, memory_bytes}]}.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=call,
        retryable=True,
    )


def measure(config: HostMetricsConfig) -> Json:
    """Return the figures. Blocks for `SAMPLE_SECONDS`."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "cpu": {
            "count": psutil.cpu_count() or 1,
            "percent": psutil.cpu_percent(interval=SAMPLE_SECONDS),
            "load": [round(load, 2) for load in psutil.getloadavg()],
        },
        "memory": {"total_bytes": memory.total, "available_bytes": memory.available, "percent": memory.percent},
        "swap": {"total_bytes": swap.total, "available_bytes": swap.free, "percent": swap.percent},
        "disks": _disks(),
        "uptime_seconds": round(time.time() - psutil.boot_time()),
        "processes": _processes(config.processes),
    }


def _disks() -> list[Json]:
    # Real devices only, and each once although it may be mounted repeatedly; a container shows its root only.
    places = {part.device: part.mountpoint for part in reversed(psutil.disk_partitions(all=False))}
    disks: list[Json] = []
    for mount in sorted({*places.values(), "/"}):
        try:
            use = psutil.disk_usage(mount)
        except OSError:
            continue
        disks.append({"mount": mount, "total_bytes": use.total, "free_bytes": use.free, "percent": use.percent})
    return disks


def _processes(most: int) -> Json:
    sizes: list[tuple[int, str]] = []
    count = 0
    for process in psutil.process_iter():
        count += 1
        try:
            sizes.append((process.memory_info().rss, process.name()))
        except (psutil.Error, OSError):
            continue  # the process ended, or is not readable for this user
    biggest: list[Json] = [{"name": name, "memory_bytes": size} for size, name in sorted(sizes, reverse=True)[:most]]
    return {"count": count, "biggest": biggest}
