"""How ffmpeg and ffprobe may read a source, which is untrusted: what is allowed, and its name."""

from __future__ import annotations

# Demuxers for real files. Playlists, scripts and image sequences can name other files, and a
# protocol whitelist doesn't keep them from it.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,"
    "wav,mp3,flac,aac,ac3,h264,hevc,m4v,mpegvideo,ivf,obu,mxf,gxf,dv,rm,caf,aiff,amr"
)

OPTIONS: dict[str, str] = {
    "format_whitelist": FORMATS,
    # The source itself and nothing it points to: by path, or by a signed URL of the storage.
    "protocol_whitelist": "file,http,https,tcp,tls",
}


def name_input(source: str) -> str:
    """Give a path or URL as ffmpeg takes it: a path can't be mistaken for an option or a pattern."""
    return source if source.startswith(("http://", "https://")) else f"file:{source}"
