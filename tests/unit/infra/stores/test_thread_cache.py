"""What a process keeps of threads is bounded in bytes; the threads that were used last stay."""

from agent.ids import ThreadId
from infra.stores.thread_cache import ThreadCache

A, B, C = (ThreadId(f"T1:C1:{number}.0") for number in range(3))


def test_the_thread_that_was_used_least_lately_makes_room() -> None:
    cache: ThreadCache[str] = ThreadCache(10)
    cache.keep(A, "a", 4)
    cache.keep(B, "b", 4)
    assert cache.get(A) == "a"
    cache.keep(C, "c", 4)
    assert (cache.get(A), cache.get(B), cache.get(C)) == ("a", None, "c")


def test_a_value_takes_the_place_of_an_older_one_and_of_its_bytes() -> None:
    cache: ThreadCache[str] = ThreadCache(10)
    cache.keep(A, "a", 4)
    cache.keep(B, "b", 4)
    cache.keep(A, "more", 6)
    assert (cache.get(A), cache.get(B)) == ("more", "b")
    assert (cache.size_of(A), cache.size_of(C)) == (6, 0)


def test_a_value_that_is_too_large_is_not_kept_and_makes_none_go() -> None:
    cache: ThreadCache[str] = ThreadCache(10)
    cache.keep(A, "a", 4)
    cache.keep(B, "b", 11)
    assert (cache.get(A), cache.get(B)) == ("a", None)
    cache.keep(A, "more", 11)
    assert cache.get(A) is None
