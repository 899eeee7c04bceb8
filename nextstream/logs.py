"""Logs: constant event text with facts as fields; the request id follows a job through every process."""

from __future__ import annotations

import logging
import sys
from functools import partial

import structlog

from nextstream.settings import Settings


def configure(settings: Settings, process: str) -> None:
    """Send all logs, ours and the libraries', to stderr in the chosen form; may run twice."""
    shared: list[structlog.typing.Processor] = [
        partial(_name, process),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)


def bind(**facts: str | None) -> None:
    """Put facts on every line that this job logs from now on; those that are None are left out."""
    structlog.contextvars.bind_contextvars(**{name: it for name, it in facts.items() if it is not None})


def unbind(*names: str) -> None:
    """Take facts off again; may run twice."""
    structlog.contextvars.unbind_contextvars(*names)


def _name(
    process: str, _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Say which process a line is from, in every thread of it."""
    event.setdefault("process", process)
    return event


def _renderer(settings: Settings) -> structlog.typing.Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
