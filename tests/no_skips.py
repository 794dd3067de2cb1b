"""A pytest plugin for CI (`-p tests.no_skips`): on a machine that has everything, a skip is a failure."""

from collections.abc import Generator

import pytest


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    where = report.longrepr
    return where[2] if isinstance(where, tuple) else str(where)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one; an expected failure stays what it is."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"nothing may be skipped here: {_reason(report)}"
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into an error."""
    report = yield
    if report.skipped:
        report.longrepr = f"nothing may be skipped here: {_reason(report)}"
        report.outcome = "failed"
    return report
