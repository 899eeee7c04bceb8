"""ECS's agent as a task's containers see it, and what ECS does to a task: a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/api/task-1/task-protection/v1/state"
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/house/task-1"


@dataclass
class Agent:
    """What the agent was asked; `refuses` makes it answer as ECS does to a task it can't protect."""

    uri: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False
    is_down: bool = False

    @property
    def protected(self) -> bool:
        return bool(self.asked) and self.asked[-1]["ProtectionEnabled"]

    def answer(self, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.is_down:
            return 500, {"requestID": "r", "error": {"Arn": ARN, "Code": "ServerException"}}
        if self.refuses:
            why = {"Arn": ARN, "Reason": "DEPLOYMENT_BLOCKED", "Detail": "a deployment waits"}
            return 200, {"requestID": "r", "failure": why}
        self.asked.append(wish)
        return 200, {"protection": {**wish, "TaskArn": ARN}}


@contextmanager
def running() -> Iterator[Agent]:
    """Run an agent until the block ends."""
    agent = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = self.path == PATH and self.headers["Content-Type"] == "application/json"
            status, said = agent.answer(wish) if found else (404, {})
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        agent.uri = f"http://127.0.0.1:{server.server_port}/api/task-1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield agent
        finally:
            server.shutdown()
