import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.adapters.encoder_memory import movie
from nextstream.domain import fmp4
from nextstream.domain.video import Span
from nextstream.errors import EncoderFailed


def decode_times(body: bytes) -> Iterator[int]:
    """Give the tfdt of every moof, which has one, before any number that could look like it."""
    at = 0
    while at < len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        if kind == b"moof":
            yield struct.unpack_from(">Q", body, body.index(b"tfdt", at) + 8)[0]
        at += size


def frames_of(track: fmp4.Track, data: bytes) -> list[bytes]:
    return [data[s.span.offset : s.span.offset + s.span.size_bytes] for s in track.samples]


samples = st.lists(
    st.tuples(
        st.integers(1, 5000), st.integers(-4000, 4000), st.booleans(), st.binary(min_size=1, max_size=9)
    ),
    min_size=1,
    max_size=20,
)


@given(samples, st.integers(0, 2**40))
def test_what_is_written_is_read_back_the_same(
    rows: list[tuple[int, int, bool, bytes]], start: int
) -> None:
    payload, made, at = b"", [], 0
    for n, (ticks, offset, _, body) in enumerate(rows):
        # Within a fragment only the first frame may differ in kind, as in a GOP.
        made.append(fmp4.Sample(ticks, offset, n == 0, Span(at, len(body))))
        payload, at = payload + body, at + len(body)
    head = movie(1000, 1, 1, 1)
    init = fmp4.read(head).init
    data = init + fmp4.write(made, payload, 1, start)
    track = fmp4.read(data)
    assert [(s.ticks, s.offset_ticks, s.is_sync) for s in track.samples] == [
        (s.ticks, s.offset_ticks, s.is_sync) for s in made
    ]
    assert frames_of(track, data) == [row[3] for row in rows]
    assert list(decode_times(data)) == [start]


def test_names_codec_and_timescale_come_from_the_bitstream() -> None:
    video, audio = (
        fmp4.read(movie(24000, 1000, 5, 5)),
        fmp4.read(movie(48000, 1024, 5, 1, audio=True)),
    )
    assert (video.codec, video.timescale) == ("avc1.64001f", 24000)
    assert (audio.codec, audio.timescale) == ("mp4a.40.2", 48000)


def test_decode_times_run_on_over_segments_and_chunks() -> None:
    times = []
    for first in (0, 2):  # two chunks of two segments, 3 GOPs of 4 frames each
        data = movie(24000, 1000, 24, 4)
        for made in fmp4.slice_video(data, fmp4.read(data), first, gop=4, gops=3):
            times += decode_times(made.body)
    assert times == list(range(0, 48 * 1000, 4000))


def test_segments_hold_the_same_frames_as_the_chunk() -> None:
    data = movie(24000, 1000, 30, 4)
    track = fmp4.read(data)
    made = list(fmp4.slice_video(data, track, 0, gop=4, gops=3))
    assert [m.segment.number for m in made] == [1, 2, 3]
    assert [m.segment.ticks for m in made] == [12000, 12000, 6000]
    assert [m.segment.size_bytes for m in made] == [len(m.body) for m in made]
    again = track.init + b"".join(m.body for m in made)
    assert frames_of(fmp4.read(again), again) == frames_of(track, data)


def test_a_keyframe_span_covers_the_moof_and_the_first_frame_alone() -> None:
    data = movie(24000, 1000, 12, 4)
    track = fmp4.read(data)
    (made,) = fmp4.slice_video(data, track, 0, gop=4, gops=3)
    assert len(made.segment.keyframes) == 3
    for n, span in enumerate(made.segment.keyframes):
        run = made.body[span.offset : span.offset + span.size_bytes]
        assert run[4:8] == b"moof"
        assert run.endswith(frames_of(track, data)[4 * n])


def test_a_gop_without_a_keyframe_is_refused() -> None:
    data = movie(24000, 1000, 12, 6)
    with pytest.raises(EncoderFailed):
        list(fmp4.slice_video(data, fmp4.read(data), 0, gop=4, gops=3))


def cut_sound(data: bytes, segments: int, block: int = 777) -> list[fmp4.Slice]:
    """Slice a track that comes in blocks which end anywhere."""
    blocks = (data[at : at + block] for at in range(0, len(data), block))
    return [made for _, made in fmp4.slice_audio(blocks, Fraction(6), segments)]


@pytest.mark.parametrize("block", [1, 777, 10**6])
def test_audio_is_cut_to_the_nearest_frame_and_its_rest_stays_in_the_last_segment(block: int) -> None:
    data = movie(48000, 1024, 1000, 50, audio=True)
    made = cut_sound(data, 3, block)
    starts = [next(decode_times(m.body)) for m in made]
    assert starts[0] == 0
    for n, start in enumerate(starts):
        assert 0 <= start - n * 6 * 48000 < 1024
    assert sum(m.segment.ticks for m in made) == 1000 * 1024
    assert all(m.segment.keyframes == () for m in made)
    whole = fmp4.read(data).init + b"".join(m.body for m in made)
    assert frames_of(fmp4.read(whole), whole) == frames_of(fmp4.read(data), data)


