"""The web services: Flask apps over nextstream.services."""

from __future__ import annotations

from flask import Flask

from nextstream.errors import Misconfigured
from nextstream.ports import Platform
from web import (
    auth,
    cors,
    direct,
    downloads,
    encodes,
    following,
    health,
    http,
    images,
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

BLUEPRINTS = {
    "auth": (auth.blueprint,),
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
    "pages": (pages.blueprint,),
}


def create_app(platform: Platform, *services: str) -> Flask:
    """Give an app of the named services: `auth`, `upload`, `streaming` and `pages`.

    Raises Misconfigured for a name that is none of them.
    """
    static = "static" if "pages" in services else None
    app = Flask("web", static_folder=static, static_url_path="/static")
    http.install(app, platform)
    cors.install(app, platform.settings.cors_origins)
    upload_slots.install(app, platform.settings.upload_slots)
    tus.install(app)
    tokens.install(app, platform.settings)
    for name in services:
        if name not in BLUEPRINTS:
            raise Misconfigured(
                f"NEXTSTREAM_SERVICES names {name!r}; choose of {', '.join(BLUEPRINTS)}."
            )
        for blueprint in BLUEPRINTS[name]:
            app.register_blueprint(blueprint)
    needs = health.backends(platform) if set(services) - {"pages"} else {}
    health.install(app, needs)
    return app
