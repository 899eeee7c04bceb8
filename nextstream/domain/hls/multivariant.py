"""The multivariant playlist: what a player chooses of, by picture, sound and subtitles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nextstream.domain import labels, paths
from nextstream.domain.hls.playlists import VERSION
from nextstream.domain.hls.rates import Rates, bandwidth, iframe_bandwidth, target_s
from nextstream.domain.source import Purpose
from nextstream.domain.video import Rendition

FIRST_BPS = 2_000_000  # 1.32: the variant that is listed, and so tried, first
VARIANT = "#EXT-X-STREAM-INF:"
IFRAME_VARIANT = "#EXT-X-I-FRAME-STREAM-INF:"
SUBTITLES = "text"  # the one group of subtitles
FAMILIES = ("avc1", "hvc1", "av01")

CHARACTERISTICS = {  # 4.5, 4.6; RFC 8216, 4.3.4.1
    Purpose.DESCRIPTION: "public.accessibility.describes-video",
    Purpose.CLARITY: "public.accessibility.enhances-speech-intelligibility",
    Purpose.CAPTIONS: "public.accessibility.transcribes-spoken-dialog,"
    "public.accessibility.describes-music-and-sound",
}


@dataclass(frozen=True)
class _Group:
    """Audio tracks a player chooses one of; `id` is empty where there is nothing to choose.

    `names` are those of all groups' tracks, which have to be the same (RFC 8216, 4.3.4.2.1).
    """

    id: str
    voices: tuple[Rendition, ...]
    names: tuple[str, ...]
    rates: Rates


_SILENCE = _Group("", (), (), Rates(0, 0))


def master(
    renditions: Sequence[Rendition],
    rate: Fraction,
    prefix: str = "",
    estimates: Mapping[str, Rates] | None = None,
    *,
    encrypted: bool = False,
) -> str:
    """Write the multivariant playlist; `prefix`, such as `v1/`, stands before each URI.

    `estimates` replace measured rates, by rendition name, while it isn't known what will come;
    a rendition with an estimate has no I-frame variant yet. Nor has one that is `encrypted`: a whole
    segment is, and a keyframe inside it can't be decrypted by itself (RFC 8216, 5.2).
    """
    guesses, target = estimates or {}, target_s(renditions)
    rates = {r.name: guesses.get(r.name) or bandwidth(r, target) for r in renditions if not r.is_text}
    rungs = [r for r in renditions if r.is_video]
    texts = [r for r in renditions if r.is_text]
    groups = _groups([r for r in renditions if r.is_audio], rates, alone=not rungs)
    # Stereo variants come first: every player can play them (9.17: from general to specific).
    variants = [
        line
        for group in groups
        for line in (_pictures(rungs, group, rates, rate, prefix) if rungs else _sound(group, prefix))
    ]
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [line for group in groups for line in _audio_tags(group, prefix)]
    lines += _text_tags(texts, prefix)
    lines += [_with_subtitles(line) for line in variants] if texts else variants
    scrubbed = [] if encrypted else [r for r in rungs if r.name not in guesses]
    lines += [_iframe_variant(r, target, prefix) for r in scrubbed]
    return "\n".join([*lines, ""])


def _groups(voices: Sequence[Rendition], rates: Mapping[str, Rates], *, alone: bool) -> list[_Group]:
    """Group audio by layout (9.6), fewest channels first; one silent group where there is none.

    Each group has all tracks, so one without surround sound is in that group as stereo.
    """
    if not voices:
        return [_SILENCE]
    twins = {(voice.twin, voice.channels): voice for voice in voices if voice.twin}
    tracks = [voice for voice in voices if not voice.twin]
    layouts = dict.fromkeys((min(track.channels for track in tracks), *(c for _, c in sorted(twins))))
    names = labels.names(tracks)
    groups = []
    for channels in layouts:
        members = tuple(twins.get((track.name, channels), track) for track in tracks)
        named = "" if alone and len(voices) == 1 else f"audio-{channels}"
        groups.append(_Group(named, members, names, _worst([rates[voice.name] for voice in members])))
    return groups


def _worst(rates: Sequence[Rates]) -> Rates:
    """Give the rates that cover any one of these (9.13)."""
    return Rates(max(r.peak_bps for r in rates), max(r.average_bps for r in rates))


def _audio_tags(group: _Group, prefix: str) -> Iterator[str]:
    """Describe a group's tracks: the default one, and the automatic choice of each kind."""
    if not group.id:
        return
    default = default_sound(group.voices)
    automatic = _automatic(group.voices, default)
    for voice, name in zip(group.voices, group.names, strict=True):
        attributes = {
            "DEFAULT": _yes(voice is default),
            "AUTOSELECT": _yes(voice in automatic),
            "CHANNELS": f'"{voice.channels}"',
        }
        yield _media_tag("AUDIO", group.id, voice, name, attributes, prefix)


