"""Asks ECS's agent not to stop this task when the service is scaled in.

The endpoint is in every task: "Task scale-in protection endpoint" in ECS's Developer Guide.
"""

from __future__ import annotations

import json
from typing import Any

import urllib3

from nextstream.errors import ScalingUnavailable

PATH = "/task-protection/v1/state"
TIMEOUT_S = 2.0  # the agent is on this host, but asks ECS; a worker waits for it before its first piece


class EcsProtection:
    """The agent at an address, which ECS gives each container as ECS_AGENT_URI."""

    def __init__(self, uri: str) -> None:
        self._url = uri.rstrip("/") + PATH

    def hold(self, minutes: int) -> None:
        """Turn protection on, or make it last longer."""
        self._put({"ProtectionEnabled": True, "ExpiresInMinutes": minutes})

    def release(self) -> None:
        """Turn protection off."""
        self._put({"ProtectionEnabled": False})

    def _put(self, state: dict[str, Any]) -> None:
        # A connection for each call: the worker's main process forks, and connections don't survive it.
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT_S) as http:
            try:
                answer = http.request("PUT", self._url, json=state)
                said = json.loads(answer.data)
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                raise ScalingUnavailable(detail=f"ECS's agent: {error}") from error
        # A refusal may come with status 200 and `failure` in place of `protection`.
        if answer.status != 200 or "protection" not in said:
            raise ScalingUnavailable(detail=f"ECS's agent: {answer.status} {said}")
