"""What can go wrong between a program and a NextStream server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextstream.client.values import Video


class ClientError(Exception):
    """Something went wrong; `str` gives a sentence, and `retryable` whether the same may work later."""

    retryable = False


class Unreachable(ClientError):
    """The server can't be reached, or the connection broke off."""

    retryable = True


class Refused(ClientError):
    """The server refused a request, and said why in problem details (RFC 9457).

    `code` is for programs and stays the same for good, `sentence` is for people; `request_id` finds
    the request in the server's logs.
    """

    def __init__(
        self, status: int, code: str, sentence: str, request_id: str, retry_after_s: float | None
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence
        self.request_id, self.retry_after_s = request_id, retry_after_s

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # here it depends on the answer
        """Tell whether the same request may work later."""
        return self.retry_after_s is not None


class NotAnswered(ClientError):
    """The server said something that is no answer of NextStream's; check the address."""


class FileChanged(ClientError):
    """The file was changed while it was being sent; send it again."""


class VideoEnded(ClientError):
    """The video failed or was cancelled, so what was waited for won't come."""

    def __init__(self, video: Video) -> None:
        because = video.failure.message if video.failure else f"The video is {video.state}."
        super().__init__(because)
        self.video = video


class NotYet(ClientError):
    """What was waited for didn't come in the time that was given."""

    retryable = True
