"""W3C Trace Context, as far as it is read here."""

from __future__ import annotations

import re

# Version 00 (section 3.2.2); what a later version adds behind it may be left out.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(traceparent: str | None) -> str | None:
    """Give the id of a traceparent's trace; None for what is none."""
    found = _TRACEPARENT.match(traceparent or "")
    return found[1] if found else None
