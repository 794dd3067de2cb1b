"""Files: big outputs and what scripts keep have names in their thread, and are listed, searched and read in part."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered_and_done
from tests.acceptance.plans import ANSWERS, ENDS, package, planned, results_told, tool

MAKES = """
def main(inputs):
    tools.files_write(name="report.md", text="# Report\\n\\nAll is well.\\n")
    return {"rows": [{"id": number, "text": "row %d" % number} for number in range(1000)], "count": 1000}
"""

LIST = tool("list", "files_list", {}, depends_on=["make"])
HEAD = tool("head", "files_head", {"name": "1/make/report.md"}, depends_on=["make"])
GREP = tool("grep", "files_grep", {"name": "1/make/make.json", "pattern": '"row 77[0-9]"'}, depends_on=["make"])
READ = tool("read", "files_read", {"name": "1/make/make.json", "offset": 10, "limit": 40}, depends_on=["make"])


async def test_files_are_listed_searched_and_read_in_part(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(package("make", MAKES), LIST, HEAD, GREP, READ))
        async with scene.asked("make a report") as observer:
            await observer.until(answered_and_done, "the answer")
        results = results_told(scene.model.requests_of("conclude")[0])
    made = results["make"]["artifact"]
    assert made["name"] == "1/make/make.json"
    assert made["summary"] == "object with 2 keys: count, rows"
    listed: Any = results["list"]["files"]
    assert {file["name"] for file in listed} == {"1/make/make.json", "1/make/report.md"}
    assert results["head"]["text"] == "# Report\n\nAll is well.\n"
    assert results["grep"]["matches"][0]["name"] == "1/make/make.json"
    assert len(results["read"]["text"]) == 40
    assert results["read"]["next"] == 50
    assert len(json.dumps(results)) < 8_000
