"""A cluster's API: which namespaces are open, what its answers mean, and each write sent once."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.tool import CallContext, ToolError
from infra.tools.kubernetes.login import login_of
from infra.tools.kubernetes.settings import ClusterConfig, KubernetesConfig
from infra.tools.service import Answer, Service, words_of
from sandbox.script import Json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_NO_SUCCESS = 300
_SERVER_ERROR = 500
_CODES: Mapping[int, str] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "list_expired",
    429: "rate_limited",
}
_HINTS: Mapping[int, str] = {
    401: "The cluster does not accept the token.",
    410: "The list is no longer kept: begin again without continue.",
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One cluster of the settings."""

    name: str
    config: ClusterConfig
    limits: KubernetesConfig

    async def read(self, path: str, query: Iterable[tuple[str, str]] = (), *, accept: str = JSON) -> Mapping[str, Json]:
        """Return the object that the API answers a GET with.

        Raises:
            ToolError: it answers with none.
        """
        answer = await self.ask("GET", path, query=query, headers={"Accept": accept})
        return await answer.json_object()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Json] | None = None,
        sent_for: CallContext | None = None,
        answer_bytes: int | None = None,
    ) -> Answer:
        """Return an answer of success.

        Raises:
            ToolError: the API refuses it, or gives no answer; see `failure` and `Service.ask`.
        """
        login = await login_of(self.name, self.config)
        service = Service(
            name=f"the cluster {self.name}",
            address=login.address,
            headers=await login.headers(),
            tls=login.tls,
            server_name=login.server_name,
            seconds=self.limits.timeout_seconds,
            answer_bytes=answer_bytes or self.limits.answer_bytes,
        )
        given = {"Accept": JSON, **({"Content-Type": JSON} if body is not None else {}), **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        answer = await service.ask(method, path, query=query, headers=given, data=data, sent_for=sent_for)
        if answer.status >= _NO_SUCCESS:
            raise failure(answer, writes=sent_for is not None)
        return answer

    def check_open(self, namespace: str | None) -> None:
        """Return if calls may be about this namespace; None: what belongs to none, or to all.

        Raises:
            ToolError: `namespace_not_allowed`.
        """
        allowed = self.config.namespaces
        if not allowed or namespace in allowed or (namespace is None and self.config.cluster_wide):
            return
        what = "What belongs to no single namespace" if namespace is None else f"The namespace {namespace}"
        words = f"{what} is not open in {self.name}; these are: {', '.join(sorted(allowed))}."
        raise ToolError("namespace_not_allowed", words)


def failure(answer: Answer, *, writes: bool) -> ToolError:
    """Return the error for an answer that is no success.

    A server that failed may have done a write nevertheless; one that refused has not.
    """
    words = answer.words("message")
    hint = _HINTS.get(answer.status, "")
    if wait := answer.headers.get("Retry-After"):
        hint = f"Ask again in {words_of(wait)[:40]} s."
    text = f"{answer.status}: {words} {hint}".strip()
    if answer.status >= _SERVER_ERROR:
        return ToolError(OUTCOME_UNKNOWN if writes else "unavailable", text)
    return ToolError(_CODES.get(answer.status, "not_accepted"), text)