def test_the_encoders_priming_is_stored_but_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = movie(48000, 1024, 100, 50, audio=True)
    read = fmp4.read
    monkeypatch.setattr(fmp4, "read", lambda data: replace(read(data), start_ticks=1024))
    (made,) = cut_sound(data, 1)
    assert made.segment.ticks == 99 * 1024
    assert list(decode_times(made.body)) == [0]


def test_a_segment_of_sound_is_given_as_soon_as_the_next_one_begins() -> None:
    data = movie(48000, 1024, 1000, 50, audio=True)
    taken = 0

    def blocks() -> Iterator[bytes]:
        nonlocal taken
        for at in range(0, len(data), 100):
            taken = at
            yield data[at : at + 100]

    next(fmp4.slice_audio(blocks(), Fraction(6), 3))
    first_frame_of_the_second = len(data) * 282 // 1000
    a_fragment = len(data) * 50 // 1000
    assert taken <= first_frame_of_the_second + 2 * a_fragment


@pytest.mark.parametrize("block", [1, 7, 777])
@pytest.mark.parametrize("last_bytes", [1, 7, 8])
def test_sound_may_end_in_a_frame_of_a_few_bytes(last_bytes: int, block: int) -> None:
    data = movie(48000, 1024, 10, 10, audio=True)
    tiny = fmp4.write([fmp4.Sample(1024, 0, True, Span(0, last_bytes))], b"x" * last_bytes, 2, 10240)
    (made,) = cut_sound(data + tiny, 1, block)
    assert made.segment.ticks == 11 * 1024


@pytest.mark.parametrize("cut", [1, 9, 60, 400, -1, -17])
def test_sound_that_was_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(EncoderFailed):
        cut_sound(movie(48000, 1024, 100, 50, audio=True)[:cut], 1)


def test_init_segments_carry_the_cmaf_brand() -> None:
    assert b"cmfc" in fmp4.read(movie(24000, 1000, 5, 5)).init[:28]


def test_an_audio_track_that_ends_early_has_no_empty_segments() -> None:
    data = movie(48000, 1024, 10, 10, audio=True)
    assert [m.segment.number for m in cut_sound(data, 3)] == [1]


@pytest.mark.parametrize("cut", [1, 9, 60, 200, -1, -17])
def test_a_file_that_was_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(EncoderFailed):
        fmp4.read(movie(24000, 1000, 10, 5)[:cut])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EncoderFailed):
        fmp4.read(data)


def test_a_track_without_its_codecs_configuration_is_refused() -> None:
    with pytest.raises(EncoderFailed):
        fmp4.read(movie(24000, 1000, 5, 5).replace(b"avcC", b"free"))


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def film_of(entry: bytes, configuration: bytes, said: str) -> bytes:
    """Give a film of one frame whose sample entry is configured by these hexadecimal bytes."""
    codec = box(entry, bytes(78), box(configuration, bytes.fromhex(said)))
    stsd = box(b"stsd", struct.pack(">II", 0, 1), codec)
    mdhd = box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 24000, 0, 0))
    track = box(b"trak", box(b"mdia", mdhd, box(b"minf", box(b"stbl", stsd))))
    defaults = box(b"mvex", box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 0, 0, 0)))
    frame = fmp4.write([fmp4.Sample(1000, 0, True, Span(0, 4))], b"film", 1, 0)
    return box(b"moov", track, defaults) + frame


@pytest.mark.parametrize(
    ("entry", "configuration", "said", "name"),
    [
        (b"avc1", b"avcC", "0164001fffe10000", "avc1.64001f"),
        # The examples of ISO/IEC 14496-15, annex E: Main, progressive; and one in the high tier.
        (b"hvc1", b"hvcC", "01 01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0"),
        (b"hvc1", b"hvcC", "01 22 20000000 900000000000 99", "hvc1.2.4.H153.90"),
        (b"hvc1", b"hvcC", "01 41 80000000 000000000000 5d", "hvc1.A1.1.L93"),
        # The example of AV1's binding, section 5: Main, level 3.0, main tier, 10 bits.
        (b"av01", b"av1C", "81 04 40 00", "av01.0.04M.10"),
        (b"av01", b"av1C", "81 08 0c 00", "av01.0.08M.08"),
        (b"av01", b"av1C", "81 50 e0 00", "av01.2.16H.12"),
    ],
)
def test_a_codec_is_named_by_its_configuration(
    entry: bytes, configuration: bytes, said: str, name: str
) -> None:
    assert fmp4.read(film_of(entry, configuration, said)).codec == name


def test_a_codec_without_a_name_is_refused() -> None:
    with pytest.raises(EncoderFailed, match="vp09"):
        fmp4.read(film_of(b"vp09", b"vpcC", "00"))
