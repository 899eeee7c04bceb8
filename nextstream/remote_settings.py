"""Settings of the commands that speak to a server, which need nothing of an installation's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nextstream.errors import Misconfigured

PREFIX = "NEXTSTREAM_"
NAMES = ("url", "api_key")

PAGE = """
## For commands that speak to a server

`nextstream upload`, `list` and the like are at home on any machine and read only these.

| Variable | Meaning |
| --- | --- |
| `NEXTSTREAM_URL` | Address of the server; without it that of the last `nextstream login`. |
| `NEXTSTREAM_API_KEY` | API key to use there in place of a login. |
| `XDG_CONFIG_HOME` | The login is in `nextstream/login.json` below it; without it below `~/.config`. |
| `XDG_STATE_HOME` | Uploads to go on with are in `nextstream` below it; else `~/.local/state`. |
"""


@dataclass(frozen=True)
class Remote:
    """The server that commands such as `upload` speak to, and where they keep what they remember."""

    url: str
    api_key: str
    login_file: Path
    state_dir: Path

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read them, and the folders of the XDG base directory specification; raises Misconfigured."""
        env = os.environ if environ is None else environ
        key, file = f"{PREFIX}API_KEY", f"{PREFIX}API_KEY_FILE"
        config = Path(env.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        state = Path(env.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
        return cls(
            env.get(f"{PREFIX}URL", "").rstrip("/"),
            read_file(file, env[file]) if file in env else env.get(key, ""),
            config / "nextstream" / "login.json",
            state / "nextstream",
        )


def read_file(variable: str, path: str) -> str:
    """Give what the file holds that a variable names; raises Misconfigured."""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise Misconfigured(
            f"{variable} names {path}, which can't be read: {error.strerror}."
        ) from error
