"""Accounts and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What an account is for; operators may do everything."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Account:
    """Someone who can log in; `name` is kept in lower case."""

    id: str
    name: str
    password_hash: str
    role: Role
    created_at: datetime


def may_upload(account: Account) -> bool:
    """Tell whether the account may put videos in."""
    return account.role in (Role.UPLOADER, Role.OPERATOR)


def may_manage(account: Account, owner_id: str) -> bool:
    """Tell whether the account may see and change what `owner_id` owns."""
    return account.role is Role.OPERATOR or account.id == owner_id
