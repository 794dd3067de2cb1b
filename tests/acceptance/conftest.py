"""Fixtures of the acceptance tests."""

from tests.browser import browser

__all__ = ["browser"]
