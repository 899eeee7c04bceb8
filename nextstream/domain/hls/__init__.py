"""HLS playlists after RFC 8216 and Apple's HLS Authoring Specification; text out, nothing is read.

Numbers like 9.14 in this package are rules of the authoring specification.
"""

from nextstream.domain.hls.filtering import filter_master
from nextstream.domain.hls.multivariant import default_sound, master, rank
from nextstream.domain.hls.playlists import iframes, media, text
from nextstream.domain.hls.rates import (
    Gop,
    Rates,
    bandwidth,
    gops,
    iframe_bandwidth,
    longest_s,
    target_s,
)

__all__ = [
    "Gop",
    "Rates",
    "bandwidth",
    "default_sound",
    "filter_master",
    "gops",
    "iframe_bandwidth",
    "iframes",
    "longest_s",
    "master",
    "media",
    "rank",
    "target_s",
    "text",
]
