"""Fixtures of the acceptance tests."""

from tests.acceptance.broken_tools import broken_tools
from tests.browser import browser

__all__ = ["broken_tools", "browser"]
