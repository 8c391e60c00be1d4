"""The server's log: one line an entry on stderr, for people at a terminal, and as JSON anywhere else."""

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import FilteringBoundLogger, Processor


def open_log(level: int = logging.INFO) -> FilteringBoundLogger:
    """Return a log of entries from a level (of ``logging``) on. What it is not told, it does not hold."""
    rendering: list[Processor]
    if sys.stderr.isatty():
        # the plain traceback shows no values of variables: a request's content is not for the log
        rendering = [ConsoleRenderer(exception_formatter=plain_traceback)]
    else:
        rendering = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
    )
    return log
