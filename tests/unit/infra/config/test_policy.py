"""`[policy]`: what a rule may say, and the version of a policy."""

from pathlib import Path
from typing import Any

import pytest

from infra.config.file import ConfigurationError, parse_configuration, read_policy

POST = ["slack_post_message"]


def policy(*rules: dict[str, Any], **more: Any) -> Any:
    return parse_configuration({"policy": {"rules": list(rules)}, **more}, "the test").policy_set()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"effect": "allow", "tools": ["slack_*"], "when": "outside"}, "without patterns"),
        ({"effect": "allow", "when": "outside"}, "without patterns"),
        ({"effect": "allow", "tools": POST}, "needs a condition"),
        ({"effect": "allow", "tools": POST, "when": " true "}, "needs a condition"),
        ({"effect": "allow", "tools": POST, "targets": {"channel": []}}, "needs a condition"),
        ({"effect": "allow", "tools": POST, "when": "outside", "channels": ["#ops"]}, "by id"),
        ({"effect": "refuse", "quorum": 2}, "only a rule that asks has quorum"),
        ({"effect": "ask", "words": "no"}, "only a rule that refuses"),
        ({"effect": "ask", "users": ["U1"], "quorum": 2}, "never reached"),
        ({"effect": "ask", "stages": [{"quorum": 2}], "quorum": 2}, "stand in the stages"),
        ({"effect": "ask", "tools": ["slak_*"]}, "no tool is called"),
        ({"effect": "ask", "when": "tol == ''"}, "undeclared reference"),
        ({"effect": "ask", "channels": ["ops"]}, "a channel is #name or an id"),
        ({"effect": "ask", "escalate": {"after_minutes": 1}}, "names users, groups or a channel"),
        ({"effect": "ask", "whenn": "outside"}, "Extra inputs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        policy({"name": "x", **rule})


def test_names_of_rules_differ() -> None:
    with pytest.raises(ConfigurationError, match="two rules are called x"):
        policy({"name": "x", "effect": "ask"}, {"name": "x", "effect": "ask"})


def test_the_version_changes_with_the_policy_and_only_then() -> None:
    one = {"name": "x", "effect": "ask", "users": ["U1", "U2", "U3"], "when": "outside"}
    assert policy(one).version == policy({**one, "users": ["U3", "U2", "U1"]}).version
    others = [policy({**one, "when": "!outside"}), policy({**one, "quorum": 2})]
    others.append(policy(one, approvals={"default": {"users": []}}))
    assert len({policy(one).version, *(other.version for other in others)}) == 4


def test_the_policy_may_stand_in_a_file_of_its_own_with_the_places_of_its_rules(tmp_path: Path) -> None:
    (tmp_path / "greenlight.toml").write_text('sandbox = "none"\n[policy]\nfile = "rules.toml"\n', encoding="utf-8")
    rules = '# rules\n[[policy.rules]]\nname = "a"\neffect = "ask"\n[[policy.rules]]\nname = "b"\neffect = "refuse"\n'
    (tmp_path / "rules.toml").write_text(rules, encoding="utf-8")
    read = read_policy(tmp_path / "greenlight.toml")
    assert [(rule.name, rule.place) for rule in read.rules] == [
        ("a", f"{tmp_path / 'rules.toml'}:2"),
        ("b", f"{tmp_path / 'rules.toml'}:5"),
    ]


@pytest.mark.parametrize(
    ("own", "said"),
    [("sandbox = 'none'\n", "only .policy. and .approvals. stand here"), ("[policy]\nfile = 'x'\n", "everything else")],
)
def test_a_file_of_rules_holds_nothing_else(own: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "greenlight.toml").write_text('[policy]\nfile = "rules.toml"\n', encoding="utf-8")
    (tmp_path / "rules.toml").write_text(own, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_policy(tmp_path / "greenlight.toml")
