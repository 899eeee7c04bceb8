"""Builds the platform from the settings; the only place that names adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nextstream.errors import Misconfigured
from nextstream.ports import (
    Clock,
    Database,
    Dispatcher,
    Encoder,
    EventSink,
    Limits,
    Metrics,
    Outside,
    Passwords,
    Platform,
    Protection,
    Remote,
    Scaling,
    Shift,
    SigningKeys,
    Storage,
    Tracer,
)
from nextstream.settings import Settings

if TYPE_CHECKING:
    from nextstream.adapters.toolchain import Toolchain

MEMORY = "memory://"


def build(settings: Settings, **overrides: Any) -> Platform:
    """Give the platform for these settings; keyword arguments replace single ports.

    Each vendor is imported in the branch that picks it. Call it after forking: database
    connections and Kafka producers don't survive a fork.
    """
    makers = {
        "metrics": _metrics,
        "tracer": _tracer,
        "clock": _clock,
        "storage": _storage,
        "database": _database,
        "sink": _sink,
        "dispatcher": _dispatcher,
        "encoder": _encoder,
        "passwords": _passwords,
        "outside": _outside,
        "shift": _shift,
        "remote": _remote,
        "scaling": _scaling,
        "signing_keys": _signing_keys,
        "limits": _limits,
    }
    ports: dict[str, Any] = {
        name: overrides.get(name) or make(settings) for name, make in makers.items()
    }
    return _watch(Platform(settings=settings, **ports))


def in_memory(**overrides: Any) -> Platform:
    """Give a platform of in-memory twins, for tests and for trying things out."""
    settings = Settings(
        database_url=MEMORY,
        storage_url=MEMORY,
        redis_url=MEMORY,
        kafka_servers=MEMORY,
        ffmpeg=MEMORY,
        secret_key="k" * 32,
    )
    return build(overrides.pop("settings", settings), **overrides)


def workbench(settings: Settings, folder: Path, adopted: Mapping[str, Path] | None = None) -> Platform:
    """Give a platform that keeps everything in a folder, for work without servers.

    `adopted` names files by the storage keys they are to be read under, without copying them.
    """
    from nextstream.adapters.dispatch_memory import MemoryDispatcher
    from nextstream.adapters.events_log import LogSink
    from nextstream.adapters.storage_local import LocalStorage

    places = dict.fromkeys(("database_url", "storage_url", "public_storage_url"), "")
    settings = replace(settings, data_dir=folder, **places)  # type: ignore[arg-type]  # all are str
    migrate(settings)
    storage = LocalStorage.from_url(settings.storage)
    for key, path in (adopted or {}).items():
        storage.adopt(key, path)
    return build(settings, storage=storage, sink=LogSink(), dispatcher=MemoryDispatcher())


def migrate(settings: Settings) -> None:
    """Bring the database to this version's tables; may run twice."""
    if settings.database != MEMORY:
        from nextstream.adapters.database import migrations

        migrations.migrate(settings.database)


def copy_database(settings: Settings, to: Path) -> None:
    """Copy the embedded database into a file while it is in use."""
    from nextstream.adapters.database import copying

    copying.copy(settings.database, to)


def toolchain(settings: Settings) -> Toolchain:
    """Give the ffmpeg and ffprobe an encode would use; raises Misconfigured."""
    from nextstream.adapters.toolchain import Toolchain

    return Toolchain.find(settings)


def sandbox_obstacle(settings: Settings) -> str | None:
    """Give why ffmpeg can't be shut in by bubblewrap here, or None where it can."""
    from nextstream.adapters import sandbox

    return sandbox.obstacle(toolchain(settings).ffmpeg)


def metrics(settings: Settings) -> Metrics:
    """Give what a process counts with that needs nothing else of the platform."""
    return _metrics(settings)


def _watch(platform: Platform) -> Platform:
    """Measure the storage and the database, and trace the encoder, where that is wanted."""
    settings = platform.settings
    if settings.metrics_port:
        from nextstream.adapters import storage_measured
        from nextstream.adapters.database_measured import MeasuredDatabase

        storage = storage_measured.measured(platform.storage, platform.metrics)
        database = MeasuredDatabase(platform.database, platform.metrics)
        platform = replace(platform, storage=storage, database=database)
    if settings.tracing_url:
        from nextstream.adapters.encoder_traced import TracedEncoder

        platform = replace(platform, encoder=TracedEncoder(platform.encoder, platform.tracer))
    return platform


def _metrics(settings: Settings) -> Metrics:
    if settings.database == MEMORY:
        from nextstream.adapters.telemetry_memory import MemoryMetrics

        return MemoryMetrics()
    if not settings.metrics_port:
        from nextstream.adapters.telemetry_none import NoMetrics

        return NoMetrics()
    from nextstream.adapters.telemetry_prometheus import PrometheusMetrics

    return PrometheusMetrics(settings.metrics_folder, settings.metrics_host, settings.metrics_port)


def _tracer(settings: Settings) -> Tracer:
    if not settings.tracing_url:
        from nextstream.adapters.telemetry_none import NoTracer

        return NoTracer()
    try:
        from nextstream.adapters.telemetry_otel import OtelTracer
    except ImportError as error:
        raise Misconfigured(
            "NEXTSTREAM_TRACING_URL needs OpenTelemetry: pip install -r requirements-tracing.txt"
        ) from error

    return OtelTracer(settings.tracing_url, settings.tracing_ratio)


def protection(settings: Settings) -> Protection:
    """Give what protects this process's worker from being scaled in."""
    if settings.ecs_agent_uri:
        from nextstream.adapters.protection_ecs import EcsProtection

        return EcsProtection(settings.ecs_agent_uri)
    from nextstream.adapters.protection_memory import MemoryProtection

    return MemoryProtection()


