"""What a call of a server's tool returned, as a step's output."""

from typing import cast

import mcp_types

from agent.plan.json_values import least_bytes
from agent.tool import ToolError
from infra.tools.mcp.pins import printable
from sandbox.script import Json

_ERROR_CHARACTERS = 1_000


def output_of(result: mcp_types.CallToolResult, most_bytes: int) -> Json:
    """Return the structured content, else the texts (one as a text, several as a list), else all parts as a list.

    Raises:
        ToolError: the server says that the call failed, or it returned too much.
    """
    parts = [_part(block) for block in result.content]
    if result.is_error:
        words = " ".join(part for part in parts if isinstance(part, str))
        raise ToolError("tool_error", printable(words[:_ERROR_CHARACTERS]) or "the tool failed and did not say why")
    output = cast("Json", result.structured_content) if result.structured_content is not None else _plain(parts)
    if least_bytes(output, most_bytes) > most_bytes:
        raise ToolError("output_too_large", f"the result is larger than {most_bytes} bytes")
    return output


def _plain(parts: list[Json]) -> Json:
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts


def _part(block: mcp_types.ContentBlock) -> Json:
    match block:
        case mcp_types.TextContent():
            return block.text
        case mcp_types.ImageContent() | mcp_types.AudioContent():
            return {"type": block.type, "media_type": block.mime_type, "base64": block.data}
        case mcp_types.ResourceLink():
            return {"type": block.type, "uri": str(block.uri), "name": block.name}
        case mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents() as text):
            return {"type": block.type, "uri": str(text.uri), "text": text.text}
        case mcp_types.EmbeddedResource(resource=mcp_types.BlobResourceContents() as blob):
            return {"type": block.type, "uri": str(blob.uri), "base64": blob.blob}
        case _:
            return {"type": "unknown"}
