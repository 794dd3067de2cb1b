"""Stored formats and names seen from outside stay the same: old rows can be read, old buttons work.

`stored_formats.json` holds the literal values; `tests/fakes/stored_formats.py` produces those of the code. Change a
literal value only when a format is meant to change, and together with the code that still reads the old one.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.script import Json
from tests.fakes import stored_formats as today

ROOT = Path(__file__).resolve().parents[2]
PINNED: dict[str, Any] = json.loads(Path(__file__).with_name("stored_formats.json").read_text())


def kept(kind: str) -> pytest.MarkDecorator:
    """Parametrize a test with the cases of a kind."""
    return pytest.mark.parametrize("case", PINNED[kind])


def written(kind: str, case: str) -> Json:
    """Return what the code writes in a case, through JSON once; "nothing" for an unknown case."""
    return json.loads(json.dumps(today.TABLES[kind]().get(case, "nothing")))


@pytest.mark.parametrize("kind", today.TABLES)
def test_every_written_case_is_pinned(kind: str) -> None:
    assert sorted(today.TABLES[kind]()) == sorted(PINNED[kind])


# Plans


@kept("nodes")
def test_stored_node_keeps_its_json_digest_and_task_name(case: str) -> None:
    assert today.node_format(PINNED["nodes"][case]["stored"]) == PINNED["nodes"][case]


@kept("operations")
def test_operation_keeps_its_canonical_json(case: str) -> None:
    assert today.operation_format(PINNED["operations"][case]) == PINNED["operations"][case]


@kept("written")
def test_planner_operation_is_stored_in_the_same_form(case: str) -> None:
    assert today.written_format(PINNED["written"][case]["written"]) == PINNED["written"][case]["stored"]


@kept("unfolded")
def test_template_gives_the_same_items(case: str) -> None:
    pinned = PINNED["unfolded"][case]
    assert today.unfolded_format(pinned["template"], pinned["values"]) == pinned["items"]


@kept("packed")
def test_chain_is_packed_into_the_same_script(case: str) -> None:
    assert today.packed_format(PINNED["packed"][case]["plan"]) == PINNED["packed"][case]["packed"]


@kept("split")
def test_script_is_split_into_the_same_nodes(case: str) -> None:
    assert today.split_format(PINNED["split"][case]["package"]) == PINNED["split"][case]["parts"]


@kept("faults")
def test_fault_keeps_its_json(case: str) -> None:
    assert written("faults", case) == PINNED["faults"][case]


# Calls and how they end


@kept("outcomes")
def test_outcome_keeps_its_canonical_json(case: str) -> None:
    assert written("outcomes", case) == PINNED["outcomes"][case]


@kept("script_outcomes")
def test_script_outcome_keeps_its_json(case: str) -> None:
    assert written("script_outcomes", case) == PINNED["script_outcomes"][case]


@kept("artifacts")
def test_artifact_keeps_its_name_type_and_content(case: str) -> None:
    assert written("artifacts", case) == PINNED["artifacts"][case]


@kept("bound_calls")
def test_bound_call_keeps_its_arguments_and_digest(case: str) -> None:
    assert written("bound_calls", case) == PINNED["bound_calls"][case]


@kept("call_keys")
def test_call_keeps_its_idempotency_and_cache_keys(case: str) -> None:
    assert written("call_keys", case) == PINNED["call_keys"][case]


# Questions


@kept("question_ids")
def test_question_keeps_its_id(case: str) -> None:
    assert written("question_ids", case) == PINNED["question_ids"][case]


@kept("node_questions")
def test_question_about_a_node_keeps_its_row(case: str) -> None:
    assert written("node_questions", case) == PINNED["node_questions"][case]


@kept("card_facts")
def test_what_a_card_shows_keeps_its_json(case: str) -> None:
    assert written("card_facts", case) == PINNED["card_facts"][case]


@kept("budget_questions")
def test_question_about_a_budget_keeps_its_row(case: str) -> None:
    assert written("budget_questions", case) == PINNED["budget_questions"][case]


# The graph and the database


@kept("graph")
def test_graph_keeps_the_names_in_checkpoints(case: str) -> None:
    assert written("graph", case) == PINNED["graph"][case]


@kept("enums")
def test_enum_keeps_its_stored_values(case: str) -> None:
    assert written("enums", case) == PINNED["enums"][case]


@kept("reasons")
def test_packing_reasons_keep_their_stored_names(case: str) -> None:
    assert written("reasons", case) == PINNED["reasons"][case]


@kept("columns")
def test_table_keeps_its_columns(case: str) -> None:
    assert written("columns", case) == PINNED["columns"][case]


@kept("indexes")
def test_table_keeps_its_index_names(case: str) -> None:
    assert written("indexes", case) == PINNED["indexes"][case]


@kept("channels")
def test_processes_keep_the_names_they_share_in_a_database(case: str) -> None:
    assert written("channels", case) == PINNED["channels"][case]


# Slack


@kept("buttons")
def test_button_keeps_its_block_id_action_id_and_value(case: str) -> None:
    assert written("buttons", case) == PINNED["buttons"][case]


@kept("clicks")
def test_click_on_an_old_button_is_read(case: str) -> None:
    assert today.click_format(PINNED["clicks"][case]["payload"]) == PINNED["clicks"][case]["read"]


@kept("modals")
def test_modal_command_and_shortcut_keep_their_names(case: str) -> None:
    assert written("modals", case) == PINNED["modals"][case]


@kept("posts")
def test_message_keeps_its_metadata(case: str) -> None:
    assert written("posts", case) == PINNED["posts"][case]


@kept("stop_rows")
def test_stop_keeps_its_inbox_row(case: str) -> None:
    assert written("stop_rows", case) == PINNED["stop_rows"][case]


@kept("manifest")
def test_manifest_keeps_its_names(case: str) -> None:
    place: Any = json.loads((ROOT / "manifest.json").read_text())
    for key in case.split("."):
        place = place[int(key)] if key.isdigit() else place[key]
    assert place == PINNED["manifest"][case]


# Settings and commands


def test_configuration_file_accepts_the_same_keys() -> None:
    assert today.configuration_keys() == PINNED["configuration_keys"]


@kept("configuration")
def test_configuration_file_builds_the_same_values(case: str) -> None:
    assert today.configuration_values(PINNED["configuration"][case]["table"]) == PINNED["configuration"][case]["built"]


@kept("environment")
def test_environment_builds_the_same_settings(case: str) -> None:
    pinned = PINNED["environment"][case]
    assert json.loads(json.dumps(today.environment_values(pinned["variables"]))) == pinned["settings"]


def test_environment_names_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "greenlight.toml"
    file.write_text("[model]\nsilence_seconds = 7\n")
    read: Any = today.environment_values({"GREENLIGHT_CONFIG": str(file), "GREENLIGHT_DATA": "data"})
    assert read["silence seconds"] == 7.0


@kept("tools")
def test_tool_keeps_its_name(case: str) -> None:
    assert written("tools", case) == PINNED["tools"][case]


@kept("commands")
def test_command_keeps_its_parameters(case: str) -> None:
    assert written("commands", case) == PINNED["commands"][case]


@kept("event_lines")
def test_plan_run_line_keeps_its_json(case: str) -> None:
    assert written("event_lines", case) == PINNED["event_lines"][case]
