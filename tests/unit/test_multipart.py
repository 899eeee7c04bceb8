from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.errors import BadRequest, UploadIncomplete
from web import multipart

BOUNDARY = "bound"
HEAD = b'--bound\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
TAIL = b"\r\n--bound--\r\n"

# Bytes that look like the frame are likelier than chance would make them.
near = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--boun", b"\r\n--bounde", b"x", b"\0" * 99])
)
contents = near.map(b"".join).filter(lambda content: b"--bound" not in content)


def cut(body: bytes, at: list[int]) -> Iterator[bytes]:
    """Give the bytes in blocks that end at these places."""
    places = sorted({place % (len(body) + 1) for place in at} | {len(body)})
    start = 0
    for place in places:
        if place > start:
            yield body[start:place]
        start = place


@given(content=contents, at=st.lists(st.integers(min_value=0)))
def test_a_file_is_the_same_however_its_form_is_cut_into_blocks(content: bytes, at: list[int]) -> None:
    form = multipart.read(cut(HEAD + content + TAIL, at), BOUNDARY, "file")
    assert b"".join(form.blocks) == content


@given(content=contents, at=st.lists(st.integers(min_value=0)), end=st.integers(min_value=1))
def test_a_form_cut_anywhere_is_never_whole(content: bytes, at: list[int], end: int) -> None:
    body = (HEAD + content + TAIL)[:-2]  # its last line break may be missing
    short = body[: -1 - end % (len(body) - 1)]
    with pytest.raises(UploadIncomplete):
        list(multipart.read(cut(short, at), BOUNDARY, "file").blocks)


def test_fields_before_the_file_are_read_and_those_behind_are_not() -> None:
    field = b'--bound\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = field % (b"title", "Dämmerung".encode()) + field % (b"empty", b"") + HEAD + b"film\r\n"
    form = multipart.read([body, field % (b"late", b"x"), TAIL[2:]], BOUNDARY, "file")
    assert b"".join(form.blocks) == b"film"
    assert form.fields == {"title": "Dämmerung", "empty": ""}
    assert form.filename == "a.mp4"


def test_a_field_that_counts_only_before_the_file_is_refused_behind_it() -> None:
    field = b'--bound\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx\r\n'
    body = [HEAD + b"film\r\n", field % b"submit", field % b"visibility", TAIL[2:]]
    form = multipart.read(body, BOUNDARY, "file", {"visibility"})
    with pytest.raises(BadRequest, match="'visibility' behind its file"):
        list(form.blocks)
    form = multipart.read([*body[:2], *body[3:]], BOUNDARY, "file", {"visibility"})
    assert b"".join(form.blocks) == b"film"


def test_nothing_is_read_beyond_what_was_asked_for() -> None:
    def body() -> Iterator[bytes]:
        yield HEAD
        yield b"film"
        raise AssertionError("read too far")

    form = multipart.read(body(), BOUNDARY, "file")
    assert next(form.blocks) == b""
    assert next(form.blocks) == b"film"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"--bound--\r\n", "no file"),
        (HEAD.replace(b'"file"', b'"film"') + TAIL, "called 'film'"),
        (b"--bound\r\nContent-Type: text/plain\r\n\r\nx" + TAIL, "can't be understood"),
        (b"x" * 3 * 1024**2, "can't be understood"),
        (HEAD.replace(b"; filename", b"; file-name") + b"x" * 100_000 + TAIL, "too long"),
    ],
)
def test_a_form_that_is_wrong_is_explained(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        list(multipart.read(cut(body, list(range(0, len(body), 65536))), BOUNDARY, "file").blocks)
