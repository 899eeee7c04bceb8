"""What a source holds: command lines for ffprobe, and what their output means."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nextstream.domain import markings, reading, seeking, tiles, tracks
from nextstream.domain.source import Caution, SourceInfo
from nextstream.errors import (
    MediaError,
    SourceEncrypted,
    SourceNotVideo,
    SourceRefused,
    SourceTooLarge,
    SourceTooManyStreams,
    SourceTruncated,
    SourceUnsupported,
)

# Whose duration is where they end, by ffmpeg and what is made with it; with mkvmerge and Windows Media
# it is a length. The lesser promise holds for both.
_ENDS = frozenset({"matroska", "webm", "asf"})
# Of which ffprobe says the file's duration again as each stream's, which says nothing of the stream.
_WITHOUT_LENGTHS = frozenset({"asf"})

ALL_TEXTS = "s"  # of packets_command: the subtitles of all streams, which have one clock in Matroska

# Pictures without a container. Their decoder knows the rate; times that ffprobe gives are made up.
_BARE_NAMES = "h261,h263,h264,hevc,vvc,evc,apv,obu,av1,m4v,mpegvideo,mjpeg,vc1,dirac,dnxhd,cavsvideo"
_BARE = frozenset(_BARE_NAMES.split(","))

# What ffprobe says of a source that it can't read, and what that means to its owner.
_WORDS: tuple[tuple[str, type[MediaError]], ...] = (
    ("exceeds max_streams", SourceTooManyStreams),
    ("not on whitelist", SourceRefused),
    ("sub-sample encryption", SourceEncrypted),
    ("no decryption key", SourceEncrypted),
    ("moov atom not found", SourceTruncated),
    ("contradictionary STSC and STCO", SourceTruncated),
)


_PART = Caution("picture_in_part", "The picture is made of tiles; only the first of them is shown.")


def command(binary: str, source: str) -> list[str]:
    """Build the ffprobe call that describes a source as JSON for `parse`."""
    shown = ("-show_format", "-show_streams", "-show_stream_groups", "-show_chapters", "-of", "json")
    return [*_calling(binary), *shown, "-i", reading.name_input(source)]


def headers_command(binary: str, source: str) -> list[str]:
    """Build the ffprobe call that shows what subtitles have as their header, for `add_headers`."""
    shown = ("-show_data", "-show_entries", "stream=index,extradata", "-of", "json")
    return [*_calling(binary), "-select_streams", ALL_TEXTS, *shown, "-i", reading.name_input(source)]


def may_move(found: Mapping[str, Any]) -> bool:
    """Tell a picture that an ffprobe older than ffmpeg takes for a still: animated WebP is new."""
    return bool(found.get("format", {}).get("format_name") == "webp_pipe")


def add_headers(found: Mapping[str, Any], headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what ffprobe says of a source, with the headers of its subtitles."""
    known = {each["index"]: each for each in headers.get("streams", [])}
    return {**found, "streams": [{**s, **known.get(s["index"], {})} for s in found["streams"]]}


def packets_command(
    binary: str, source: str, index: int | str, from_s: float | None = None
) -> list[str]:
    """Build the ffprobe call that lists a stream's packets for `packets.read`, all or from a time on.

    `index` may be ALL_TEXTS.
    """
    interval = () if from_s is None else ("-read_intervals", f"{max(0.0, from_s):.3f}%")
    return [
        *_calling(binary),
        *("-select_streams", str(index)),
        *interval,
        *("-show_entries", "packet=pts,dts,duration,flags"),
        *("-of", "csv=p=0"),  # a tenth of JSON
        *("-i", reading.name_input(source)),
    ]


def _calling(binary: str) -> list[str]:
    return [binary, "-loglevel", "error", *reading.MEMORY, *reading.words()]


def parse(found: Mapping[str, Any], decodable: frozenset[str]) -> SourceInfo:
    """Read what ffprobe says of a source; `decodable` are the codecs ffmpeg has decoders for.

    Raises SourceNotVideo, SourceEncrypted or SourceUnsupported where nothing can be played. The
    video track's `end_s` is the container's word for it; packets.survey knows better.
    """
    container, streams = found.get("format", {}), _streams(found)
    start_s = tracks.seconds(container.get("start_time"))
    formats = container.get("format_name", "")
    duration_s = _length_s(tracks.seconds(container.get("duration")), start_s, formats)
    known = [s for s in streams if s.get("codec_name") in decodable and not _is_encrypted(s)]
    mosaics = tiles.find(found, known)
    pictures = mosaics + [s for s in known if tracks.is_picture(s)]
    # Where all pictures are parts of a larger one that isn't known, a part is better than none.
    videos = pictures or [s for s in known if tracks.is_part(s)]
    # An animated AVIF has its first picture beside the film, both as default.
    videos.sort(key=lambda s: (not s.get("disposition", {}).get("default"), s.get("nb_frames") == "1"))
    sounds = [s for s in known if tracks.is_sound(s)]
    if not videos and not sounds:
        raise _explain_streams(streams)
    if any(
        int(s.get("width") or 0) * int(s.get("height") or 0) > reading.MAX_PIXELS for s in videos[:1]
    ):
        raise SourceTooLarge(detail=f"{videos[0]['width']}x{videos[0]['height']}")
    picture = tracks.video(videos[0], start_s, duration_s) if videos else None
    return SourceInfo(
        format=formats,
        start_s=start_s,
        duration_s=duration_s,
        size_bytes=int(container.get("size", 0)),
        video=picture,
        audio=tuple(tracks.audio(s, start_s) for s in sounds),
        texts=markings.texts(streams),
        streams=len(streams) - tiles.count_spare(mosaics),
        warnings=() if pictures or not videos else (_PART,),
        is_seekable=seeking.has_index(formats),
    )


