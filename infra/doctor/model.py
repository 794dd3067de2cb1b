"""The model's part of the examination: the key, the names of the models, and a short completion."""

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import aiohttp

from agent.errors import ModelUnavailable
from agent.limits import ModelSettings, Role
from agent.llm.client import OpenAILanguageModel
from agent.ports import ChatMessage
from infra.doctor.finding import Finding, host_of, missing, ok, wrong

MODEL = "model"
OPENAI_URL = "https://api.openai.com/v1"
LIST_SECONDS = 10.0
COMPLETION_SECONDS = 60.0
_NAMES_SHOWN = 8

_KEY_MEND = (
    "Set OPENAI_API_KEY; for another server that speaks OpenAI's protocol (vLLM, Ollama, a hosted one) set "
    "OPENAI_BASE_URL too, and any key if it asks for none."
)
_PROBE = (
    ChatMessage(by="system", text=f"# Greenlight: {Role.ANSWER}\n\nThis only asks whether you can be reached. Say: ok"),
    ChatMessage(by="human", text="## Request\n\nSay: ok\n"),
)


async def model_finding(settings: ModelSettings | None) -> Finding:
    """Return the finding on the model. Costs one completion, stopped at its first piece."""
    if settings is None:
        return missing(MODEL, "OPENAI_API_KEY is not set", _KEY_MEND)
    base = settings.base_url or OPENAI_URL
    host = host_of(base)
    if not host:
        return wrong(MODEL, "OPENAI_BASE_URL is no address", "It must look like https://host/v1.")
    status, names = await _listed(base, settings.api_key)
    if status in (401, 403):
        return wrong(MODEL, f"{host} refuses the key (status {status})", _KEY_MEND)
    wanted = {settings.model, *settings.by_role.values()}
    # Some servers list no models, or not all; then the completion alone decides.
    if names and (unknown := sorted(wanted - names)):
        offered = ", ".join(sorted(names)[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
        mend = f"Set GREENLIGHT_MODEL (and [model] by_role in the configuration) to one of: {offered}."
        return wrong(MODEL, f"{host} has no model named {', '.join(unknown)}", mend)
    started = time.monotonic()
    problem = await _problem_with_completion(settings)
    if problem:
        mend = "Check OPENAI_BASE_URL, the model's name in GREENLIGHT_MODEL, and the account's quota."
        return wrong(MODEL, f"{settings.model} at {host} does not answer: {problem}", mend)
    return ok(MODEL, f"{', '.join(sorted(wanted))} at {host}; first word after {time.monotonic() - started:.1f} s")


async def _listed(base: str, key: str) -> tuple[int | None, frozenset[str]]:
    """Return the status of GET /models (None: no response) and the names in it."""
    timeout = aiohttp.ClientTimeout(total=LIST_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{base.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"}) as response,
        ):
            body: object = await response.json(content_type=None) if response.status == 200 else None
            return response.status, _names(body)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None, frozenset()


def _names(body: object) -> frozenset[str]:
    listed = cast("Mapping[str, object]", body).get("data") if isinstance(body, Mapping) else None
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    return frozenset(
        str(cast("Mapping[str, object]", entry).get("id")) for entry in entries if isinstance(entry, Mapping)
    )


async def _problem_with_completion(settings: ModelSettings) -> str:
    """Return why the model gave no output, in words without secrets; empty when it gave some."""
    once = replace(
        settings,
        retries=0,
        first_token_seconds=min(settings.first_token_seconds, COMPLETION_SECONDS),
        silence_seconds=min(settings.silence_seconds, COMPLETION_SECONDS),
    )
    model = OpenAILanguageModel(once)
    try:
        async with aclosing(model.stream(Role.ANSWER, _PROBE)) as pieces:
            async for _ in pieces:
                return ""
        return "its answer is empty"
    except ModelUnavailable as error:
        return str(error)
    finally:
        await model.close()
