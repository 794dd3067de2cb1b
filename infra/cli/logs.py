"""What a process says on its standard error: log lines, and the traceback it dies of, without secrets."""

import logging
import sys
import traceback
from types import TracebackType

from agent.redaction import SECRETS


class WithoutSecrets(logging.Formatter):
    """Formats a record, its traceback included, and hides the secrets in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return SECRETS.hide(super().format(record))


def set_up_logs() -> None:
    """Log to the standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutSecrets("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def hide_in_tracebacks() -> None:
    """Hide secrets in what is logged without a set-up, and in the traceback that a process dies of."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(WithoutSecrets("%(message)s"))
    sys.excepthook = _print_uncaught


def _print_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(SECRETS.hide("".join(traceback.format_exception(kind, error, trace))))
