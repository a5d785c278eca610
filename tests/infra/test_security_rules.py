"""Each security rule holds, and its mutation of the templates is caught."""

import pytest

from tests.infra.cloud import FILES, Cloud
from tests.infra.rule import Rule
from tests.infra.rules import RULES


def by_name(rule: Rule) -> str:
    return rule.name


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud()


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_the_templates_keep_the_rule(rule: Rule, cloud: Cloud):
    assert rule.find(cloud) == [], rule.why


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_template_that_breaks_the_rule_is_caught(rule: Rule):
    assert rule.old in FILES[rule.file], "the mutation does not apply"
    broken = FILES | {rule.file: FILES[rule.file].replace(rule.old, rule.new, 1)}
    assert rule.find(Cloud(broken))
