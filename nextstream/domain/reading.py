"""How ffmpeg and ffprobe may read a source, which is untrusted: what is allowed, and its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Demuxers for real files. Playlists, scripts and image sequences can name other files, and a
# protocol whitelist doesn't keep them from it. Nor is text a picture (tty, ansi), and SVG can
# name files too. `*_pipe` read one picture from one file, unlike image2.
_MOVIES = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,live_flv,ogg,asf,mxf,gxf,dv,rm,nut,"
    "nsv,wtv,swf,ivf,obu,av1,h261,h263,h264,hevc,vvc,evc,apv,m4v,mpegvideo,mjpeg,vc1,vc1test,dirac,"
    "dnxhd,cavsvideo,yuv4mpegpipe,smjpeg,gif,apng,webp_anim,jpegxl_anim,dhav,iv8,mpjpeg"
)
_SOUNDS = (
    "wav,w64,mp3,flac,aac,loas,latm,ac3,eac3,dts,dtshd,truehd,mlp,amr,amrnb,amrwb,caf,aiff,au,ape,"
    "tta,wv,mpc,mpc8,tak,shn,voc,oma,dsf,iff,gsm,ilbc,qcp,xwma,spdif,s337m,iamf,act,dss,osq,qoa,rso"
)
_STILLS = (
    "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,gif_pipe,tiff_pipe,jpegxl_pipe,jpegls_pipe,j2k_pipe,"
    "ppm_pipe,pgm_pipe,pbm_pipe,pam_pipe,qoi_pipe,exr_pipe,hdr_pipe,dds_pipe,psd_pipe,sgi_pipe,"
    "pcx_pipe,sunrast_pipe,dpx_pipe"
)
FORMATS = ",".join((_MOVIES, _SOUNDS, _STILLS))

MAX_STREAMS = 256  # ffprobe's JSON of more takes seconds
MAX_PIXELS = 8192 * 8192  # no level of H.264 or HEVC has more; a frame of it takes 200 MB

OPTIONS: dict[str, str] = {
    "format_whitelist": FORMATS,
    # The source itself and nothing it points to: by path, or by a signed URL of the storage.
    "protocol_whitelist": "file,http,https,tcp,tls",
    "max_streams": str(MAX_STREAMS),
    # Also for pictures that are larger than the headers say.
    "max_pixels": str(MAX_PIXELS),
}

# A small file may ask for a block of any size.
MEMORY = ("-max_alloc", str(1024**3))


OVER_NETWORK: dict[str, str] = {
    # A storage that refuses a request or loses a connection is asked again, from where it broke:
    # else ffmpeg takes what it has for all there is. Tries come after 0, 1 and 3 s.
    "reconnect": "1",
    "reconnect_on_network_error": "1",
    "reconnect_on_http_error": "429,5xx",
    "reconnect_delay_max": "4",
    "rw_timeout": "30000000",  # microseconds; a storage that is gone without a word
    # Each seek leaves an answer in the middle, and the kernel would have fetched up to 30 MB of it.
    "recv_buffer_size": "1048576",
}


# What ffmpeg and ffprobe say, often without failing, when a URL can't be read to its end. What
# they found then is no truth about the source.
_UNREACHABLE = (
    "Stream ends prematurely",
    "Input/output error",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Network is unreachable",
    "Failed to resolve hostname",
    "HTTP error 5",
    "Server returned 5XX",
    "Server returned 403",  # a signed URL that ran out
)


_OF_CONNECTION = re.compile(r"\[(https?|tcp|tls) @")
_QUERY = re.compile(r"(?<=\S)\?[^\s?]*X-Amz-[^\s:]*")


def is_of(formats: str, names: frozenset[str]) -> bool:
    """Tell whether a source is of one of these formats; ffprobe may give several names of its own."""
    return not names.isdisjoint(formats.split(","))


def is_remote(command: Iterable[str]) -> bool:
    """Tell whether a command reads its source over the network."""
    return any(map(_is_url, command))


def is_unreachable(line: str) -> bool:
    """Tell a line that says so of a source that could not be read."""
    return any(said in line for said in _UNREACHABLE)


def may_go_on(line: str) -> bool:
    """Tell such a line of a connection from that of the source: it may be taken up again."""
    return _OF_CONNECTION.match(line) is not None


def without_signature(line: str) -> str:
    """Give a line without what would let its reader fetch the source: a URL ends before its query."""
    return _QUERY.sub("", line)


def words() -> list[str]:
    """Give the options as words of a command line, before `-i`."""
    return [word for option, value in OPTIONS.items() for word in (f"-{option}", value)]


def name_input(source: str) -> str:
    """Give a path or URL as ffmpeg takes it: a path can't be mistaken for an option or a pattern."""
    return source if _is_url(source) else f"file:{source}"


def over_network(command: Sequence[str]) -> list[str]:
    """Give a command, told what to do when the network fails it, where it reads a URL."""
    made: list[str] = []
    for word in command:
        if _is_url(word):
            at = len(made) - (made[-1] == "-i")
            made[at:at] = [text for name, value in OVER_NETWORK.items() for text in (f"-{name}", value)]
        made.append(word)
    return made


def _is_url(word: str) -> bool:
    return word.startswith(("http://", "https://"))
