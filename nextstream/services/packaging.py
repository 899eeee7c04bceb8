"""What encoders made becomes segments, and finished segments become manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from nextstream.domain import dash, encryption, fmp4, hls, ladder, paths
from nextstream.domain import plan as plans
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.video import Rendition, Segment, Video
from nextstream.errors import EncoderFailed, SourceTruncated
from nextstream.ports import EncodedPiece, Platform
from nextstream.services import segments as stored
from nextstream.services.claims import Reporter


def store_sound(
    platform: Platform,
    video: Video,
    plan: Plan,
    voice: Voice,
    blocks: Iterable[bytes],
    report: Reporter,
) -> Rendition:
    """Cut a track into segments as long as the picture's, to the nearest frame, and store them.

    Each is stored and reported while the rest is encoding, so that watching needn't wait for it.
    """
    made = Rendition(voice.name, "", 1, "", ())

    def listen() -> Iterator[bytes]:
        for block in blocks:
            report(_frames(plan, made), (made,) if made.segments else ())
            yield block

    for track, slice_ in fmp4.slice_audio(listen(), plan.segment_s, plan.segments):
        segments = (*made.segments, *_store(platform, video, voice.name, track, [slice_]))
        made = replace(
            _rendition(voice.name, track, segments),
            channels=voice.channels,
            language=voice.language,
            title=voice.title,
            purpose=voice.purpose,
            is_default=voice.is_default,
            twin=voice.twin,
        )
        report(_frames(plan, made), (made,))
    return made


def _frames(plan: Plan, made: Rendition) -> int:
    """Give the frames of the picture's grid that a track has passed."""
    return min(plan.frames, int(made.duration_s * plan.rate))


def store_chunk(
    platform: Platform, video: Video, plan: Plan, piece: Piece, made: EncodedPiece
) -> Rendition:
    """Cut a rung of a chunk into segments and store them; raises SourceTruncated where frames lack."""
    track = fmp4.read(made.data)
    if len(track.samples) != piece.frames:
        raise SourceTruncated(detail=f"{piece.name}: {len(track.samples)} of {piece.frames} frames")
    first = piece.first_frame // plan.segment_frames
    slices = fmp4.slice_video(made.data, track, first, plan.gop_frames, plans.GOPS_PER_SEGMENT)
    segments = _store(platform, video, made.name, track, slices)
    rung = next(rung for rung in plan.rungs if rung.name == made.name)
    return replace(
        _rendition(made.name, track, segments),
        width=rung.width,
        height=rung.height,
        gop_ticks=plan.gop_ticks,
        frame_ticks=int(plan.timescale / plan.rate),
        lost_frames=made.lost_frames,
        broken_frames=made.broken_frames,
    )


def _store(
    platform: Platform, video: Video, name: str, track: fmp4.Track, slices: Iterable[fmp4.Slice]
) -> tuple[Segment, ...]:
    """Store segments, and the init segment beside the first; may run twice, with the same bytes."""
    segments = []
    for made in slices:
        number = made.segment.number
        if number == 1:
            put(platform, paths.init(video.id, video.version, name), track.init)
        stored.put(platform, video, name, number, made.body)
        segments.append(made.segment)
    return tuple(segments)


def _rendition(name: str, track: fmp4.Track, segments: tuple[Segment, ...]) -> Rendition:
    return Rendition(name, track.codec, track.timescale, sha256(track.init).hexdigest(), segments)


def check_inits(parts: Sequence[Rendition], known: Mapping[str, str]) -> None:
    """Raise EncoderFailed where a part can't be played behind another's init segment."""
    for part in parts:
        if known.get(part.name, part.init_sha256) != part.init_sha256:
            raise EncoderFailed(detail=f"{part.name}: init segments of two chunks differ")


def join(plan: Plan, parts: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Join the parts that pieces made into whole renditions, in the plan's order."""
    names = [rung.name for rung in plan.rungs] + [voice.name for voice in plan.voices]
    order = {name: place for place, name in enumerate(names)}
    whole: dict[str, Rendition] = {}
    for part in parts:
        before = whole.get(part.name)
        segments = (*before.segments, *part.segments) if before else part.segments
        whole[part.name] = replace(
            part,
            segments=_in_order(segments),
            lost_frames=part.lost_frames + (before.lost_frames if before else 0),
            broken_frames=part.broken_frames + (before.broken_frames if before else 0),
        )
    return tuple(sorted(whole.values(), key=lambda rendition: order.get(rendition.name, len(order))))


def _in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda segment: segment.number))


def write_manifests(
    platform: Platform, video: Video, renditions: Sequence[Rendition]
) -> tuple[Rendition, ...]:
    """Write every manifest, those that name others last, and give what these name; may run twice.

    Rungs that are too much alike are left out of them. Their files stay: who began to watch while
    they were made plays them to their end. An encrypted video has neither I-frame playlists nor DASH,
    which doesn't know AES-128 of whole segments.
    """
    encrypted = video.version in video.keys
    _write_playlists(platform, video, renditions, encrypted=encrypted)
    kept = ladder.merge(renditions)
    tree, folder = paths.tree(video.id, video.version), f"{paths.version_folder(video.version)}/"
    for where, prefix in ((tree, ""), (paths.root(video.id), folder)):
        if encrypted:
            platform.storage.remove(f"{where}/{paths.MANIFEST}")  # of a version that wasn't
        _write_masters(platform, video, kept, where, prefix, encrypted=encrypted)
    return kept


def _write_playlists(
    platform: Platform, video: Video, renditions: Sequence[Rendition], *, encrypted: bool
) -> None:
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    target_s = video.plan.target_s  # what it was while the playlists grew
    tree = paths.tree(video.id, video.version)
    for rendition in (each for each in renditions if not each.is_text):
        text = hls.media(rendition, target_s, encrypted=encrypted)
        _write(platform, f"{tree}/{rendition.name}/{paths.PLAYLIST}", text)
        if rendition.is_video and not encrypted:
            key = f"{tree}/{rendition.name}/{paths.IFRAMES}"
            _write(platform, key, hls.iframes(rendition, target_s))


def _write_masters(
    platform: Platform,
    video: Video,
    kept: Sequence[Rendition],
    where: str,
    prefix: str,
    *,
    encrypted: bool,
) -> None:
    """Write what a player begins with, into the folder `where`."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    rate, duration_s = video.plan.rate, video.plan.duration_s
    if encrypted:
        sent = [each if each.is_text else encryption.as_stored(each) for each in kept]
        text = hls.master(sent, rate, prefix, encrypted=True)
    else:
        _write(platform, f"{where}/{paths.MANIFEST}", dash.manifest(kept, rate, duration_s, prefix))
        text = hls.master(kept, rate, prefix)
    _write(platform, f"{where}/{paths.MASTER}", text)


def _write(platform: Platform, key: str, text: str) -> None:
    put(platform, key, text.encode())


def put(platform: Platform, key: str, body: bytes) -> None:
    """Store a file of a video under the media type of its name; may run twice."""
    platform.storage.put(key, body, paths.mime_type(key))
