"""A multipart form (RFC 7578) read as it arrives: its file never lies in memory or on disk here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)

from nextstream.errors import BadRequest, UploadIncomplete

BUFFER_MAX_BYTES = 2 * 1024**2  # a block, and what of the form's frame is waiting to be whole
FIELD_MAX_BYTES = 64 * 1024
PARTS_MAX = 16


@dataclass(frozen=True)
class Form:
    """A form up to its file, whose `blocks` are yet to come; `fields` are those before the file."""

    fields: dict[str, str]
    filename: str
    blocks: Iterator[bytes]


def read(body: Iterable[bytes], boundary: str, name: str, first: Container[str] = ()) -> Form:
    """Read a form up to the file called `name`; blocks must not be larger than 1 MiB.

    Reading on raises UploadIncomplete where the form ends before its last boundary, and BadRequest where
    a field of those that count only before the file, the `first` ones, comes behind it. Raises
    BadRequest where there is no such file, or no form.
    """
    events = _decode(body, boundary)
    fields: dict[str, str] = {}
    for event in events:
        if isinstance(event, Field):
            fields[event.name or ""] = _text(events)  # None where its header can't be read
        elif isinstance(event, File) and event.name == name:
            return Form(fields, event.filename, _file(events, first))
        elif isinstance(event, File):
            raise BadRequest(f"The form has a file called {event.name!r}; call it {name!r}.")
    raise BadRequest(f"The form has no file; send one as {name!r}.")


def _decode(body: Iterable[bytes], boundary: str) -> Iterator[Event]:
    """Give the form's events, Epilogue last."""
    decoder = MultipartDecoder(boundary.encode(), BUFFER_MAX_BYTES, max_parts=PARTS_MAX)
    try:
        for block in _cut_well(body, boundary.encode()):
            decoder.receive_data(block)
            yield from _ready(decoder)
    except (ValueError, RequestEntityTooLarge) as error:
        raise BadRequest("The form can't be understood.", detail=str(error)) from error
    decoder.receive_data(None)
    try:
        yield from _ready(decoder)
    except ValueError as error:
        raise UploadIncomplete(detail="the form's last boundary is missing") from error


def _cut_well(body: Iterable[bytes], boundary: bytes) -> Iterator[bytes]:
    """Give the same bytes in blocks that never end between the two last dashes of the form.

    There the decoder adds a byte to the file: https://github.com/pallets/werkzeug/issues/3285.
    """
    trap = b"--" + boundary + b"-"
    given, held = b"", b""
    for block in body:
        block = held + block  # noqa: PLW2901  nothing is copied unless a dash was held
        end = (given + block[-len(trap) :])[-len(trap) :]
        held = b"-" if end == trap else b""
        given = end.removesuffix(held)
        yield block.removesuffix(held)
    yield held


def _ready(decoder: MultipartDecoder) -> Iterator[Event]:
    while not isinstance(event := decoder.next_event(), NeedData):
        yield event
        if isinstance(event, Epilogue):
            return


def _text(events: Iterator[Event]) -> str:
    text = b""
    for data in _data(events):
        text += data
        if len(text) > FIELD_MAX_BYTES:
            raise BadRequest("A field of the form is too long.")
    return text.decode(errors="replace")


def _data(events: Iterator[Event]) -> Iterator[bytes]:
    """Give the bytes of one part."""
    for event in events:
        if isinstance(event, Data):
            yield event.data
            if not event.more_data:
                return


def _file(events: Iterator[Event], first: Container[str]) -> Iterator[bytes]:
    """Give the file's bytes, and then read to the form's end: only there is the file known as whole."""
    yield from _data(events)
    for event in events:
        if isinstance(event, Field) and event.name in first:
            raise BadRequest(f"The form has {event.name!r} behind its file; put it before that.")
