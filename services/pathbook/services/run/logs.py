"""The log, on stderr: readable text at a terminal, JSON anywhere else. It never holds the content of requests."""

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor


def configure_log(level: int = logging.INFO, process: str = "") -> None:
    """Configure the log of the whole program: one line for each entry of at least ``level`` (a level of ``logging``).

    If several processes share a log, give each its name as ``process``; every entry then holds it.
    """
    renderers: list[Processor]
    if sys.stderr.isatty():
        # the plain traceback shows no values of variables, which could be the content of a request
        renderers = [ConsoleRenderer(exception_formatter=plain_traceback)]
    else:
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            *([_add_process(process)] if process else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
    )


def _add_process(process: str) -> Processor:
    def add(_logger: object, _method: str, entry: EventDict) -> EventDict:
        return {"process": process, **entry}

    return add
