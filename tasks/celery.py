"""The application; `celery -A tasks` looks for it under this name."""

from __future__ import annotations

from celery import Celery

app = Celery("nextstream")
app.config_from_object("celeryconfig")

from tasks import protection, signals  # noqa: E402,F401  their receivers are connected by importing them
