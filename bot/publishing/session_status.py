"""Slack's own session of a thread: while it says that we are at work, people have Slack's Stop button there."""

import logging
from collections.abc import Mapping

from agent.ids import Digest, thread_parts
from agent.ports import RunStatus
from bot.errors import SlackRefused, SlackUnreachable
from bot.ports import Post, Posted, PostedMessage, RunView, Slot
from bot.slack.client import WebApi
from bot.slack.rate_limits import SESSIONS_BEGUN, SESSIONS_ENDED, RateLimiter

_log = logging.getLogger(__name__)

SESSION = Slot(Post.SESSION)

_OVER = "active"
_STATUSES: Mapping[RunStatus, str] = {
    RunStatus.PLANNING: "processing",
    RunStatus.RUNNING: "processing",
    RunStatus.WAITING: "suspended",
    RunStatus.DONE: _OVER,
    RunStatus.FAILED: _OVER,
    RunStatus.STOPPED: _OVER,
}


class Sessions:
    """Says in a turn's thread whether we are at work. A courtesy: under load it is left out, and where the
    workspace has no sessions, it is quietly nothing."""

    def __init__(self, api: WebApi, posted: Posted, rate_limiter: RateLimiter) -> None:
        self._api = api
        self._posted = posted
        self._rate_limiter = rate_limiter

    async def show(self, run: RunView) -> None:
        """Make the session say where the turn stands, unless it does.

        Raises:
            SlackUnreachable: it still says that we are at work, and we are not; the next look tries again.
        """
        status, standing = _STATUSES[run.status], run.posts.get(SESSION)
        said = _OVER if standing is None else standing.shown
        if said == status:
            return
        tenant, channel, root_ts = thread_parts(run.thread)
        if status == _OVER:
            await self._rate_limiter.turn(("session ended", tenant), SESSIONS_ENDED)
        elif not self._rate_limiter.at_once(("session begun", tenant), SESSIONS_BEGUN):
            return
        try:
            await self._api.write("agents.sessions.setStatus", channel_id=channel, thread_ts=root_ts, status=status)
        except SlackRefused as error:
            _log.debug("no session in %s: %s", run.thread, error)
        except SlackUnreachable as error:
            if status == _OVER:
                raise
            _log.info("the session of %s is not told that we are at work: %s", run.thread, error)
            return
        await self._posted.post(run.thread, run.turn, SESSION, PostedMessage("", Digest(status)))
