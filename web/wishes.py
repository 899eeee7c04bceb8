"""What a client may ask for at every way of upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from nextstream.domain.video import Encryption, Options, Priority, Visibility, Wishes
from web import http


class Asked(BaseModel):
    """What a video is called, who may play it, how soon it is wanted, and how it is stored and sent."""

    title: str | None = None
    visibility: Annotated[Visibility, Field(strict=False)] | None = None
    priority: Annotated[Priority, Field(strict=False)] | None = None
    encryption: Annotated[Encryption, Field(strict=False)] | None = None

    @property
    def wishes(self) -> Wishes:
        """Give what is asked of the video."""
        return Wishes(self.priority, self.visibility, Options(encryption=self.encryption))


def read(facts: Mapping[str, str]) -> Asked:
    """Give what the metadata of an upload by tus asks for; raises BadRequest for words of no meaning."""
    return Asked(
        title=facts.get("title"),
        visibility=http.read_word(facts, "visibility", Visibility),
        priority=http.read_word(facts, "priority", Priority),
        encryption=http.read_word(facts, "encryption", Encryption),
    )
