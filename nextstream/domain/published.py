"""How much of an encode can be played: whole segments from the start, in every rendition."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from nextstream.domain.hls import Rates
from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.domain.video import Rendition, Segment

OVERHEAD = Fraction(105, 100)  # of the boxes around the frames
AVERAGE_OF_MAXRATE = Fraction(2, 3)  # what capped CRF leaves of the cap on pictures of all kinds


def prefix(plan: Plan, done: Collection[str], sound: Mapping[str, int]) -> int:
    """Count the segments from the start on that every rung and every audio track has, in stereo.

    Surround sound comes with the end: watching doesn't wait for a second encode of each track.
    `done` names the finished pieces, `sound` counts the segments of each voice so far.
    """
    counts = [_count_seen(plan, rung.name, done) for rung in plan.rungs]
    stereo = {voice.name for voice in plan.voices if not voice.twin}
    for piece in plan.pieces:
        if piece.kind is Kind.AUDIO and piece.voice in stereo:
            heard = sound.get(piece.voice or "", 0)
            # A last segment of one frame may begin behind the last sound.
            counts.append(plan.segments if piece.name in done else heard)
    return min(counts, default=0)


def whole(
    plan: Plan, piece: Piece, made: Sequence[Rendition], done: Collection[str]
) -> Sequence[Rendition]:
    """Give the renditions that are whole with this piece; `done` names the pieces that have ended."""
    others = [each for each in plan.pieces if each.name not in done and each != piece]
    lacking = {rung for other in others for rung in other.rungs}
    return [each for each in made if each.name not in lacking]


def _count_seen(plan: Plan, rung: str, done: Collection[str]) -> int:
    frames = 0
    mine = [piece for piece in plan.pieces if rung in piece.rungs]
    for piece in sorted(mine, key=lambda piece: piece.first_frame):
        if piece.name not in done:
            break
        frames += piece.frames
    return plan.segments if frames == plan.frames else frames // plan.segment_frames


def begin(plan: Plan, heads: Sequence[Rendition], segments: int) -> tuple[Rendition, ...]:
    """Give the renditions that grow, from what their first pieces made, as far as they are published.

    A rung's segments are all alike and so known from the plan, but for their sizes.
    """
    by_name = {head.name: head for head in heads}
    names = [rung.name for rung in plan.rungs] + [voice.name for voice in plan.voices if not voice.twin]
    return tuple(_cut(plan, by_name[name], segments) for name in names if name in by_name)


def _cut(plan: Plan, head: Rendition, segments: int) -> Rendition:
    if not head.is_video:
        return replace(head, segments=head.segments[:segments])
    frame_ticks = int(head.timescale / plan.rate)
    starts = range(0, min(segments * plan.segment_frames, plan.frames), plan.segment_frames)
    frames = [min(plan.segment_frames, plan.frames - start) for start in starts]
    made = (Segment(n, count * frame_ticks, 0) for n, count in enumerate(frames, start=1))
    return replace(head, segments=tuple(made))


def estimate(plan: Plan) -> dict[str, Rates]:
    """Guess each rendition's rates from its caps, while nobody can measure them.

    A segment of a picture may spend the encoder's whole buffer beside its cap.
    """
    rates = {}
    for rung in plan.rungs:
        peak_bps = rung.maxrate_bps + rung.bufsize_bits / plan.segment_s
        rates[rung.name] = _guess(peak_bps, rung.maxrate_bps * AVERAGE_OF_MAXRATE)
    for voice in plan.voices:
        rates[voice.name] = _guess(Fraction(voice.bitrate_bps), Fraction(voice.bitrate_bps))
    return rates


def _guess(peak_bps: Fraction, average_bps: Fraction) -> Rates:
    return Rates(int(peak_bps * OVERHEAD), int(average_bps * OVERHEAD))
