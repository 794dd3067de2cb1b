"""Runs the benches: `python -m tests.bench [--only name,name] [--plans FILE] [--json]`.

A bench is a module of this folder with `figures()`, an async generator of figures. `--plans` reaches
them as the environment's PLANS.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

import tests.bench
from infra.cli.main import collector_paused
from tests.bench.figure import Figure, missed

Figures = Callable[[], AsyncIterator[Figure]]


def benches(only: Sequence[str]) -> dict[str, Figures]:
    """Return the benches of these names, in their order; all of them when none is named.

    Raises:
        SystemExit: there is no bench of that name.
    """
    found: dict[str, Figures] = {}
    names = only or sorted(module.name for module in pkgutil.iter_modules(tests.bench.__path__))
    for name in names:
        if name.startswith("_") or importlib.util.find_spec(f"tests.bench.{name}") is None:
            raise SystemExit(f"there is no bench {name!r}")
        figures = getattr(importlib.import_module(f"tests.bench.{name}"), "figures", None)
        if figures is not None:
            found[name] = cast("Figures", figures)
        elif only:
            raise SystemExit(f"there is no bench {name!r}")
    return found


async def run(chosen: dict[str, Figures], *, as_json: bool) -> None:
    """Run benches one after another and print each figure as it comes."""
    for name, figures in chosen.items():
        print(f"bench {name}", file=sys.stderr)
        async for figure in figures():
            print(json.dumps(figure) if as_json else line(figure), flush=True)


def line(figure: Figure) -> str:
    """Return a figure for people."""
    beside = f"  (beside {figure['ratio_to']})" if figure.get("ratio_to") else ""
    aim = f"  aim {figure['aim']}{' MISSED' if missed(figure) else ''}" if figure.get("aim") else ""
    return f"{figure['bench']:10} {figure['name']:48} {figure['value']:>12} {figure['unit']}{aim}{beside}"


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Greenlight.")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--plans", default="", help="a file of plans for `schedule`")
    parser.add_argument("--json", action="store_true", help="one JSON object per figure")
    options = parser.parse_args()
    if options.plans:
        os.environ["PLANS"] = options.plans
    only = [part.strip() for part in options.only.split(",") if part.strip()]
    with collector_paused():  # as the command `greenlight` imports the product
        chosen = benches(only)
    asyncio.run(run(chosen, as_json=options.json))


main()
