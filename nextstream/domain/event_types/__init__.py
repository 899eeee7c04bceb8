"""All events there are, each with what its data holds; docs/events is made from this.

A type that was once told to other systems keeps its name and its fields; fields may be added.
"""

from nextstream.domain.event_types import accounts, videos, work
from nextstream.domain.event_types.declaring import TYPES, Data

__all__ = ["TYPES", "Data", "accounts", "videos", "work"]
