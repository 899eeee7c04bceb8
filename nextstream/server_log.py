"""Gunicorn's own lines in the form of all others: its `--logger-class` names the class here."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from nextstream import logs
from nextstream.settings import Settings


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Hands what gunicorn's master and workers say to our logs."""

    def setup(self, cfg: Any) -> None:
        """Set gunicorn's log up, and take its handlers away."""
        super().setup(cfg)
        logs.configure(Settings.read(), "gunicorn")
        self.error_log.handlers.clear()
        self.error_log.propagate = True