def _clock(_: Settings) -> Clock:
    from nextstream.adapters.clock import SystemClock

    return SystemClock()


def _storage(settings: Settings) -> Storage:
    if not settings.public_storage_url:
        return _open_storage(settings.storage)
    from nextstream.adapters.storage_split import SplitStorage

    return SplitStorage(
        _open_storage(settings.storage), _open_storage(settings.public_storage_url, "PUBLIC_STORAGE_URL")
    )


def _open_storage(url: str, name: str = "STORAGE_URL") -> Storage:
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        from nextstream.adapters.storage_memory import MemoryStorage

        return MemoryStorage()
    if scheme == "file":
        from nextstream.adapters.storage_local import LocalStorage

        return LocalStorage.from_url(url)
    if scheme == "s3":
        from nextstream.adapters.storage_s3 import S3Storage

        return S3Storage.from_url(url)
    raise Misconfigured(f"NEXTSTREAM_{name} must start with file:// or s3://.")


def _database(settings: Settings) -> Database:
    if settings.database == MEMORY:
        from nextstream.adapters.database_memory import MemoryDatabase

        return MemoryDatabase()
    from nextstream.adapters.database import SqlDatabase

    return SqlDatabase(settings.database)


def _sink(settings: Settings) -> EventSink:
    if settings.kafka_servers == MEMORY:
        from nextstream.adapters.events_memory import MemorySink

        return MemorySink()
    if settings.kafka_servers:
        from nextstream.adapters.events_kafka import KafkaSink, Topic

        return KafkaSink(
            settings.kafka_servers,
            Topic(settings.kafka_topic, settings.kafka_partitions, settings.kafka_retention_s),
            security=_kafka_security(settings),
        )
    from nextstream.adapters.events_log import LogSink

    return LogSink()


def _kafka_security(settings: Settings) -> dict[str, str]:
    """Give librdkafka's names for how Kafka is reached; raises Misconfigured."""
    protocol = settings.kafka_security.lower()
    if protocol not in ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"):
        raise Misconfigured("NEXTSTREAM_KAFKA_SECURITY is plaintext, ssl, sasl_plaintext or sasl_ssl.")
    options = {"security.protocol": protocol}
    if settings.kafka_ca:
        options["ssl.ca.location"] = settings.kafka_ca
    if protocol.startswith("sasl"):
        options |= {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password,
        }
    return options


def _dispatcher(settings: Settings) -> Dispatcher:
    if settings.redis_url == MEMORY:
        from nextstream.adapters.dispatch_memory import MemoryDispatcher

        return MemoryDispatcher()
    from nextstream.adapters.dispatch_celery import CeleryDispatcher

    return CeleryDispatcher(settings.redis_url)


def _encoder(settings: Settings) -> Encoder:
    if settings.ffmpeg == MEMORY:
        from nextstream.adapters.encoder_memory import MemoryEncoder

        return MemoryEncoder()
    if settings.ffmpeg.startswith("standin:"):
        from nextstream.adapters.encoder_standin import StandInEncoder

        return StandInEncoder.from_url(settings.ffmpeg)
    from nextstream.adapters.encoder import FfmpegEncoder

    return FfmpegEncoder(settings)


def _shift(_: Settings) -> Shift:
    from nextstream.adapters.clock import EndlessShift

    return EndlessShift()


def _remote(settings: Settings) -> Remote:
    if settings.database == MEMORY:
        from nextstream.adapters.remote_memory import MemoryRemote

        return MemoryRemote()
    from nextstream.adapters.remote_http import HttpRemote

    return HttpRemote(settings.ports_of_imports, settings.networks_of_imports)


def _scaling(settings: Settings) -> Scaling:
    if settings.scaling_url in ("", MEMORY):
        from nextstream.adapters.scaling_memory import MemoryScaling

        return MemoryScaling()
    if urlsplit(settings.scaling_url).scheme == "cloudwatch":
        from nextstream.adapters.scaling_cloudwatch import CloudWatchScaling

        return CloudWatchScaling.from_url(settings.scaling_url)
    raise Misconfigured("NEXTSTREAM_SCALING_URL must start with cloudwatch://.")


def _passwords(settings: Settings) -> Passwords:
    if settings.database == MEMORY:
        from nextstream.adapters.credentials import PlainPasswords

        return PlainPasswords()
    from nextstream.adapters.credentials import ArgonPasswords

    return ArgonPasswords()


def _outside(settings: Settings) -> Outside:
    if settings.redis_url == MEMORY:
        from nextstream.adapters.outside_memory import MemoryOutside

        return MemoryOutside()
    from nextstream.adapters.outside import PublicWeb

    return PublicWeb(private=settings.outside_private)


def _signing_keys(settings: Settings) -> SigningKeys:
    if settings.auth_url:
        from nextstream.adapters.signing_remote import RemoteSigningKeys

        return RemoteSigningKeys(settings.auth_url, settings.keys_cache_s)
    if settings.database == MEMORY:
        from nextstream.adapters.signing_memory import MemorySigningKeys

        return MemorySigningKeys(settings.access_token_s, _clock(settings))
    from nextstream.adapters.signing_folder import FolderSigningKeys

    return FolderSigningKeys(settings.keys, settings.access_token_s, _clock(settings))


def _limits(settings: Settings) -> Limits:
    if settings.redis_url == MEMORY:
        from nextstream.adapters.limits_memory import MemoryLimits

        return MemoryLimits()
    from nextstream import queue
    from nextstream.adapters.limits_redis import RedisLimits

    return RedisLimits(queue.client_url(settings.redis_url))
