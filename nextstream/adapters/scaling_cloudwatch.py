"""Tells CloudWatch the load of a service of ECS, whose policies start and stop its tasks by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from nextstream.domain.backlog import Load
from nextstream.errors import Misconfigured, ScalingUnavailable

NAMESPACE = "NextStream"
RESOLUTION_S = 1  # so that an alarm may look every ten or thirty seconds; the others look each minute
_SETTINGS = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})


class CloudWatchScaling:
    """One service of a cluster; its metrics have both names as dimensions."""

    def __init__(self, cloudwatch: Any, ecs: Any, cluster: str, service: str) -> None:
        self._cloudwatch, self._ecs, self._cluster, self._service = cloudwatch, ecs, cluster, service

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Open `cloudwatch://CLUSTER/SERVICE?region=eu-central-1`; raises Misconfigured.

        The region may be left out; it and the keys are found as all of AWS's tools find them.
        """
        parts = urlsplit(url)
        options, service = dict(parse_qsl(parts.query)), parts.path.strip("/")
        if not parts.netloc or not service or "/" in service or options.keys() - {"region"}:
            raise Misconfigured("NEXTSTREAM_SCALING_URL must look like cloudwatch://CLUSTER/SERVICE.")
        session = boto3.session.Session(region_name=options.get("region"))
        with translated():
            cloudwatch, ecs = (session.client(n, config=_SETTINGS) for n in ("cloudwatch", "ecs"))
        return cls(cloudwatch, ecs, parts.netloc, service)

    def wanted(self) -> int | None:
        """Give the service's desired count; None where there is no such service."""
        with translated():
            found = self._ecs.describe_services(cluster=self._cluster, services=[self._service])
        services = found["services"]
        return int(services[0]["desiredCount"]) if services else None

    def publish(self, load: Load, now: datetime) -> None:
        """Put the four metrics in one request."""
        values = {
            "BacklogPerWorker": (load.per_worker_s, "Seconds"),
            "Backlog": (load.waiting_s, "Seconds"),
            "OpenPieces": (float(load.open_pieces), "Count"),
            "Workers": (float(load.workers), "Count"),
        }
        data = [self._datum(name, *value, now) for name, value in values.items()]
        with translated():
            self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)

    def _datum(self, name: str, value: float, unit: str, now: datetime) -> Mapping[str, Any]:
        return {
            "MetricName": name,
            "Dimensions": [
                {"Name": "ClusterName", "Value": self._cluster},
                {"Name": "ServiceName", "Value": self._service},
            ],
            "Timestamp": now,
            "Value": value,
            "Unit": unit,
            "StorageResolution": RESOLUTION_S,
        }


@contextmanager
def translated() -> Iterator[None]:
    """Turn what boto3 raises in the block into our error."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ScalingUnavailable(detail=str(error)) from error
