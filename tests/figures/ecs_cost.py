"""What an installation on ECS costs a month at each of deploy/ecs/sizes, by list prices.

    .venv/bin/python -m tests.figures.ecs_cost

Prices are those of us-east-1, on demand, in US dollars, as published in 2025; look them up anew before
you count on them. Storage and delivery grow with use, and are not in the sums.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.ecs_templates import SERVICES, SIZES, TEMPLATES

HOURS = 730
VCPU_USD, GIB_USD, SPOT_OFF = 0.04048, 0.004445, 0.70  # Fargate, an hour; Spot is about so much less
NAT_USD, BALANCER_USD, BALANCER_USE_USD = 0.045, 0.0225, 0.008
DATABASE_USD = {"db.t4g.micro": 0.016, "db.t4g.medium": 0.065, "db.m7g.large": 0.168}
DISK_USD = 0.115  # a GiB and month, of each database
QUEUE_USD = {"cache.t4g.micro": 0.0128, "cache.t4g.small": 0.0256, "cache.m7g.large": 0.1264}  # Valkey
BROKER_USD = {"none": 0.0, "kafka.t3.small": 0.0456, "kafka.m7g.large": 0.204}
BROKER_DISK_USD = 20 * 0.10
# Secrets, eleven alarms, four metrics and their requests, some GiB of logs.
SUNDRIES_USD = {"small": 10.0, "medium": 20.0, "large": 60.0}
VIDEO_HOURS = {"small": 50, "medium": 1000, "large": 10_000}  # of 1080p, a month
# Of tests/figures/autoscaling.py: a worker of four cores is paid so long for an hour of video.
CORE_HOURS_PER_VIDEO_HOUR = 4 * 102 / 83


def main() -> None:
    print("| | small | medium | large |\n| --- | --- | --- | --- |")
    rows: dict[str, list[float]] = {}
    for size, numbers in SIZES.items():
        for name, usd in parts(size, numbers).items():
            rows.setdefault(name, [0.0] * len(SIZES))[list(SIZES).index(size)] = usd
    order = [list(SIZES).index(size) for size in ("small", "medium", "large")]
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{values[n]:.0f}" for n in order) + " |")
    sums = [sum(values[n] for values in rows.values()) for n in order]
    print("| **USD a month** | " + " | ".join(f"**{usd:.0f}**" for usd in sums) + " |")


def parts(size: str, numbers: Mapping[str, str]) -> Mapping[str, float]:
    zones = 2 if numbers["TwoZones"] == "true" else 1
    brokers = BROKER_USD[numbers["EventsClass"]]
    return {
        "gateway and services": HOURS * sum(task_usd(name, numbers) for name in SERVICES),
        "database": zones * (HOURS * DATABASE_USD[numbers["DatabaseClass"]] + 20 * DISK_USD),
        "queue": zones * HOURS * QUEUE_USD[numbers["QueueClass"]],
        "Kafka": 2 * (HOURS * brokers + BROKER_DISK_USD) if brokers else 0.0,
        "network": HOURS * (NAT_USD + BALANCER_USD + BALANCER_USE_USD),
        "secrets, alarms, logs": SUNDRIES_USD[size],
        "workers at work": VIDEO_HOURS[size] * CORE_HOURS_PER_VIDEO_HOUR * worker_usd(numbers) / 4,
        "workers kept warm, if they never worked": warm_usd(numbers),
    }


def task_usd(name: str, numbers: Mapping[str, str]) -> float:
    """Give an hour of a service's tasks, but for the workers'."""
    if name == "worker":
        return 0.0
    defaults = TEMPLATES["service"]["Parameters"]

    def read(parameter: str) -> float:
        value = SERVICES[name].get(parameter, defaults[parameter].get("Default"))
        return float(numbers[value["Ref"]] if isinstance(value, dict) else value)

    each_usd = read("Cpu") / 1024 * VCPU_USD + read("MemoryMiB") / 1024 * GIB_USD
    return read("Count") * each_usd


def worker_usd(numbers: Mapping[str, str]) -> float:
    """Give an hour of four cores and eight GiB, on Spot as far as the size is."""
    return (4 * VCPU_USD + 8 * GIB_USD) * (1 - SPOT_OFF * float(numbers["SpotShare"]) / 10)


def warm_usd(numbers: Mapping[str, str]) -> float:
    """Give what the least number of workers costs."""
    cores = float(numbers["MinWorkers"]) * float(numbers["WorkerCpu"]) / 1024
    return HOURS * cores / 4 * worker_usd(numbers)


if __name__ == "__main__":
    main()
