"""What was done to accounts: noted for the event stream and the audit log at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.domain.audit import Deed, Origin
from nextstream.domain.events import happen
from nextstream.ports import AuditEntry, Platform, Transaction

OK, REFUSED = "ok", "refused"
STRANGER = "unknown"  # the key of events about names that nobody has


def note(
    platform: Platform,
    tx: Transaction,
    action: str,
    origin: Origin,
    *,
    actor_id: str | None,
    subject_id: str | None = None,
    result: str = OK,
    **data: Any,
) -> None:
    """Note a deed in the transaction that makes it true; best as its last step, and without secrets.

    The event's key is the account: of what was done to others it is theirs. Addresses stay here.
    """
    now, key = platform.clock.now(), data.get("account_id") or actor_id or STRANGER
    tx.audit.add(
        Deed(now, action, result, actor_id, subject_id, origin.address, origin.request_id, data)
    )
    facts = {name: value for name, value in (("by", actor_id), ("subject", subject_id)) if value}
    tx.outbox.add(happen(action, key, now, origin.request_id, result=result, **facts, **data))


def prune(platform: Platform) -> int:
    """Remove lines that are older than they are kept, and count them; may run twice."""
    if not platform.settings.audit_kept_s:
        return 0
    before, count = platform.clock.now() - timedelta(seconds=platform.settings.audit_kept_s), 0
    while True:
        with platform.database.transaction() as tx:
            removed = tx.audit.prune(before)
        count += removed
        if not removed:
            return count


def page(
    platform: Platform,
    account: Account,
    before: int | None,
    limit: int,
    actor_id: str | None = None,
    action: str | None = None,
) -> Sequence[AuditEntry]:
    """Give lines of the audit log, newest first, to operators; raises NotAllowed."""
    demand(account, Action.OPERATE)
    with platform.database.transaction() as tx:
        return tx.audit.page(before, limit, actor_id, action)
