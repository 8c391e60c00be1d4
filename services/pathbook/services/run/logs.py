"""The log of what happens, not of what is asked: on stderr, for people at a terminal, as JSON anywhere else."""

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor


def configure_log(level: int = logging.INFO, process: str = "") -> None:
    """Let the whole program log its entries from a level (of ``logging``) on, one line each.

    Where several processes share a log, each entry names its ``process``.
    """
    rendering: list[Processor]
    if sys.stderr.isatty():
        # the plain traceback shows no values of variables: a request's content is not for the log
        rendering = [ConsoleRenderer(exception_formatter=plain_traceback)]
    else:
        rendering = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            *([_naming(process)] if process else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
    )


def _naming(process: str) -> Processor:
    def name(_logger: object, _method: str, entry: EventDict) -> EventDict:
        return {"process": process, **entry}

    return name
