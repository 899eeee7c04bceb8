"""What all errors are."""

from __future__ import annotations

import inspect
from typing import ClassVar


class NextStreamError(Exception):
    """Something went wrong inside NextStream."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    retry_after_s: float = 2.0  # told where a retry can help

    def __init__(self, message: str | None = None, *, detail: str | None = None) -> None:
        """Take a message for the user and, apart from it, a detail for the operator."""
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        self.detail = detail
        super().__init__(self.message if detail is None else f"{self.message} ({detail})")


class Misconfigured(NextStreamError):
    """A setting is wrong."""

    code = "misconfigured"
