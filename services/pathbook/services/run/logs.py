"""The log, on stderr: readable text at a terminal, JSON anywhere else. It never holds the content of requests.

What it repeats may come from a caller all the same, such as the name of a book. So characters that could control a
terminal or deceive its reader are escaped. JSON has them as its own escapes.
"""

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer
from structlog.typing import EventDict, Processor


def configure_log(level: int = logging.INFO, process: str = "") -> None:
    """Configure the log of the whole program: one line for each entry of at least ``level`` (a level of ``logging``).

    If several processes share a log, give each its name as ``process``; every entry then holds it.
    """
    renderers: list[Processor]
    if sys.stderr.isatty():
        # a traceback as text shows no values of variables, which could be the content of a request
        renderers = [structlog.processors.format_exc_info, escape, ConsoleRenderer()]
    else:
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            *([_add_process(process)] if process else []),
            structlog.contextvars.merge_contextvars,  # the id of the call
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
    )


def escape(_logger: object, _method: str, entry: EventDict) -> EventDict:
    r"""Escape what a terminal would not print, as ``\x1b``, in every text of an entry. A traceback keeps its lines."""
    for key, value in entry.items():
        if isinstance(value, str) and not value.isprintable():
            lines = value.split("\n") if key == "exception" else [value]
            entry[key] = "\n".join(map(_printable, lines))
    return entry


def _printable(text: str) -> str:
    return "".join(
        symbol if symbol.isprintable() else symbol.encode("unicode_escape").decode() for symbol in text
    )


def _add_process(process: str) -> Processor:
    def add(_logger: object, _method: str, entry: EventDict) -> EventDict:
        return {"process": process, **entry}

    return add