def _text_tags(texts: Sequence[Rendition], prefix: str) -> Iterator[str]:
    """Describe subtitles; none is the default: who wants them asks, or has said so to the player."""
    automatic = _automatic(texts, None)
    for text, name in zip(texts, labels.names(texts), strict=True):
        attributes = {
            "DEFAULT": "NO",
            "AUTOSELECT": _yes(text in automatic),
            "FORCED": _yes(text.purpose is Purpose.FORCED),
        }
        yield _media_tag("SUBTITLES", SUBTITLES, text, name, attributes, prefix)


def _media_tag(
    kind: str, group: str, track: Rendition, name: str, attributes: Mapping[str, str], prefix: str
) -> str:
    stated = {
        "TYPE": kind,
        "GROUP-ID": f'"{group}"',
        "LANGUAGE": f'"{labels.language(track.language)}"',
        "NAME": f'"{name}"',
        **attributes,
    }
    if track.purpose in CHARACTERISTICS:
        stated["CHARACTERISTICS"] = f'"{CHARACTERISTICS[track.purpose]}"'
    return "#EXT-X-MEDIA:" + _list({**stated, "URI": f'"{prefix}{track.name}/{paths.PLAYLIST}"'})


def default_sound(voices: Sequence[Rendition]) -> Rendition:
    """Give what is played unasked: what the source says, else the first that isn't for a special use."""
    return min(voices, key=lambda voice: (voice.purpose is not Purpose.MAIN, not voice.is_default))


def _automatic(tracks: Sequence[Rendition], default: Rendition | None) -> list[Rendition]:
    """Give one track of each language and purpose, for players to choose of; no commentary."""
    chosen: dict[tuple[str, Purpose], Rendition] = {}
    for track in [*([default] if default else []), *tracks]:
        if track is default or track.purpose is not Purpose.COMMENTARY:
            chosen.setdefault((labels.language(track.language), track.purpose), track)
    return list(chosen.values())


def _yes(value: bool) -> str:  # noqa: FBT001  the word for it
    return "YES" if value else "NO"


def _pictures(
    rungs: Sequence[Rendition], group: _Group, rates: Mapping[str, Rates], rate: Fraction, prefix: str
) -> Iterator[str]:
    """Describe each rung with a group of sound: the one nearest FIRST_BPS, then the largest on down.

    Codecs come one after the other, the one that most players can show first.
    """
    total = {
        rung.name: Rates(
            rates[rung.name].peak_bps + group.rates.peak_bps,
            rates[rung.name].average_bps + group.rates.average_bps,
        )
        for rung in rungs
    }
    first = min(rungs, key=lambda rung: (rank(rung), abs(total[rung.name].average_bps - FIRST_BPS)))
    for rung in sorted(
        rungs,
        key=lambda r: (r is not first, rank(r), -r.width * r.height, -total[r.name].peak_bps),
    ):
        picture = {
            "RESOLUTION": f"{rung.width}x{rung.height}",
            "FRAME-RATE": f"{float(rate):.3f}",
        }
        yield _variant(total[rung.name], [rung, *group.voices], group, picture)
        yield f"{prefix}{rung.name}/{paths.PLAYLIST}"


def rank(rung: Rendition) -> int:
    """Give the place of a rung's codec: those that most players can show come first (9.17)."""
    return FAMILIES.index(rung.family) if rung.family in FAMILIES else len(FAMILIES)


def _sound(group: _Group, prefix: str) -> Iterator[str]:
    """Describe a group of sound alone; its default track stands for it."""
    if group.voices:
        yield _variant(group.rates, group.voices, group, {})
        yield f"{prefix}{default_sound(group.voices).name}/{paths.PLAYLIST}"


def _variant(
    rates: Rates, tracks: Sequence[Rendition], group: _Group, picture: Mapping[str, str]
) -> str:
    # Each codec once: a repeated one broke hls.js (its issue 6337). Without any it loses the sound.
    codecs = dict.fromkeys(track.codec for track in tracks)
    attributes = {**_rates(rates), "CODECS": f'"{",".join(codecs)}"', **picture}
    if group.id:
        attributes["AUDIO"] = f'"{group.id}"'
    # 4.4: CEA-608 and 708 in a source's pictures are not taken over.
    return VARIANT + _list({**attributes, "CLOSED-CAPTIONS": "NONE"})


def _with_subtitles(line: str) -> str:
    return f'{line},SUBTITLES="{SUBTITLES}"' if line.startswith(VARIANT) else line


def _iframe_variant(rung: Rendition, target_s: int, prefix: str) -> str:
    attributes = {
        **_rates(iframe_bandwidth(rung, target_s)),
        "CODECS": f'"{rung.codec}"',
        "RESOLUTION": f"{rung.width}x{rung.height}",
        "URI": f'"{prefix}{rung.name}/{paths.IFRAMES}"',
    }
    return IFRAME_VARIANT + _list(attributes)


def _rates(rates: Rates) -> dict[str, str]:
    return {"BANDWIDTH": str(rates.peak_bps), "AVERAGE-BANDWIDTH": str(rates.average_bps)}


def _list(attributes: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in attributes.items())
