"""The rule for green calls that leave for a host of the plan's choice with what other nodes returned.

Reading changes nothing, but its address tells: whoever controls a page or a log line that one node read can have the
next one carry results away. Such a node asks first, unless its host stands in the request or the operator named it.
A result is carried by a reference, or by the plan's own words where the model had read it. What a node asks for is
decided once, when it is added, and stored with it. A script or subagent, which may work out a host of its own, asks
unless all hosts that it writes are named, and then reaches only those. Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from agent.plan.operations import Node, NodeKind
from agent.plan.outside_text import words_in
from agent.plan.references import BadReference, pieces, references_in
from agent.tool import CallContext, Colour, Egress, Registry, Tool, ToolError, colour_of, drawn_colour
from sandbox.script import Json

_HOST = re.compile(r"[\w.-]+")
_LITERAL_HOST = re.compile(r"https?://[^/?#@\\\s]+[/?#]", re.IGNORECASE)
"""The beginning of a URL up to where its host has certainly ended."""

_WRITTEN_HOST = re.compile(r"https?://[^/?#\\\s'\"]+", re.IGNORECASE)
"""The beginning of a URL in a script's text."""


def hosts_in(text: str) -> AbstractSet[str]:
    """Return every word of a text that may be a host, in lower case."""
    return {word.strip(".").lower() for word in _HOST.findall(text)}


def guarded(
    node: Node, registry: Registry, requested: AbstractSet[str], repeats: Callable[[str], bool] = lambda _: False
) -> Node:
    """Return the node, made to ask first when the rule wants it.

    `requested` are the hosts of the request; `repeats` says whether words repeat something that a node returned.
    """
    if drawn_colour(node, registry) is not Colour.GREEN:
        return node
    try:
        leaves = _leaves(node, registry, requested, repeats)
    except BadReference:
        return node  # it is refused for that
    return replace(node, require_human_approval=True) if leaves else node


def _leaves(node: Node, registry: Registry, requested: AbstractSet[str], repeats: Callable[[str], bool]) -> bool:
    reaches_out = any(_egress(registry, name) is not None for name in node.tools)
    if node.kind is NodeKind.SUBAGENT:  # what it was given goes to hosts only that somebody named
        return reaches_out and not all(
            hosts_written(node) <= known for known in _known_hosts(node, registry, requested)
        )
    if node.kind is NodeKind.PACKAGE:
        return reaches_out and (
            _refers(node.inputs)
            or not all(hosts_written(node) <= known for known in _known_hosts(node, registry, requested))
            or repeats(f"{node.code}\n{_words(node.inputs)}")
        )
    egress = _egress(registry, node.tool or "")
    if egress is None:
        return False
    host = _written_host(node.args.get(egress.argument))
    if host is not None and host in egress.known | requested:
        return False
    # whether, and how often, it is called tells of what the condition and the list are about
    return _refers({"args": node.args, "when": node.when, "list": node.for_each}) or repeats(_words(node.args))


def _known_hosts(node: Node, registry: Registry, requested: AbstractSet[str]) -> Iterator[AbstractSet[str]]:
    """Yield for each way out of a script or subagent the hosts that somebody named."""
    yield from (egress.known | requested for name in node.tools if (egress := _egress(registry, name)) is not None)


def hosts_written(node: Node) -> AbstractSet[str]:
    """Return the hosts of the URLs that a plan wrote in a script or subagent, in lower case; a strange one as it is."""
    written = f"{node.code}\n{node.instruction}\n{_words(node.inputs)}"
    return {_host_of(found) for found in _WRITTEN_HOST.findall(written)}


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removesuffix(".") or url
    except ValueError:
        return url


def confined(registry: Registry, node: Node) -> Registry:
    """Return the tools for a script: if nobody was asked about it, those that lead out reach only hosts it writes.

    Those were looked at when the node was added; one that it works out, or that a rewrite of it writes, was not. Of a
    subagent nobody knows what it will ask for, so those who were asked about it approved the hosts that they read.
    """
    if node.kind is not NodeKind.SUBAGENT and colour_of(node, registry) is not Colour.GREEN:
        return registry
    written = hosts_written(node)
    tools = (
        tool if tool.egress is None else replace(tool, call=partial(_call_within, tool, tool.egress, written))
        for tool in registry
    )
    return Registry(tools, registry.roles)


async def _call_within(
    tool: Tool, egress: Egress, written: AbstractSet[str], context: CallContext, args: Mapping[str, Json]
) -> Json:
    host = _written_host(str(args.get(egress.argument, "")).replace("${", "$${"))
    if host is None or host not in egress.known | written:
        raise ToolError("host_not_named", "only hosts may be asked whose addresses stand in its text")
    return await tool.call(context, args)


def _egress(registry: Registry, name: str) -> Egress | None:
    tool = registry.find(name)
    return None if tool is None else tool.egress


def _refers(value: Mapping[str, Json]) -> bool:
    return next(references_in(dict(value)), None) is not None


def _words(value: Mapping[str, Json]) -> str:
    return "\n".join(words_in(dict(value)))


def _written_host(url: Json) -> str | None:
    """Return the host that a URL has whatever its references hold; None when that is not certain."""
    parts = pieces(url) if isinstance(url, str) else ()
    head = parts[0] if parts and isinstance(parts[0], str) else ""
    found = _LITERAL_HOST.match(head if len(parts) > 1 else head + "/")
    try:
        return (urlsplit(found.group()).hostname or "").removesuffix(".") or None if found else None
    except ValueError:
        return None
