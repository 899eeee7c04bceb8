"""The templates of deploy/ecs as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

FOLDER = Path(__file__).parents[1] / "deploy/ecs"
STACKS = re.findall(r"^stacks=\((.*)\)", (FOLDER / "deploy.sh").read_text(), re.MULTILINE)[0].split()
TEMPLATES: Mapping[str, Any] = {
    path.stem: cfn_yaml.load(str(path)) for path in sorted(FOLDER.glob("*.yaml"))
}
SIZES = {
    path.stem: dict(line.split("=", 1) for line in path.read_text().splitlines() if line[0] != "#")
    for path in sorted((FOLDER / "sizes").glob("*.env"))
}
SERVICES: Mapping[str, Mapping[str, Any]] = {
    stack["Properties"]["Parameters"]["Service"]: stack["Properties"]["Parameters"]
    for stack in TEMPLATES["services"]["Resources"].values()
}
POLICIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): resource["Properties"]["PolicyDocument"]["Statement"]
    for template in TEMPLATES.values()
    for name, resource in template["Resources"].items()
    if resource["Type"] == "AWS::IAM::ManagedPolicy"
}


def exports(template: Any) -> set[str]:
    outputs = template.get("Outputs", {}).values()
    return {
        output["Export"]["Name"]["Fn::Sub"].removeprefix("${Name}-")
        for output in outputs
        if "Export" in output
    }


def imports(node: Any) -> set[str]:
    """Give the names of what a template, or a part of one, takes from others."""
    if isinstance(node, list):
        return {name for item in node for name in imports(item)}
    if not isinstance(node, dict):
        return set()
    if "Fn::ImportValue" in node:
        return {str(node["Fn::ImportValue"]["Fn::Sub"]).removeprefix("${Name}-")}
    return imports(list(node.values()))


def policies(service: str) -> list[Mapping[str, Any]]:
    """Give the statements a service's role has."""
    return [s for name in imports(SERVICES[service].get("Policies", "")) for s in POLICIES[name]]
