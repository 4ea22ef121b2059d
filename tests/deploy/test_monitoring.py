"""Alerts, dashboard and scrape configuration ask for what the server has, and say what to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from rtcsig.ops.metrics import CATALOGUE, DISTRIBUTIONS
from tests.deploy.promql import grouped_by, label_values, named_in_text, selectors
from tests.deploy.rules import rules_of

_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_DEPLOY = _REPOSITORY / "deploy"
_RULES = rules_of((_DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
_DASHBOARD = json.loads((_DEPLOY / "grafana.json").read_text(encoding="utf-8"))
_PANELS = [panel for panel in _DASHBOARD["panels"] if panel["type"] not in {"row", "text"}]
_EXPRESSIONS = [
    *(pytest.param(rule.expression, id=rule.name) for rule in _RULES),
    *(
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in _PANELS
        for target in panel["targets"]
    ),
    *(
        pytest.param(each["expr"], id=f"annotation {each['name']}")
        for each in _DASHBOARD["annotations"]["list"]
    ),
]
# What Prometheus puts on everything that it scrapes.
_EVERYWHERE = {"job", "instance"}
_TIMEOUT_S = 60.0


def _labels_by_metric() -> dict[str, set[str]]:
    """Every metric that a scrape of rtcsig can have, and the labels of each."""
    labels: dict[str, set[str]] = {"up": set()}
    labels |= {named.name: set(named.labels) for named in CATALOGUE.values()}
    for named in DISTRIBUTIONS.values():
        labels |= {f"{named.name}_bucket": {"le"}}
        labels |= {f"{named.name}{suffix}": set() for suffix in ("_sum", "_count")}
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    for family in registry.collect():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


_LABELS = _labels_by_metric()


def _promtool(*arguments: str) -> str:
    """What promtool prints about files in deploy/; it must be content."""
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=_DEPLOY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# -- what they ask for -------------------------------------------------------------


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_every_metric_and_label_is_one_of_the_server(expression):
    """Nothing that is asked for is missing, or called otherwise."""
    found = list(selectors(expression))
    assert found
    for selector in found:
        assert selector.metric in _LABELS
        assert selector.labels <= _LABELS[selector.metric] | _EVERYWHERE
    assert grouped_by(expression) <= _labels_of(expression)


def _labels_of(expression: str) -> set[str]:
    """The labels that a result of the expression can have."""
    return _EVERYWHERE.union(*(_LABELS[each.metric] for each in selectors(expression)))


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: panel["title"])
def test_every_legend_names_labels_that_are_there(panel):
    """A name that does not exist would be shown as nothing, and lines look alike."""
    for target in panel["targets"]:
        named = named_in_text(target["legendFormat"])
        assert named
        assert named <= _labels_of(target["expr"])


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.name)
def test_every_summary_names_labels_that_are_there(rule):
    """Who is woken reads which server it is, and why."""
    named = named_in_text(rule.summary)
    assert named & {"instance", "listener"}
    assert named <= _labels_of(rule.expression)


def test_variables_of_the_dashboard():
    """The servers to choose from are those that there are."""
    data_source, *others = _DASHBOARD["templating"]["list"]
    assert data_source["type"] == "datasource"
    for variable in others:
        selector = label_values(variable["query"]["query"])
        assert selector.labels <= _LABELS[selector.metric] | _EVERYWHERE


def test_every_metric_of_the_server_is_on_the_dashboard():
    """Apart from what another shows as well, only more coarsely or only now."""
    shown = " ".join(each.values[0] for each in _EXPRESSIONS)
    named = [*CATALOGUE.values(), *DISTRIBUTIONS.values()]
    missing = {each.name for each in named if each.name not in shown}
    assert missing == {"rtcsig_reactor_lag_now_seconds"}


# -- the dashboard's shape -----------------------------------------------------------


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_expressions_and_a_unit(panel):
    """And each asks the data source that was chosen."""
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for asked in (panel, *panel["targets"]):
        assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all(target["expr"] for target in panel["targets"])


def test_no_panel_is_there_twice():
    """Each has an id and a title of its own."""
    panels = _DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    titles = [panel["title"] for panel in _PANELS if panel["type"] == "timeseries"]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)


def test_no_panel_covers_another():
    """All are within the 24 columns, and next to each other."""
    for panel in _DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    for one, other in combinations(_DASHBOARD["panels"], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two panels have a place in common."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_the_rows_of_the_dashboard():
    """In the order in which they are looked at."""
    rows = [panel["title"] for panel in _DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["At a glance", "Traffic", "Coming back", "Health", "Trouble"]
    assert (_DASHBOARD["uid"], _DASHBOARD["title"]) == ("rtcsig", "rtcsig")


# -- what to do ----------------------------------------------------------------------


def test_every_alert_has_its_section_in_the_runbook():
    """In the same order, and no section is of an alert that is gone."""
    page = (_REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    runbook = page.partition("\n## Runbook\n")[2]
    assert re.findall(r"^### (.+)$", runbook, re.MULTILINE) == [rule.name for rule in _RULES]


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.name)
def test_every_alert_says_where_to_read_on(rule):
    """The link is to its section, and the severity one of two."""
    assert rule.runbook == f"docs/operations.md#{rule.name.lower()}"
    assert rule.severity in {"warning", "critical"}
    assert rule.waits


# -- what Prometheus says ------------------------------------------------------------


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_alerts():
    """All those that the tests here have read, and no other."""
    assert f"SUCCESS: {len(_RULES)} rules found" in _promtool("check", "rules", "alerts.yml")


@pytest.mark.needs("promtool")
def test_alerts_fire_when_they_should():
    """And not otherwise: deploy/alerts_test.yml has both for each of them."""
    assert "SUCCESS" in _promtool("test", "rules", "alerts_test.yml")


@pytest.mark.needs("promtool")
def test_prometheus_takes_what_the_dashboard_asks(tmp_path):
    """With an interval in the place of Grafana's: a mistake would be an empty panel."""
    asked = [each.values[0].replace("$__rate_interval", "1m") for each in _EXPRESSIONS]
    rules = [{"record": f"asked:{number}", "expr": each} for number, each in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in _promtool("check", "rules", str(path))


def test_every_alert_is_tried():
    """None is left out of deploy/alerts_test.yml."""
    text = (_DEPLOY / "alerts_test.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"alertname: (\w+)", text)) == {rule.name for rule in _RULES}


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_configuration():
    """And finds the alerts by it."""
    printed = _promtool("check", "config", "prometheus.yml")
    assert "1 rule files found" in printed
    assert f"{len(_RULES)} rules found" in printed
