"""Reading the settings is quick: every command does it first."""

import subprocess
import sys

SLOW = ("langchain_openai", "langchain_core", "langgraph", "openai", "slack_bolt")


def test_reading_the_settings_imports_no_model_client_and_no_graph() -> None:
    asked = f"import sys, infra.config.environment; print([each for each in {SLOW} if each in sys.modules])"
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
