"""What deploy/ has for Prometheus and Grafana agrees with the code, and every alert has its page."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from nextstream.domain import metrics
from nextstream.domain.metrics import Histogram
from tests.conftest import do_without
from tests.dashboards import DASHBOARD, FOLDER, ROOT, RULES, expressions

SERIES = {
    f"{metric.name}{suffix}": metric
    for metric in metrics.ALL
    for suffix in (("_bucket", "_count", "_sum") if isinstance(metric, Histogram) else ("",))
}
RUNBOOK = (
    (ROOT / "docs" / "operations.md").read_text().partition("\n## Runbook\n")[2].partition("\n## ")[0]
)
LABELS = {"instance", "job", "le"}  # that Prometheus gives itself


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_series_and_label_that_is_looked_at_exists(expression: str) -> None:
    named = set(re.findall(r"nextstream_\w+", expression))
    assert named <= set(SERIES)
    known = LABELS.union(*(SERIES[name].labels for name in named))
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    filtered = re.findall(r"[{,]\s*(\w+)[!=]", expression)
    assert {*filtered, *(label.strip() for each in grouped for label in each.split(","))} <= known


def test_every_metric_is_looked_at_somewhere() -> None:
    looked_at = " ".join(expressions())
    missing = [metric.name for metric in metrics.ALL if metric.name not in looked_at]
    assert missing == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_section_that_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    section = RUNBOOK.partition(f"\n### {rule['alert']}\n")[2].partition("\n### ")[0]
    for part in ("**Means.**", "**Look.**", "**Do.**"):
        assert part in section


def test_every_section_of_the_runbook_is_of_an_alert() -> None:
    assert re.findall(r"^### (.+)$", RUNBOOK, re.M) == [rule["alert"] for rule in RULES]


def test_every_alert_is_seen_ringing_and_quiet() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    names = {rule["alert"] for rule in RULES}
    assert {test["name"] for test in tests} == {
        f"{n} {how}" for n in names for how in ("rings", "is quiet")
    }
    for test in tests:
        (check,) = test["alert_rule_test"]
        assert ("exp_alerts" in check) == test["name"].endswith("rings")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    if not shutil.which("promtool"):
        do_without("promtool is not on this machine; Debian's package is prometheus")
    command = ["promtool", *words]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_lie_beside_each_other_and_name_the_source_that_is_provisioned() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    panels, taken = DASHBOARD["panels"], set()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells
        assert panel.get("datasource", {"uid": source["uid"]})["uid"] == source["uid"]


def test_every_container_of_ours_that_goes_on_is_scraped() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {n for n, each in compose.items() if str(each.get("image")).startswith("nextstream-")}
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (names,) = (each["names"] for each in job["dns_sd_configs"])
    assert ours - {"flower", "migrate", "prepare"} <= set(names)
