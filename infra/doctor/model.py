"""The model's part of the examination: the key, the names of the models, and a word from the default one."""

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
WORD_SECONDS = 60.0
_MOST_NAMED = 8

_KEY_MEND = (
    "Set OPENAI_API_KEY; for another server that speaks OpenAI's protocol (vLLM, Ollama, a hosted one) set "
    "OPENAI_BASE_URL too, and any key if it asks for none."
)
_PROBE = (
    ChatMessage(by="system", text=f"# Greenlight: {Role.ANSWER}\n\nThis only asks whether you can be reached. Say: ok"),
    ChatMessage(by="human", text="## Request\n\nSay: ok\n"),
)


async def model_finding(settings: ModelSettings | None) -> Finding:
    """Return how the model stands. Costs one short completion; stops at its first piece."""
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
    # A server that lists nothing, or not all, is no rarity: then the completion decides alone.
    if names and (unknown := sorted(wanted - names)):
        offered = ", ".join(sorted(names)[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
        mend = f"Set GREENLIGHT_MODEL (and [model] by_role in the configuration) to one of: {offered}."
        return wrong(MODEL, f"{host} has no model named {', '.join(unknown)}", mend)
    started = time.monotonic()
    trouble = await _asked(settings)
    if trouble:
        mend = "Check OPENAI_BASE_URL, the model's name in GREENLIGHT_MODEL, and the account's quota."
        return wrong(MODEL, f"{settings.model} at {host} does not answer: {trouble}", mend)
    return ok(MODEL, f"{', '.join(sorted(wanted))} at {host}; first word after {time.monotonic() - started:.1f} s")


async def _listed(base: str, key: str) -> tuple[int | None, frozenset[str]]:
    """Return the status of GET /models (None: no answer) and the names it gives."""
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
    return frozenset(str(cast("Mapping[str, object]", each).get("id")) for each in entries if isinstance(each, Mapping))


async def _asked(settings: ModelSettings) -> str:
    """Return why the model said nothing, in words without secrets; empty when it did."""
    patient = replace(settings, retries=0, silence_seconds=min(settings.silence_seconds, WORD_SECONDS))
    model = OpenAILanguageModel(patient)
    try:
        async with aclosing(model.stream(Role.ANSWER, _PROBE)) as pieces:
            async for _ in pieces:
                return ""
        return "it said nothing"
    except ModelUnavailable as error:
        return str(error)
    finally:
        await model.close()
