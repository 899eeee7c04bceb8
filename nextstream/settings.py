"""All settings, each with its default and its meaning; they and remote_settings read the environment.

docs/settings.md is made of this file by settings_page.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from nextstream import machine, remote_settings
from nextstream.domain.remote_urls import Network
from nextstream.domain.video import Encryption
from nextstream.errors import Misconfigured
from nextstream.remote_settings import read_file

PREFIX = remote_settings.PREFIX
# Variables that others set, and the settings they are for.
ADOPTED = {"ECS_AGENT_URI": "ecs_agent_uri"}
CODECS = ("h264", "hevc", "av1")


def _set(default: Any, doc: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"doc": doc, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """Everything an operator can choose; empty strings mean "not used" or "worked out"."""

    data_dir: Path = _set(Path("data"), "Folder for everything kept on this machine.")
    database_url: str = _set("", "SQLAlchemy URL of the database; empty is SQLite in the data folder.")
    storage_url: str = _set(
        "",
        "Where videos are kept: `file:///folder`, or "
        "`s3://bucket/prefix?endpoint=http://host:port&region=us-east-1`; "
        "empty is a folder in the data folder.",
    )
    public_storage_url: str = _set(
        "",
        "Where the files of encodes are kept, which players fetch, if apart from sources and uploads; "
        "as the other one.",
    )
    redis_url: str = _set(
        "", "Redis of the task queue; empty lets `nextstream up` start its own in the data folder."
    )
    kafka_servers: str = _set(
        "", "Kafka's bootstrap servers, `host:port,...`; empty keeps events in the database alone."
    )
    kafka_topic: str = _set("nextstream.events", "Topic of the lifecycle events.")
    kafka_security: str = _set(
        "plaintext", "How Kafka is reached: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`."
    )
    kafka_mechanism: str = _set("SCRAM-SHA-512", "How we log in to Kafka, where it wants that.")
    kafka_user: str = _set("", "Name we log in to Kafka with.")
    kafka_password: str = _set("", "Password we log in to Kafka with.", secret=True)
    kafka_ca: str = _set("", "File of the authority behind Kafka's certificates; empty is the system's.")
    kafka_partitions: int = _set(6, "Partitions of the topic, where it isn't there yet and we make it.")
    kafka_retention_s: int = _set(7 * 86400, "Seconds Kafka keeps events in a topic that we make.")
    events_kept_s: int = _set(
        30 * 86400,
        "Seconds the database keeps an event, two days at the least; Kafka can be away for so long.",
    )
    audit_kept_s: int = _set(
        400 * 86400, "Seconds a line of the audit log is kept; 0 keeps them for ever."
    )
    host: str = _set("127.0.0.1", "Address that `nextstream up` listens on.")
    port: int = _set(8000, "Port that `nextstream up` listens on.")
    public_url: str = _set("", "Address users reach the gateway at; empty takes it from each request.")
    cors_origins: str = _set(
        "",
        "Sites whose pages may use the API and direct upload URLs, `https://a.example,...`; `*`: any. "
        "Logins by cookie stay with our own pages.",
    )
    auth_url: str = _set("", "Address of the auth service; empty mounts it in the gateway.")
    upload_url: str = _set("", "Address of the upload service; empty mounts it in the gateway.")
    streaming_url: str = _set("", "Address of the streaming service; empty mounts it in the gateway.")
    flower_url: str = _set("", "Address of Flower, shown to operators at /flower; empty hides it.")
    services: str = _set("auth,upload,streaming", "Services that `web.wsgi` runs in its process.")
    web_workers: int = _set(2, "Web server processes that `nextstream up` starts.")
    web_threads: int = _set(
        320, "Threads, so requests at once, of each web server process; a slow upload holds one."
    )
    trusted_hops: int = _set(
        0, "Proxies of your own in front of the gateway, whose X-Forwarded-* headers are believed."
    )
    secret_key: str = _set(
        "",
        "Key that signs playback tickets, 32 characters or more; empty makes one and keeps it in the "
        "data folder.",
        secret=True,
    )
    encryption: str = _set(
        "none",
        "How segments of new encodes are stored and sent: `none` or `aes-128`, whose keys are sealed by "
        "`secret_key`; an upload or re-encode may choose.",
    )
    delivery: str = _set(
        "through",
        "Where players fetch segments: `through` us, from `s3` by signed URLs, or from a `cdn`.",
    )
    cdn_url: str = _set("", "Address of a CDN in front of the storage: `https://cdn.example/folder`.")
    access_token_s: int = _set(900, "Seconds an access token is valid.")
    refresh_token_s: int = _set(
        14 * 86400, "Seconds a login may go unused, and so a refresh token is valid."
    )
    session_s: int = _set(30 * 86400, "Seconds after which a login ends, however much it is used.")
    keys_dir: str = _set(
        "",
        "Private folder of the keys that sign access tokens, for the auth service alone; empty is "
        "a folder in the data folder.",
    )
    keys_cache_s: int = _set(
        300, "Seconds services keep the public keys; a new key begins to sign after them."
    )
    login_tries: int = _set(
        5, "Failed logins of one name without a wait; then the wait doubles each time."
    )
    login_address_tries: int = _set(50, "Failed logins from one address without a wait.")
    login_wait_max_s: int = _set(900, "Longest wait after a failed login, in seconds.")
    limit_login: str = _set(
        "120/60", "Logins and refreshes an address may ask for, `times/seconds`; empty for no limit."
    )
    limit_register: str = _set("30/3600", "Accounts an address may register.")
    limit_uploads: str = _set("600/60", "Uploads an account or API key may begin.")
    limit_api: str = _set("6000/60", "Requests of all kinds an account or API key may make.")
    secure_cookies: bool = _set(
        default=False, doc="Send cookies over HTTPS only; set it wherever TLS is used."
    )
    registration: str = _set(
        "open", "`open` lets anyone register, `closed` only operators add accounts."
    )
    outside_private: bool = _set(
        default=False,
        doc="Let webhooks reach private addresses too; only where no user is a stranger.",
    )
    webhook_claim_s: float = _set(
        300.0, "Seconds after which a webhook whose worker is gone is given to another one."
    )
    upload_max_bytes: int = _set(64 * 1024**3, "Largest file that is accepted, in bytes.")
    upload_expires_s: int = _set(
        86400, "Seconds without a byte after which an unfinished upload is removed."
    )
    imports: bool = _set(
        default=False, doc="Let accounts name URLs, from which workers fetch videos; never from inside."
    )
    import_ports: str = _set("80,443", "Ports that URLs of imports may have.")
    import_networks: str = _set(
        "", "Networks inside that URLs of imports may lead to all the same, `10.1.0.0/16,...`."
    )
    direct_expires_s: int = _set(3600, "Longest time that a direct upload URL is good for, in seconds.")
    quota_bytes: int = _set(0, "Bytes an account may have here, uploads under way included; 0: any.")
    quota_minutes: int = _set(0, "Minutes of video an account may have here; 0: any.")
    quota_uploads: int = _set(0, "Uploads an account may have under way at once; 0: any.")
    source_max_s: int = _set(12 * 3600, "Longest video that is accepted, in seconds.")
    source_max_pixels: int = _set(
        36_000_000, "Largest picture that is accepted, in pixels, up to 67,108,864."
    )
    source_max_rate: int = _set(
        1000, "Most frames per second that are accepted; above 60 some are left out."
    )
    source_max_gap_s: int = _set(600, "Longest time without a new picture that is accepted, in seconds.")
    source_max_streams: int = _set(64, "Most tracks of all kinds that a file may hold, up to 256.")
    heights: str = _set(
        "2160,1440,1080,720,480,360,240", "Short sides of the rungs, in pixels; none is above the first."
    )
    top_rungs: int = _set(
        2, "Rungs of the largest picture from 720 up, or of one alone; the second has a lower rate."
    )
    codecs: str = _set(
        "h264", "Codecs of the picture, each a ladder of its own: `h264`, `hevc` and `av1`, with commas."
    )
    hevc_preset: str = _set("veryfast", "Preset of x265, as `preset`.")
    av1_preset: str = _set("9", "Preset of SVT-AV1: lower is slower and smaller.")
    preset: str = _set("veryfast", "Preset of x264: slower is smaller.")
    crf: int = _set(23, "Constant rate factor of x264: lower is better and larger.")
    chunk_s: int = _set(24, "Longest chunk that one worker encodes at a time, in seconds.")
    previews: bool = _set(default=True, doc="Make a poster and a storyboard of every video.")
    thumbnails_at_once: int = _set(
        2, "Thumbnails that each web server process decodes at once; 0 makes none."
    )
    downloads: bool = _set(default=True, doc="Offer every rendition as one MP4 file to download.")
    worker_slots: int = _set(0, "Pieces a worker encodes at once; 0 takes one per core.")
    encoder_threads: int = _set(0, "Threads of each rung's encoder; 0 shares the cores among the slots.")
    slot_memory_bytes: int = _set(
        1024**3, "Memory one piece may need; a worker has no more slots than fit into its own."
    )
    lease_s: int = _set(
        10, "Seconds without a heartbeat after which a piece is given to another worker."
    )
    piece_attempts: int = _set(3, "Times a piece is tried before its video fails.")
    patience_s: float = _set(
        300.0, "Seconds a piece waits for a storage or database that is away, before it's given back."
    )
    keep_failed_s: int = _set(
        86400, "Seconds a failed video keeps what was encoded, so that a retry can go on from there."
    )
    keep_old_s: int = _set(
        3600, "Seconds the encode before a re-encode is kept, for those who are watching it."
    )
    reconcile_every_s: float = _set(1.0, "Seconds between two looks for work that was lost.")
    relay_every_s: float = _set(1.0, "Seconds between two looks for events to send to Kafka.")
    stop_s: float = _set(
        10.0,
        "Seconds a stopping worker goes on with pieces that end by then; keep it some seconds below "
        "what it is given, which is 10 with Docker, and 120 with ECS and Spot.",
    )
    scaling_url: str = _set(
        "",
        "Who is told how much encode work waits, to start and stop workers by it: "
        "`cloudwatch://CLUSTER/SERVICE?region=eu-central-1`; empty for nobody.",
    )
    scaling_every_s: float = _set(15.0, "Seconds between two looks at how much work waits.")
    scaling_slots: int = _set(1, "Slots a worker has that is started, as long as none is there to ask.")
    ecs_agent_uri: str = _set(
        "",
        "Address of ECS's agent, which a worker with work asks not to be scaled in; ECS sets it as "
        "`ECS_AGENT_URI`.",
    )
    encode_max_factor: int = _set(
        200, "Longest a piece may be encoded, in times of its length, besides ten minutes."
    )
    encode_stall_s: int = _set(600, "Seconds without progress after which an encode is stopped.")
    encode_max_memory_bytes: int = _set(
        16 * 1024**3, "Address space of one ffmpeg; it uses far less, but threads reserve much."
    )
    sandbox_required: bool = _set(
        default=False, doc="Refuse to read files where bubblewrap doesn't work to shut ffmpeg in."
    )
    scratch_dir: str = _set("", "Folder for chunks in work; empty is the system's temporary folder.")
    alive_file: str = _set(
        "", "File that a worker touches every two seconds, for health checks; empty touches none."
    )
    ffmpeg: str = _set(
        "",
        "Path of ffmpeg; empty takes the system's when it can all, else the wheel's. "
        "`standin://?duration_s=3600&speed=1` only takes the time, to measure a fleet.",
    )
    ffprobe: str = _set("", "Path of ffprobe; empty takes the system's, else the wheel's.")
    metrics_port: int = _set(
        0, "Port where one process of each machine or container answers Prometheus; 0 measures nothing."
    )
    metrics_host: str = _set(
        "127.0.0.1", "Address of that port; whoever reaches it reads all, so never a public one."
    )
    metrics_dir: str = _set(
        "", "Folder where a machine's processes count together; empty is one in the data folder."
    )
    tracing_url: str = _set(
        "",
        "Collector that gets traces by OTLP/HTTP, `http://collector:4318`; empty: none are made.",
    )
    tracing_ratio: float = _set(
        1.0, "Share of the traces that is kept, where no trusted proxy has decided it."
    )
    log_level: str = _set("INFO", "Least level that is logged: DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _set("text", "`text` for people, `json` for machines.")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read NEXTSTREAM_* variables; NAME_FILE names a file that holds the value.

        Raises Misconfigured for a value that can't be understood or a name that doesn't exist.
        """
        env = os.environ if environ is None else environ
        known = {f.name: f for f in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in env.items():
            name = ADOPTED.get(variable) or variable.removeprefix(PREFIX).lower()
            if not (variable.startswith(PREFIX) or variable in ADOPTED) or name.startswith("test_"):
                continue
            if name.removesuffix("_file") in remote_settings.NAMES:
                continue
            value = text
            if name.endswith("_file") and name.removesuffix("_file") in known:
                name, value = name.removesuffix("_file"), read_file(variable, text)
            if name not in known:
                raise Misconfigured(f"{variable} is no setting; docs/settings.md lists them all.")
            values[name] = _convert(variable, value, known[name])
        return cls(**values)

    @property
    def database(self) -> str:
        """Give the database's URL, worked out where it isn't set."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute()}/nextstream.db"

    @property
    def storage(self) -> str:
        """Give the storage's URL, worked out where it isn't set."""
        return self.storage_url or (self.data_dir.absolute() / "media").as_uri()

    @property
    def keys(self) -> Path:
        """Give the folder of the signing keys."""
        return Path(self.keys_dir) if self.keys_dir else self.data_dir.absolute() / "keys"

    @property
    def metrics_folder(self) -> Path:
        """Give the folder that all processes of this machine count in."""
        return Path(self.metrics_dir) if self.metrics_dir else self.data_dir.absolute() / "metrics"

    @property
    def slots(self) -> int:
        """Give the pieces a worker encodes at once: one per core, as its memory allows, unless set."""
        fit = max(1, machine.memory_bytes() // max(1, self.slot_memory_bytes))
        return self.worker_slots or min(machine.cores(), fit)

    @property
    def seats_each(self) -> int:
        """Give the requests that may be with one service at once: it can't take all threads."""
        return max(1, self.web_threads * 3 // 4)

    @property
    def threads_each(self) -> int:
        """Give the threads of each rung's encoder, so that all slots together fill the cores."""
        return self.encoder_threads or max(1, machine.cores() // self.slots)

    @property
    def uploads_each(self) -> int:
        """Give the uploads a web server process takes at once: each holds one of its threads."""
        return max(1, self.web_threads * 7 // 10)

    @property
    def streams_each(self) -> int:
        """Give the event streams a web server process keeps open: a quarter of its threads."""
        return max(1, self.web_threads // 4)

    @property
    def ports_of_imports(self) -> frozenset[int]:
        """Give the ports that URLs of imports may have; raises Misconfigured."""
        words = [word.strip() for word in self.import_ports.split(",")]
        if not all(word.isdigit() for word in words):
            raise Misconfigured(f"{PREFIX}IMPORT_PORTS must be numbers with commas, as 80,443.")
        return frozenset(map(int, words))

    @property
    def networks_of_imports(self) -> tuple[Network, ...]:
        """Give the networks inside that imports may reach; raises Misconfigured."""
        words = [word.strip() for word in self.import_networks.split(",") if word.strip()]
        try:
            return tuple(map(ipaddress.ip_network, words))
        except ValueError as error:
            raise Misconfigured(f"{PREFIX}IMPORT_NETWORKS must be networks, as 10.1.0.0/16.") from error

    @property
    def sides(self) -> tuple[int, ...]:
        """Give the ladder's short sides; raises Misconfigured where they are no even numbers."""
        words = self.heights.split(",")
        if not all(word.strip().isdigit() and int(word) % 2 == 0 for word in words):
            raise Misconfigured(f"{PREFIX}HEIGHTS must be even numbers with commas, as 1080,720,360.")
        return tuple(int(word) for word in words)

    @property
    def encrypts(self) -> bool:
        """Tell whether new encodes are encrypted; raises Misconfigured."""
        if self.encryption not in list(Encryption):
            raise Misconfigured(f"{PREFIX}ENCRYPTION must be {' or '.join(Encryption)}.")
        return self.encryption != Encryption.NONE

    def check_delivery(self) -> None:
        """Raise Misconfigured where players can't be sent to where they are to be sent."""
        if self.delivery not in ("through", "s3", "cdn"):
            raise Misconfigured(f"{PREFIX}DELIVERY must be through, s3 or cdn.")
        if self.delivery == "s3" and not (self.public_storage_url or self.storage).startswith("s3://"):
            raise Misconfigured(
                f"{PREFIX}DELIVERY=s3 needs a {PREFIX}STORAGE_URL that begins with s3://."
            )
        if self.delivery == "cdn" and not self.cdn_url.startswith(("https://", "http://")):
            raise Misconfigured(f"{PREFIX}DELIVERY=cdn needs a {PREFIX}CDN_URL, as https://cdn.example.")

    @property
    def codec_names(self) -> tuple[str, ...]:
        """Give the picture's codecs, H.264 first; raises Misconfigured for others or none."""
        chosen = {word.strip() for word in self.codecs.split(",")}
        if not chosen or not chosen <= set(CODECS):
            raise Misconfigured(f"{PREFIX}CODECS must be of h264, hevc and av1, with commas.")
        return tuple(name for name in CODECS if name in chosen)


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "Path": Path,
    "bool": lambda text: {"1": True, "true": True, "0": False, "false": False}[text.lower()],
}


def _convert(variable: str, text: str, setting: Field[Any]) -> Any:
    try:
        return _CONVERTERS[str(setting.type)](text)
    except (ValueError, KeyError) as error:
        raise Misconfigured(f"{variable} is {text!r}, which is no {setting.type}.") from error
