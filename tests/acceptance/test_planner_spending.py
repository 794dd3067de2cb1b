"""The planner issue: the board's footer says what a run has taken, with money from the price table."""

import re
from pathlib import Path

from sqlalchemy import URL

from infra.scripted_model.server import MODEL_NAME
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, post
from tests.acceptance.sights import answered
from tests.acceptance.stage import stage


def priced(table: dict[str, object]) -> None:
    table["prices"] = {"currency": "EUR", "models": {MODEL_NAME: {"input": 100, "output": 1000}}}


async def test_the_board_says_time_tokens_and_cost_across_a_restart(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=priced) as scene:
        scene.model.add(planned(fetch("look", f"{scene.effects.url}/look"), post("tell", "hello")))
        async with scene.asked("look, then tell") as witness:
            await witness.until(lambda seen: seen.says("of work so far · 1 model call ·", "EUR"), "the footer so far")
            await witness.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.start_app()
            await scene.click(witness, "Grace", "approved")
            await witness.until(lambda seen: answered(seen) and seen.says("Took", "3 model calls"), "the whole footer")
            board = next(words for words in witness.words() if "3 model calls" in words)
        told = re.search(r"Took [\d.]+ (?:ms|s|min).* · 3 model calls · ([\d,]+) tokens · EUR (\d+\.\d+)", board)
        assert told is not None, board
        heard = sum(-(-len(message.text) // 4) for each in scene.model.requests for message in each.messages)
        assert heard < int(told[1].replace(",", "")) < heard + 1000
        assert float(told[2]) > heard * 100 / 1_000_000
