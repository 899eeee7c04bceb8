"""Runs schemathesis over the whole API of a site, as someone, with all its checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests import servers

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).parent / "schemathesis"
LEFT_S = 300  # for what is under way when the time is over
SERVER_ERROR, CONFORMANCE = "ST101", "ST1"  # codes of failures: ST1.. are of answers

# A refusal for what the sender can't see beforehand: where things stand, what the bytes hold, what is
# left of a quota. 400 is not among them: it says that a request is not as the description has it.
REFUSALS = [402, 409, 410, 412, 413, 414, 415, 416, 422, 423, 429, 431, 460]

# What they answer by 400 is more than OpenAPI can say: headers that exclude each other or depend on
# what was sent before, the server's settings, how a URL is made, the order of a form's fields, a word
# that another answer gave.
FINER = (
    "append_direct_upload",
    "append_tus_upload",
    "begin_direct_upload",
    "create_direct_upload",
    "create_tus_upload",
    "import_video",
    "list_videos",
    "upload_form",
)
# PUT there is `upload_video`, of a file that is called so.
ALSO_FILES = ("create_direct_upload", "import_video", "upload_form")


@dataclass(frozen=True)
class Failure:
    """What a check found; `code` is schemathesis' own, or empty for what kept it from testing."""

    code: str
    title: str
    count: int


@dataclass(frozen=True)
class Result:
    """What came of a run: requests, operations that got some, and failures."""

    requests: int
    operations: int
    failures: Sequence[Failure]
    output: str

    @property
    def server_errors(self) -> int:
        return sum(each.count for each in self.failures if each.code == SERVER_ERROR)

    @property
    def violations(self) -> int:
        """Count answers that aren't as the description says."""
        answers = [each for each in self.failures if each.code.startswith(CONFORMANCE)]
        return sum(each.count for each in answers) - self.server_errors


def run(
    url: str,
    folder: Path,
    login: Mapping[str, str] | None,
    known: Mapping[str, str],
    *,
    max_time_s: int,
    seed: int | None = None,
    options: tuple[str, ...] = (),
) -> Result:
    """Test all operations for so long, logged in by name and password or as nobody.

    `known` are values of parameters that exist, which are tried half the time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "schemathesis.toml"
    settings.write_text(configuration(login, known, max_time_s))
    report = folder / "report.json"
    command = [
        *(PROGRAM, "--config-file", settings, "run", f"{url}/api/v1/openapi.json"),
        *("--max-time", str(max_time_s), "--report", "json", "--report-json-path", report),
        *("--no-color", *options, *(["--seed", str(seed)] if seed is not None else [])),
    ]
    finished = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=max_time_s + LEFT_S,
        check=False,
    )
    output = finished.stdout + finished.stderr
    if not report.is_file():
        raise servers.NotStarted(output)
    return read(json.loads(report.read_text()), output)


def read(report: Mapping[str, Any], output: str) -> Result:
    found = [Failure(each["code"], each["title"], each["count"]) for each in report["failures"]]
    kept = [Failure("", each["title"], each["count"]) for each in report["errors"]]
    requests_, tested = report["test_cases"]["generated"], report["operations"]["tested"]
    return Result(requests_, tested, [*found, *kept], output)


def things(url: str, login: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Make one of each thing an uploader may have, and give values of parameters that name them."""
    api = f"{url}/api/v1"
    token = requests.post(f"{api}/auth/login", json=dict(login), timeout=60).json()["access_token"]
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        video = session.put(f"{api}/uploads/clip.mp4", data=body, timeout=600).json()
        hook = session.post(f"{api}/webhooks", json={"url": "https://example.org/"}, timeout=60).json()
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "100"}
        upload = session.post(f"{api}/uploads/tus", headers=tus, timeout=60)
        direct = session.post(f"{api}/uploads/direct", json={}, timeout=60).json()
        grant = session.post(f"{api}/videos/{video['id']}/playback", json={}, timeout=60).json()
    return {
        "video_id": video["id"],
        "webhook_id": hook["id"],
        "upload_id": upload.headers["Location"].rpartition("/")[2],
        "secret": direct["url"].rpartition("/")[2],
        "ticket": grant["hls"].partition("/p/")[2].partition("/")[0],
        "language": "en",
    }


def configuration(login: Mapping[str, str] | None, known: Mapping[str, str], max_time_s: int) -> str:
    accepted = json.dumps(["2xx", "3xx", "401", "403", "404", *map(str, REFUSALS)])
    refused = json.dumps(["400", "401", "403", "404", "405", *map(str, REFUSALS)])
    lines = [
        "workers = 1",
        "continue-on-failure = true",
        "max-stream-events = 1",  # the first comes at once
        "request-timeout = 60.0",
        "warnings = false",
        "[generation]",
        "database = 'none'",
        "allow-extra-parameters = false",  # headers and queries that nobody knows are ignored, by HTTP
        "[checks]",
        f"positive_data_acceptance.expected-statuses = {accepted}",
        f"negative_data_rejection.expected-statuses = {refused}",
        "missing_required_header.expected-statuses = [400, 401, 403, 404, 412, 415]",
    ]
    if login:
        payload = ", ".join(f"{name} = {json.dumps(value)}" for name, value in login.items())
        lines += [
            "[auth.dynamic.openapi.token]",
            "path = '/api/v1/auth/login'",
            f"payload = {{ {payload} }}",
            "extract_selector = '/access_token'",
            "retry_on = [401]",  # it may have ended its own session
        ]
    lines += [f"[dictionaries.{name}]\nvalues = [{json.dumps(value)}]" for name, value in known.items()]
    lines += ["[parameters]"]
    lines += [f"'path.{name}' = {{ dictionary = '{name}', probability = 0.5 }}" for name in known]
    for check, names in (("positive_data_acceptance", FINER), ("allow_header_conformance", ALSO_FILES)):
        lines += ["[[operations]]", f"include-operation-id = {list(names)}"]
        lines += [f"checks.{check}.enabled = false"]
    return "\n".join(lines) + "\n"
