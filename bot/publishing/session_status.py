"""Slack's own session of a thread: while its status is `processing`, people see Slack's Stop button there."""

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


class SessionStatus:
    """Sets the status of a thread's session.

    A courtesy: under load a beginning is left out, and a workspace without sessions gets none.
    """

    def __init__(self, api: WebApi, posted: Posted, rate_limiter: RateLimiter) -> None:
        self._api = api
        self._posted = posted
        self._rate_limiter = rate_limiter
        #: Slack does not know the method: it is not asked again until the next start.
        self._unknown = False

    async def show(self, run: RunView) -> None:
        """Set the session's status to the turn's, unless it is that already.

        Raises:
            SlackUnreachable: the session still shows an ended run as at work; the next call tries again.
        """
        status, posted = _STATUSES[run.status], run.posts.get(SESSION)
        if self._unknown or status == (_OVER if posted is None else posted.shown):
            return
        tenant, channel, root_ts = thread_parts(run.thread)
        if status == _OVER:
            await self._rate_limiter.wait(("session ended", tenant), SESSIONS_ENDED)
        elif not self._rate_limiter.try_now(("session begun", tenant), SESSIONS_BEGUN):
            return
        try:
            await self._api.write("agents.sessions.setStatus", channel_id=channel, thread_ts=root_ts, status=status)
        except SlackRefused as error:
            self._unknown = error.code == "unknown_method"
            _log.debug("no session in %s: %s", run.thread, error)
        except SlackUnreachable as error:
            if status == _OVER:
                raise
            _log.info("the session of %s does not show that its run is at work: %s", run.thread, error)
            return
        await self._posted.post(run.thread, run.turn, SESSION, PostedMessage("", Digest(status)))
