"""The reader of expressions finds what is asked for: or else nothing would be held to it."""

from __future__ import annotations

import pytest

from tests.deploy.promql import grouped_by, label_values, named_in_text, selectors
from tests.deploy.rules import Rule, rules_of

_RULE = """
      - alert: Name
        # A comment.
        expr: |
          a > 1
          or b
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: "{{ $labels.instance }} is odd"
          runbook: page#name
"""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("up == 0", {"up": set()}),
        ('rate(a_total{b="c", d!~"e|f"}[5m]) > 0.5', {"a_total": {"b", "d"}}),
        ("sum without (x, y) (a) / b", {"a": set(), "b": set()}),
        ("a unless ignoring (r) b offset 15m", {"a": set(), "b": set()}),
        ('histogram_quantile(0.9, rate(a_bucket{i=~"$i"}[$__rate_interval]))', {"a_bucket": {"i"}}),
        ("a - time() < 14 * 86400", {"a": set()}),
        ('a{b="c(d)} and e"}', {"a": {"b"}}),
    ],
)
def test_metrics_and_their_labels(expression, found):
    """Functions, operators, groupings, ranges and strings are none."""
    assert {each.metric: set(each.labels) for each in selectors(expression)} == found


def test_groupings():
    """Every list of labels, whatever it is for."""
    expression = 'sum by (a, b) (x{y="by (no)"}) / ignoring(c) group_left (d) z'
    assert grouped_by(expression) == {"a", "b", "c", "d"}


def test_labels_in_texts():
    """As legends and as annotations write them; values are none."""
    assert named_in_text("{{a}} {{ $labels.b }} {{ $value | humanize }}") == {"a", "b"}


def test_values_for_a_variable():
    """The metric and the label; anything else is an error."""
    selector = label_values("label_values(up, job)")
    assert (selector.metric, selector.labels) == ("up", {"job"})
    with pytest.raises(ValueError, match="no label_values"):
        label_values("query_result(up)")


def test_a_rule():
    """With all its fields; one that is missing is an error."""
    expected = Rule(
        "Name", "a > 1\nor b", "5m", "warning", "{{ $labels.instance }} is odd", "page#name"
    )
    assert rules_of(_RULE) == [expected]
    with pytest.raises(ValueError, match="no for"):
        rules_of(_RULE.replace("for: 5m", ""))
