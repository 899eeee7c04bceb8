"""The web services: Flask apps over nextstream.services."""

from __future__ import annotations

from itertools import chain

from flask import Flask

from nextstream.errors import Misconfigured
from nextstream.ports import Platform
from nextstream.settings import Settings
from web import (
    account,
    auth,
    cors,
    direct,
    downloads,
    encodes,
    following,
    health,
    http,
    images,
    limits,
    openapi,
    operators,
    pages,
    s3_parts,
    streaming,
    subtitles,
    tokens,
    tus,
    upload,
    upload_slots,
    videos,
    webhooks,
)

KEY_MIN = 32  # characters: what signs must not be guessed

BLUEPRINTS = {
    "auth": (auth.blueprint, auth.well_known, account.blueprint, operators.blueprint),
    "upload": (upload.blueprint, tus.blueprint, direct.blueprint, s3_parts.blueprint),
    "streaming": (
        videos.blueprint,
        encodes.blueprint,
        following.blueprint,
        subtitles.blueprint,
        webhooks.blueprint,
        images.blueprint,
        downloads.blueprint,
        streaming.blueprint,
    ),
    "pages": (pages.blueprint, openapi.blueprint),
}


def create_app(platform: Platform, *services: str) -> Flask:
    """Give an app of the named services: `auth`, `upload`, `streaming` and `pages`.

    Raises Misconfigured for a name that is none of them.
    """
    _check_key(platform.settings)
    platform.settings.check_delivery()
    static = "static" if "pages" in services else None
    app = Flask("web", static_folder=static, static_url_path="/static")
    http.install(app, platform)
    cors.install(app, platform.settings.cors_origins)
    upload_slots.install(app, platform.settings.uploads_each)
    tus.install(app)
    tokens.install(app, platform.settings)
    app.after_request(limits.tell)
    for name in services:
        if name not in BLUEPRINTS:
            raise Misconfigured(
                f"NEXTSTREAM_SERVICES names {name!r}; choose of {', '.join(BLUEPRINTS)}."
            )
        for blueprint in BLUEPRINTS[name]:
            app.register_blueprint(blueprint)
    openapi.install(app, (*chain(*BLUEPRINTS.values()), health.blueprint))
    needs = health.backends(platform) if set(services) - {"pages"} else {}
    health.install(app, needs)
    return app


def _check_key(settings: Settings) -> None:
    if len(settings.secret_key) < KEY_MIN:
        raise Misconfigured(f"NEXTSTREAM_SECRET_KEY must have at least {KEY_MIN} characters.")
