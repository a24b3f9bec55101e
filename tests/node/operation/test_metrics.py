"""The list of metrics: what it says of a node, and that document, dashboard and alert rules use the same names."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from example_status import IMAGE, status
from prometheus_client.parser import text_string_to_metric_families

from node.operation.metrics import METRICS, metrics_text

ROOT = Path(__file__).parents[3]
FILES = ROOT / "node" / "operation" / "files"
EXAMPLES = Path(__file__).parent / "examples"
DASHBOARD = json.loads((FILES / "grafana-dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load((FILES / "prometheus-alerts.yaml").read_text("utf-8"))
OF_PROMETHEUS = {"instance", "job"}
"""Labels that a scrape adds."""


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a Prometheus reads in a page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_the_page_reads_back_with_every_metric_of_the_list() -> None:
    read = samples(metrics_text(status()))
    assert {name for name, _ in read} == {metric.name for metric in METRICS}
    assert read["wattswarm_height", ()] == 4
    assert read["wattswarm_connection_watts", ()] == -250.5
    assert read["wattswarm_price_per_kwh", (("branch", "0"),)] == 0.279775
    assert read["wattswarm_device_power_watts", (("device", "garage"), ("kind", "battery"))] == 500
    assert read["wattswarm_alarms", (("severity", "critical"),)] == 1
    assert read["wattswarm_mode", (("mode", "grid-support"),)] == 1
    assert read["wattswarm_events_total", (("event", "block"),)] == 4


def test_what_is_not_known_has_no_sample() -> None:
    read = samples(metrics_text(status(image=None, agreement_s=None, prices=(None,))))
    names = {name for name, _ in read}
    assert not names & {
        "wattswarm_connection_watts",
        "wattswarm_image_age_seconds",
        "wattswarm_agreement_seconds",
        "wattswarm_price_per_kwh",
        "wattswarm_mode",
    }
    blind = replace(IMAGE, connection_w=None)
    assert ("wattswarm_connection_watts", ()) not in samples(metrics_text(status(image=blind)))


def test_text_of_others_cannot_break_the_page() -> None:
    hostile = 'a"} 7\nwattswarm_active{x="\\'
    read = samples(metrics_text(status(member_versions={"ben": hostile})))
    assert read["wattswarm_member_version", (("member", "ben"), ("version", hostile))] == 1
    assert read["wattswarm_active", ()] == 1


def test_the_document_has_the_list() -> None:
    text = (ROOT / "docs" / "operation.md").read_text("utf-8")
    shown = re.findall(r"^\| `(wattswarm_\w+)` +\| (gauge|counter) +\| ([^|]*?) *\|", text, re.M)
    assert [(name, kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in shown] == [
        (metric.name, metric.kind, list(metric.labels)) for metric in METRICS
    ]


def test_the_document_has_the_events_of_operation() -> None:
    text = (ROOT / "docs" / "operation.md").read_text("utf-8").split("## What the log says of it")[1]
    folders = ("operation", "notification", "upgrade")
    paths = [path for name in folders for path in (ROOT / "node" / name).glob("*.py")]
    paths.append(ROOT / "node" / "daemon" / "operation_mounting.py")
    sources = [path.read_text("utf-8") for path in paths]
    logged = re.findall(
        r"\blog\.(?:info|warning|error)\(\s*\"(\w+)\"", "\n".join(sources).replace("_log.", "log.")
    )
    assert set(re.findall(r"^\| `(\w+)`", text, re.M)) == set(logged)


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard and of the alert rules, with where it is from."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in ALERTS["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda value: value[:40])
def test_queries_use_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    used = re.findall(r"(wattswarm_\w+|\bup\b)(?:\{([^}]*)\})?", expression)
    assert used, where
    for name, matchers in used:
        known = OF_PROMETHEUS | labels.get(name, set())
        assert name == "up" or name in labels, (where, name)
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers)) <= known, (where, name)
    everywhere = OF_PROMETHEUS.union(*(labels.get(name, set()) for name, _ in used))
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= everywhere, where
    assert expression.count("(") == expression.count(")"), where


def test_counters_are_looked_at_through_their_rate() -> None:
    counters = [metric.name for metric in METRICS if metric.kind == "counter"]
    for where, expression in expressions():
        for name in counters:
            for found in re.finditer(name, expression):
                assert re.search(r"(rate|increase)\($", expression[: found.start()]), where


def test_alert_rules_are_whole() -> None:
    rules: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"\d+[smhd]", rule["for"])
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert all(rule["annotations"][key] for key in ("summary", "description"))


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == set(re.findall(r"\$\{?(\w+)\}?", json.dumps(DASHBOARD["panels"])))


@pytest.mark.parametrize("name", ["prometheus-alerts-test.yaml", "prometheus-versions-test.yaml"])
def test_prometheus_itself_raises_every_alert_when_it_should(name: str) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: sudo apt-get update && sudo apt-get install -y prometheus"
    rules = FILES / "prometheus-alerts.yaml"
    for command in (["check", "rules", str(rules)], ["test", "rules", str(EXAMPLES / name)]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_is_raised() -> None:
    raised = {
        expected["alertname"]
        for path in EXAMPLES.glob("prometheus-*-test.yaml")
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]
        for expected in case["alert_rule_test"]
        if expected["exp_alerts"]
    }
    assert raised == {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}
