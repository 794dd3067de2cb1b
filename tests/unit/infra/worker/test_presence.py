"""Suspicion of a worker whose lock is free, and until when a worker may act that may be suspected itself."""

from datetime import UTC, datetime, timedelta

from infra.db.database import WorkerId
from infra.worker.presence import Missed, Suspicions, Vitals

AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_missed(*, beat: int = 0, session: int = 0, dead: bool = False) -> Missed:
    return Missed(
        worker=WorkerId("w"),
        heartbeat_at=AT + timedelta(seconds=beat),
        since=AT + timedelta(seconds=session),
        dead=dead,
    )


def test_a_worker_is_suspected_only_when_it_is_missed_for_long_enough() -> None:
    suspicions = Suspicions(suspicion_seconds=1.0)
    assert [list(suspicions.after_look([a_missed()], now)) for now in (10.0, 10.5, 11.0)] == [[], [], [a_missed()]]


def test_a_worker_that_was_there_at_one_look_is_suspected_anew() -> None:
    suspicions = Suspicions(suspicion_seconds=1.0)
    suspicions.after_look([a_missed()], 10.0)
    suspicions.after_look([], 10.5)
    assert list(suspicions.after_look([a_missed()], 11.0)) == []


def test_a_heartbeat_or_another_session_begins_the_suspicion_anew() -> None:
    suspicions = Suspicions(suspicion_seconds=1.0)
    suspicions.after_look([a_missed()], 10.0)
    assert list(suspicions.after_look([a_missed(beat=1)], 11.0)) == []
    assert list(suspicions.after_look([a_missed(beat=1, session=1)], 12.0)) == []


def test_a_worker_that_is_dead_already_is_not_waited_for() -> None:
    dead = a_missed(dead=True)
    assert list(Suspicions(suspicion_seconds=1.0).after_look([dead], 10.0)) == [dead]


def test_a_worker_may_send_for_a_while_after_its_last_heartbeat() -> None:
    vitals = Vitals(margin_seconds=16.5)
    vitals.beat(100.0)
    assert vitals.not_after() == 116.5


def test_a_worker_that_lost_its_lock_may_send_nothing_until_it_has_it_again() -> None:
    vitals = Vitals(margin_seconds=16.5)
    vitals.beat(100.0)
    vitals.note_lock(lost=True)
    assert vitals.not_after() < 100.0
    vitals.note_lock(lost=False)
    assert vitals.not_after() == 116.5
