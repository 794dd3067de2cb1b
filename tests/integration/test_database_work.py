"""What a run and a worker without work ask the database: counts of a server's own log, so no speed decides."""

from tests.bench.database_work import ours_through_the_queue
from tests.bench.ground import ground
from tests.bench.load import IDLE_STATEMENTS_A_SECOND, STATEMENTS_A_RUN

IDLE_SECONDS = 10.0


async def test_a_run_of_six_nodes_and_an_idle_worker_ask_little_of_the_database():
    """The run's message, its queue, a card, a click and all six nodes; what its worker asks anyway is not the run's."""
    async with ground(logging=True) as on:
        work, idle = await ours_through_the_queue(on, runs=4, idle_seconds=IDLE_SECONDS)
    assert idle <= IDLE_STATEMENTS_A_SECOND
    assert work.statements - work.seconds * idle <= STATEMENTS_A_RUN
    assert work.control <= 4
