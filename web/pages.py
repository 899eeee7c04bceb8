"""The pages: templates and scripts that use the API as any other client does."""

from __future__ import annotations

from flask import Blueprint, render_template

from web import http, openapi
from web.openapi.reading import Reader, marked

blueprint = Blueprint("pages", __name__)


@blueprint.context_processor
def describe_site() -> dict[str, bool]:
    """Give templates what differs between installations."""
    return {"has_flower": bool(http.platform().settings.flower_url)}


blueprint.add_app_template_filter(marked)


@blueprint.get("/")
def show_library() -> str:
    """Show the account's videos."""
    return render_template("library.html")


@blueprint.get("/login")
def show_login() -> str:
    """Show the form to log in, or to register where that is open."""
    return render_template("login.html", may_register=http.platform().settings.registration == "open")


@blueprint.get("/upload")
def show_upload() -> str:
    """Show the form to send videos."""
    return render_template("upload.html")


@blueprint.get("/watch/<video_id>")
def show_player(video_id: str) -> str:
    """Show a video; its state and title come from the API."""
    return render_template("watch.html", video_id=video_id)


@blueprint.get("/account")
def show_account() -> str:
    """Show the account's password, sessions and API keys."""
    return render_template("account.html")


@blueprint.get("/accounts")
def show_accounts() -> str:
    """Show everyone's accounts and the audit log; the API gives them to operators alone."""
    return render_template("accounts.html")


@blueprint.get("/api/docs")
def show_api() -> str:
    """Show the API's description, to read; it is the same that tools get."""
    return render_template("api.html", api=Reader(openapi.described()))
