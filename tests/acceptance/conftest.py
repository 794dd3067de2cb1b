"""Fixtures of the acceptance tests."""

from tests.acceptance.attack_world import attack_world
from tests.acceptance.broken_tools import broken_tools
from tests.acceptance.red_tools import bank, entries
from tests.browser import browser

__all__ = ["attack_world", "bank", "broken_tools", "browser", "entries"]
