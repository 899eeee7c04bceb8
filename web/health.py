"""Whether a process lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog
from flask import Blueprint, Flask, Response, current_app, g

from nextstream.errors import NextStreamError, ObjectNotFound, ServiceUnavailable
from nextstream.ports import Platform
from web import http, problems, shapes
from web.contract import Pass, operation

log = structlog.get_logger()

blueprint = Blueprint("health", __name__)

Probe = Callable[[], None]  # raises one of our errors where something is away


def install(app: Flask, probes: dict[str, Probe]) -> None:
    """Answer /healthz and /readyz; each probe tells of one thing this process needs."""
    app.extensions["probes"] = probes
    app.register_blueprint(blueprint)


def backends(platform: Platform) -> dict[str, Probe]:
    """Give the probes of the database and the storage."""

    def database() -> None:
        with platform.database.transaction() as tx:
            tx.accounts.count()

    def storage() -> None:
        with suppress(ObjectNotFound):  # then it answered
            platform.storage.head("health")

    return {"database": database, "storage": storage}


@blueprint.get("/healthz")
@operation(Pass.NOTHING, "get_health", gives={200: shapes.Health})
def healthz() -> Response:
    """Tell that the process lives; what it needs may still be away."""
    return http.answer({"status": "alive"})


@blueprint.get("/readyz")
@operation(Pass.NOTHING, "get_readiness", gives={200: shapes.Readiness})
def readyz() -> Response:
    """Tell whether everything this process needs answers."""
    probes: dict[str, Probe] = current_app.extensions["probes"]
    checks = {name: _look(name, probe) for name, probe in probes.items()}
    if all(state == "ok" for state in checks.values()):
        return http.answer({"status": "ready", "checks": checks})
    away = ServiceUnavailable("Something this service needs doesn't answer; see the checks.")
    return problems.answer(away, g.request_id, checks=checks)


def _look(name: str, probe: Probe) -> str:
    try:
        probe()
    except NextStreamError as error:
        log.warning("not ready", check=name, error=str(error))
        return error.code
    return "ok"
