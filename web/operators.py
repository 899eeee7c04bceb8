"""The auth service's part for operators: everyone's accounts, and the audit log."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from nextstream.domain.access import Action
from nextstream.domain.accounts import Role
from nextstream.services import accounts, audit
from web import account_bodies, account_shapes, http, tokens
from web.contract import operation

blueprint = Blueprint("operators", __name__, url_prefix="/api/v1")

Limit = Annotated[int, Field(ge=1, le=100)]
Place = Annotated[int, Field(ge=1, le=2**63 - 1)]
Quota = (
    Annotated[int, Field(ge=0, le=2**31 - 1), http.WHOLE] | None
)  # null is that of all again, 0 is any

QUOTAS = ("quota_bytes", "quota_minutes", "quota_uploads")


class AccountPage(BaseModel):
    """Which accounts to list: by name, those after `after`."""

    limit: Limit = 50
    after: str | None = None


class AccountChange(http.Body):
    """What is to change of an account."""

    role: Role | None = None
    disabled: bool | None = None
    quota_bytes: Annotated[int, Field(ge=0, le=2**63 - 1), http.WHOLE] | None = None
    quota_minutes: Quota = None
    quota_uploads: Quota = None


class AuditPage(BaseModel):
    """Which lines to list: the newest before the place `before`."""

    limit: Limit = 50
    before: Place | None = None
    account: str | None = None
    action: str | None = None


@blueprint.get("/accounts")
@operation(Action.OPERATE, query=AccountPage, gives={200: account_shapes.AccountList})
def list_accounts() -> Response:
    """List all accounts by name, to operators; `next` is what to send as `after`."""
    caller, query = tokens.account(), http.read_query(AccountPage)
    found, following = accounts.page(http.platform(), caller, query.after, query.limit)
    return http.answer(
        {"items": [account_bodies.account_to_operator(each) for each in found], "next": following}
    )


@blueprint.get("/accounts/<account_id>")
@operation(Action.OPERATE, gives={200: account_shapes.ManagedAccount})
def get_account(account_id: str) -> Response:
    """Describe an account to operators."""
    found = accounts.get(http.platform(), tokens.account(), account_id)
    return http.answer(account_bodies.account_to_operator(found))


@blueprint.patch("/accounts/<account_id>")
@operation(Action.OPERATE, body=AccountChange, gives={200: account_shapes.ManagedAccount})
def change_account(account_id: str) -> Response:
    """Change an account's role or quotas, or disable it; what it may no longer do ends at once."""
    caller, wish = tokens.account(), http.read_json(AccountChange)
    quotas = {name: getattr(wish, name) for name in QUOTAS if name in wish.model_fields_set}
    changed = accounts.change(
        http.platform(),
        caller,
        account_id,
        wish.role,
        disabled=wish.disabled,
        quotas=quotas,
        origin=http.origin(),
    )
    return http.answer(account_bodies.account_to_operator(changed))


@blueprint.delete("/accounts/<account_id>/sessions")
@operation(Action.OPERATE, gives={200: account_shapes.EndedSessions})
def end_sessions_of(account_id: str) -> Response:
    """Log an account out everywhere; its API keys stay."""
    ended = accounts.end_all_sessions(http.platform(), tokens.account(), account_id, http.origin())
    return http.answer({"sessions_ended": ended})


@blueprint.get("/audit")
@operation(Action.OPERATE, "list_audit_entries", query=AuditPage, gives={200: account_shapes.AuditList})
def list_audit() -> Response:
    """List what was done to accounts, newest first, to operators; `next` is what to send as `before`."""
    caller, query = tokens.account(), http.read_query(AuditPage)
    found = audit.page(http.platform(), caller, query.before, query.limit, query.account, query.action)
    following = found[-1].place if len(found) == query.limit else None
    return http.answer({"items": [account_bodies.audit_entry(e) for e in found], "next": following})
