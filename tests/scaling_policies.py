"""What CloudWatch and Application Auto Scaling make of deploy/ecs/scaling.yaml.

As their guides have it, with what they leave open taken at its worst: data is seen 10 s late, and a
policy in its cooldown does nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from cfnlint.decode import cfn_yaml

TEMPLATE = Path(__file__).parents[1] / "deploy/ecs/scaling.yaml"
LATE_S = 10
TRACKING = "TargetTrackingScalingPolicyConfiguration"
COMPARE = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
STATISTICS = {"Maximum": max, "Minimum": min, "Average": fmean}
_IF = re.compile(r"IF\((\w+) ([<>]) (\d+), (\w+), (\w+)\)")


@dataclass
class Policies:
    """The policies of the template, for a service that may have so many workers."""

    min_workers: int
    max_workers: int
    told: list[tuple[float, Mapping[str, float]]] = field(default_factory=list)
    acted: list[tuple[float, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._resources = cfn_yaml.load(str(TEMPLATE))["Resources"]
        self._rests_until: dict[str, float] = {}

    def tell(self, now_s: float, metrics: Mapping[str, float]) -> None:
        self.told.append((now_s, metrics))

    def decide(self, now_s: float, desired: int) -> int:
        """Give the workers wanted from now on; call it at each whole multiple of ten seconds."""
        wishes = dict(self._wishes(now_s, desired))
        wishes = {n: min(max(w, self.min_workers), self.max_workers) for n, w in wishes.items()}
        wishes = {name: wish for name, wish in wishes.items() if wish != desired}
        if not wishes:
            return desired
        name = max(wishes, key=lambda n: wishes[n])  # of several policies the largest fleet counts
        config = self._config(name)
        rest_s = config.get("Cooldown", config.get("ScaleOutCooldown", 0))
        self._rests_until[name] = now_s + rest_s
        self.acted.append((now_s, name, wishes[name]))
        return wishes[name]

    def _wishes(self, now_s: float, desired: int) -> Iterator[tuple[str, int]]:
        for name, resource in self._resources.items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                policy = resource["Properties"]["AlarmActions"][0]["Ref"]
                value = self._breach(resource["Properties"], now_s)
                if value is not None and now_s >= self._rests_until.get(policy, 0):
                    threshold = resource["Properties"]["Threshold"]
                    yield policy, self._step(self._config(policy), value - threshold, desired)
            elif TRACKING in resource["Properties"] and not now_s % 60:
                wish = self._track(self._config(name), now_s, desired)
                yield name, wish if now_s >= self._rests_until.get(name, 0) else desired

    def _config(self, policy: str) -> Mapping[str, Any]:
        found = self._resources[policy]["Properties"]
        return found[TRACKING] if TRACKING in found else found["StepScalingPolicyConfiguration"]

    def _track(self, config: Mapping[str, Any], now_s: float, desired: int) -> int:
        """Scale out as target tracking does, after three minutes above the target."""
        name, target = config["CustomizedMetricSpecification"]["MetricName"], config["TargetValue"]
        values = [self._read(name, now_s - 60 * n, 60, "Average") for n in range(3)]
        if any(value is None or value <= target for value in values):
            return desired
        return math.ceil(desired * (values[0] or 0) / target)

    def _breach(self, alarm: Mapping[str, Any], now_s: float) -> float | None:
        """Give the alarm's last value where it is in alarm, at the times it looks."""
        stats = [query["MetricStat"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
        period_s = stats[0]["Period"] if stats else alarm["Period"]
        if now_s % period_s:
            return None
        times = [now_s - n * period_s for n in range(alarm["EvaluationPeriods"])]
        values = [self._value(alarm, at_s) for at_s in times]
        compare, threshold = COMPARE[alarm["ComparisonOperator"]], alarm["Threshold"]
        breaches = all(value is not None and compare(value, threshold) for value in values)
        return values[0] if breaches else None

    def _value(self, alarm: Mapping[str, Any], at_s: float) -> float | None:
        """Give an alarm's value of one period: of a metric, or of `IF(metric < number, then, else)`."""
        if "Metrics" not in alarm:
            return self._read(alarm["MetricName"], at_s, alarm["Period"], alarm["Statistic"])
        stats = {q["Id"]: q["MetricStat"] for q in alarm["Metrics"] if "MetricStat" in q}
        values = {
            id_: self._read(stat["Metric"]["MetricName"], at_s, stat["Period"], stat["Stat"])
            for id_, stat in stats.items()
        }
        (expression,) = (q["Expression"] for q in alarm["Metrics"] if "Expression" in q)
        found = _IF.fullmatch(expression)
        assert found, expression
        left, how, right, then, other = found.groups()
        value = values[left]
        if value is None:
            return None
        holds = value < float(right) if how == "<" else value > float(right)
        chosen = then if holds else other
        return values[chosen] if chosen in values else float(chosen)

    def _read(self, name: str, at_s: float, period_s: float, stat: str) -> float | None:
        until_s = at_s - LATE_S
        values = []
        for told_s, metrics in reversed(self.told):
            if told_s <= until_s - period_s:
                break
            if told_s <= until_s:
                values.append(metrics[name])
        if not values:
            return None
        return STATISTICS[stat](values)

    def _step(self, config: Mapping[str, Any], above: float, desired: int) -> int:
        for step in config["StepAdjustments"]:
            low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
            # The closed end of a step is the one nearer to the threshold.
            fits = (low is None or above >= low) and (high is None or above < high or above == high == 0)
            if fits:
                return self._adjust(config, step["ScalingAdjustment"], desired)
        return desired

    def _adjust(self, config: Mapping[str, Any], adjustment: Any, desired: int) -> int:
        if config["AdjustmentType"] == "ExactCapacity":
            return self.min_workers if isinstance(adjustment, dict) else int(adjustment)
        change = desired * adjustment / 100
        least = config.get("MinAdjustmentMagnitude", 1)
        size = max(least, math.floor(abs(change)))
        return desired + (size if adjustment > 0 else -size)
