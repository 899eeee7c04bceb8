"""Who may do what: the one decision that every view, service and page asks for."""

from __future__ import annotations

from enum import StrEnum

from nextstream.domain.accounts import SCOPES, Account, Scope
from nextstream.errors import InsufficientScope, NotAllowed


class Action(StrEnum):
    """What can be allowed or not."""

    READ_VIDEO = "read a video"
    CHANGE_VIDEO = "change a video"
    UPLOAD = "upload"
    MANAGE_WEBHOOK = "manage a webhook"
    MANAGE_ACCOUNT = "manage an account"
    OPERATE = "operate"


NEEDS: dict[Action, Scope] = {
    Action.READ_VIDEO: Scope.VIDEOS_READ,
    Action.CHANGE_VIDEO: Scope.VIDEOS_WRITE,
    Action.UPLOAD: Scope.UPLOADS_WRITE,
    Action.MANAGE_WEBHOOK: Scope.WEBHOOKS,
    Action.MANAGE_ACCOUNT: Scope.ACCOUNT,
    Action.OPERATE: Scope.ADMIN,
}


def may(account: Account, action: Action, owner_id: str | None = None) -> bool:
    """Tell whether the account may do this, to what `owner_id` owns where that is given.

    The scopes at hand count, not the role alone; only `admin` reaches what others own.
    """
    if NEEDS[action] not in account.scopes:
        return False
    return owner_id in (None, account.id) or Scope.ADMIN in account.scopes


def demand(account: Account, action: Action) -> None:
    """Raise where the account may do this to nothing at all: before any object is looked up.

    NotAllowed where its role may not, InsufficientScope where only the token or key may not.
    """
    needed = NEEDS[action]
    if needed not in SCOPES[account.role]:
        raise NotAllowed("Only operators may do this." if needed is Scope.ADMIN else None)
    if needed not in account.scopes:
        raise InsufficientScope(f"This needs the scope {needed}, which your token or key lacks.")
