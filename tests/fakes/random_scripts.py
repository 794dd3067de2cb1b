"""Random scripts that call a green and a red tool in loops, functions and gathers; Python that Monty reads, too."""

import random

_HEAD = """\
import asyncio

async def look(out, n):
    try:
        out.append(await atools.look(n=n))
    except ToolError:
        out.append(-1)

async def change(out, n, tag):
    try:
        await atools.change(n=n, tag=tag)
        out.append(100 + n)
    except ToolError:
        out.append(-2)
"""


class _Writer:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self._functions: list[str] = []
        self._calls = 0

    def script(self) -> str:
        body = self._block("    ", depth=2)
        functions = "\n".join(self._functions)
        return f"{_HEAD}\n{functions}\nasync def main(inputs):\n    out = [inputs['start']]\n{body}    return out\n"

    def _block(self, indent: str, depth: int) -> str:
        return "".join(self._statement(indent, depth) for _ in range(self._rng.randint(1, 3)))

    def _statement(self, indent: str, depth: int) -> str:
        kinds = ["look"] * 3 + ["change"] * 3 + (["loop", "gather", "branch"] if depth else [])
        match self._rng.choice(kinds):
            case "look":
                return f"{indent}await look(out, {self._number()})\n"
            case "change":
                return f"{indent}await change(out, {self._number()}, {self._rng.choice('ab')!r})\n"
            case "loop":
                inner = self._block(indent + "    ", depth - 1)
                return f"{indent}for step in range({self._rng.randint(1, 3)}):\n{inner}"
            case "branch":
                inner = self._block(indent + "    ", depth - 1)
                return f"{indent}if out[-1] % 2:\n{inner}"
            case _:
                return self._gather(indent, depth)

    def _gather(self, indent: str, depth: int) -> str:
        name = f"part_{len(self._functions)}"
        self._functions.append("")  # its place, before those that it uses
        at = len(self._functions) - 1
        body = self._block("    ", depth - 1)
        self._functions[at] = f"async def {name}(start):\n    out = [start]\n{body}    return out\n"
        parts = f"{name}(n) for n in range({self._rng.randint(1, 4)})"
        return f"{indent}for part in await asyncio.gather(*[{parts}]):\n{indent}    out.append(sum(part))\n"

    def _number(self) -> str:
        return self._rng.choice(["1", "2", "out[-1] % 5", "len(out) % 4", "out[0]"])


def random_script(seed: int) -> str:
    """Return a script whose calls, results and branches follow from its answers alone."""
    return _Writer(seed).script()