def _streams(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the streams, without durations that aren't their own."""
    streams: list[Mapping[str, Any]] = found.get("streams", [])
    if found.get("format", {}).get("format_name") == "avi":
        return [_with_frames(stream) for stream in streams]
    if not reading.is_of(found.get("format", {}).get("format_name", ""), _WITHOUT_LENGTHS):
        return streams
    return [{key: fact for key, fact in stream.items() if key != "duration"} for stream in streams]


def _with_frames(stream: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a stream of an AVI file with the length that its header counts in frames.

    ffprobe says less of a file that was cut off: what fits into its size.
    """
    rate = tracks.ratio(stream.get("avg_frame_rate", ""), Fraction(0))
    if stream.get("codec_type") != "video" or not rate:
        return stream
    counted_s = tracks.seconds(stream.get("nb_frames")) / rate
    return {**stream, "duration": str(max(counted_s, tracks.seconds(stream.get("duration"))))}


def _length_s(duration_s: Fraction, start_s: Fraction, formats: str) -> Fraction:
    """Give how long a source lasts: some writers count from 0, wherever it starts."""
    counts_from_0 = reading.is_of(formats, _ENDS) and 0 < start_s < duration_s
    return duration_s - start_s if counts_from_0 else duration_s


def parse_time_base(found: Mapping[str, Any], index: int) -> Fraction:
    """Give the unit of a stream's timestamps in seconds."""
    return next(tracks.time_base(s) for s in found["streams"] if s["index"] == index)


def first_text(found: Mapping[str, Any]) -> int | None:
    """Give the index of the first stream of subtitles, be they text or pictures."""
    return next((s["index"] for s in found["streams"] if markings.is_text(s)), None)


def parse_delay(found: Mapping[str, Any], index: int) -> int:
    """Give how many frames of a stream may be decoded before the first is shown."""
    return next(int(s.get("has_b_frames") or 0) for s in found["streams"] if s["index"] == index)


def has_length(found: Mapping[str, Any], index: int) -> bool:
    """Tell whether a stream says how long it is; else the container does, of its longest."""
    return any(s["index"] == index and tracks.seconds(s.get("duration")) > 0 for s in _streams(found))


def has_clock(form: str) -> bool:
    """Tell whether a format says when its frames are shown."""
    return form not in _BARE


def most_of_a_still(form: str) -> int:
    """Give how many packets a still may have: a photo may have others after it, as phones make them."""
    return 4 if form.endswith("_pipe") or form == "mjpeg" else 1


def explain(words: str) -> MediaError:
    """Give the error behind what ffprobe says of a source that it can't read."""
    for said, error in _WORDS:
        if said in words:
            return error(detail=words)
    return SourceNotVideo(detail=words)


def _explain_streams(streams: list[Mapping[str, Any]]) -> MediaError:
    """Give the error for a source without a stream that can be decoded."""
    media = [s for s in streams if s.get("codec_type") in ("video", "audio") and not _is_cover(s)]
    if any(_is_encrypted(stream) for stream in media):
        return SourceEncrypted()
    # A stream that nothing is known of is one of a codec that nobody knows.
    unknown = [s for s in streams if "codec_type" not in s or s.get("codec_type") == "unknown"]
    if media or unknown:
        names = ", ".join(sorted({str(s.get("codec_name", "unknown")) for s in media + unknown}))
        return SourceUnsupported(detail=f"codecs: {names}")
    return SourceNotVideo(detail="no stream of pictures or sound")


def _is_cover(stream: Mapping[str, Any]) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _is_encrypted(stream: Mapping[str, Any]) -> bool:
    """Tell streams of Common Encryption (ISO/IEC 23001-7) and FairPlay by their sample entries."""
    return stream.get("codec_tag_string") in ("encv", "enca", "drmi", "drms") or any(
        "Encryption" in side.get("side_data_type", "") for side in stream.get("side_data_list", [])
    )
