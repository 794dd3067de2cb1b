"""The running processes' part of the examination: the background work that fails in them."""

import time
from collections.abc import Mapping
from pathlib import Path

from infra.db.embedded_postgres import default_data_folder
from infra.doctor.finding import Finding, ok, wrong
from infra.process_health import SILENT_SECONDS, ProcessHealth, running_processes

PROCESSES = "processes"


def process_finding(environ: Mapping[str, str]) -> Finding:
    """Return the finding on the processes that run with the same data folder."""
    data = Path(environ["GREENLIGHT_DATA"]) if "GREENLIGHT_DATA" in environ else default_data_folder()
    running = running_processes(data)
    if not running:
        return ok(PROCESSES, "none runs with this data folder")
    if troubles := [trouble for process in running for trouble in _troubles(process)]:
        mend = "It keeps trying. The log of the process says why it fails; restart a process that says nothing."
        return wrong(PROCESSES, "; ".join(troubles), mend)
    return ok(PROCESSES, f"{len(running)} running, all well")


def _troubles(process: ProcessHealth) -> list[str]:
    name = f"{' and '.join(process.parts)} (process {process.pid})"
    silent = time.time() - process.written_at
    if silent > SILENT_SECONDS:
        return [f"{name} has said nothing for {silent:.0f} s"]
    return [
        f"{name}: {task.name} failed {task.failures} times in a row ({task.error})"
        if task.failures > 1
        else f"{name}: {task.name} failed ({task.error})"
        for task in process.failing
    ]
