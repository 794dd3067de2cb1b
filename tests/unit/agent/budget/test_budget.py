"""Budgets: when a start is held back, and from where the whole budget counts once more."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.budget.budget import (
    Budget,
    Budgets,
    LimitExceeded,
    Measure,
    Start,
    limit_exceeded_from_json,
    limit_exceeded_json,
)
from agent.budget.usage import Scope, Spent

NOTHING = {scope: Spent() for scope in Scope}

SPENT = st.builds(
    Spent,
    model_calls=st.integers(0, 20),
    input_tokens=st.integers(0, 20),
    output_tokens=st.integers(0, 20),
    cost_micros=st.integers(0, 20),
    work_milliseconds=st.integers(0, 20),
    nodes=st.integers(0, 20),
)
MOST = st.none() | st.integers(1, 20)
BUDGET = st.builds(Budget, model_calls=MOST, tokens=MOST, cost_micros=MOST, milliseconds=MOST, nodes=MOST)


def held(budget: Budget, spent: Spent, start: Start) -> list[Measure]:
    """Return the measures that hold a run's start back."""
    of_run = {Scope.RUN: spent, Scope.THREAD: Spent()}
    return [limit.measure for limit in Budgets(run=budget).exceeded(of_run, NOTHING, start)]


@pytest.mark.parametrize(
    ("budget", "spent", "calls", "nodes"),
    [
        (Budget(model_calls=2), Spent(model_calls=1), [], []),
        (Budget(model_calls=2), Spent(model_calls=2), [Measure.MODEL_CALLS], []),
        (Budget(model_calls=2), Spent(model_calls=3), [Measure.MODEL_CALLS], [Measure.MODEL_CALLS]),
        (Budget(tokens=9), Spent(input_tokens=4, output_tokens=5), [Measure.TOKENS], []),
        (Budget(tokens=9), Spent(input_tokens=5, output_tokens=5), [Measure.TOKENS], [Measure.TOKENS]),
        (Budget(cost_micros=5), Spent(cost_micros=5), [Measure.COST], []),
        (Budget(milliseconds=5), Spent(work_milliseconds=5), [Measure.TIME], [Measure.TIME]),
        (Budget(nodes=5), Spent(nodes=5), [], [Measure.NODES]),
        (Budget(), Spent(model_calls=10**9, nodes=10**9), [], []),
    ],
)
def test_start_is_held_when_it_uses_what_is_used_up_or_anything_is_overspent(
    budget: Budget, spent: Spent, calls: list[Measure], nodes: list[Measure]
) -> None:
    assert held(budget, spent, Start.CALL) == calls
    assert held(budget, spent, Start.NODE) == nodes


def test_budget_of_a_run_and_of_its_thread_are_separate() -> None:
    budgets = Budgets(run=Budget(nodes=1), thread=Budget(nodes=2))
    spent = {Scope.RUN: Spent(nodes=1), Scope.THREAD: Spent(nodes=2)}
    assert [(limit.scope, limit.used, limit.most) for limit in budgets.exceeded(spent, NOTHING, Start.NODE)] == [
        (Scope.RUN, 1, 1),
        (Scope.THREAD, 2, 2),
    ]
    run_goes_on = {Scope.RUN: Spent(nodes=1)}
    assert [limit.scope for limit in budgets.exceeded(spent, run_goes_on, Start.NODE)] == [Scope.THREAD]


@given(budget=BUDGET, spent=SPENT, more=SPENT, start=st.sampled_from(Start))
def test_budget_counts_as_a_whole_from_where_it_was_allowed(
    budget: Budget, spent: Spent, more: Spent, start: Start
) -> None:
    budgets = Budgets(run=budget)
    then = {Scope.RUN: spent + more, Scope.THREAD: Spent()}
    allowed = budgets.exceeded(then, {Scope.RUN: spent}, start)
    afresh = budgets.exceeded({Scope.RUN: more, Scope.THREAD: Spent()}, NOTHING, start)
    assert allowed == afresh
    assert not budgets.exceeded({Scope.RUN: spent, Scope.THREAD: Spent()}, {Scope.RUN: spent}, start)


@given(spent=SPENT, more=SPENT)
def test_spent_adds_and_subtracts(spent: Spent, more: Spent) -> None:
    assert spent + more - more == spent
    assert (spent + more).tokens == spent.tokens + more.tokens


def test_exceeded_limit_reads_back_as_it_was_written() -> None:
    exceeded = LimitExceeded(scope=Scope.THREAD, measure=Measure.COST, used=7, most=5)
    assert limit_exceeded_from_json(json.loads(json.dumps(limit_exceeded_json(exceeded)))) == exceeded
