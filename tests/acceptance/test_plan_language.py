"""Plans in the plan language: models and people write Python, of which nothing runs by being read."""

import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.plans import ANSWERS, ENDS, fetch, post
from tests.acceptance.test_plan_files import greenlight
from tests.fakes.plans import json_lines

PLAN = """\
Here is the plan:

```python
def measure(depth):
    hosts = [{{"name": "a", "load": 9}}, {{"name": "b", "load": 2}}]
    return {{"depth": depth, "hosts": hosts}}

queue = measure(depth={depth})  # Measure the queue

if queue.depth > 1000:
    deep = http_get(url="{url}/deep")  # Look deeper
    words = measure(depth=f"{{queue.depth}} is deep", after=[deep])  # Say that it is deep
else:
    words = measure(depth="all is well")  # Say that it is fine

for host in queue.hosts:
    look = http_get(url=f"{url}/{{host.name}}")  # Look at {{host.name}}

slack_post_message(channel="#incidents", text=f"Queue: {{words.depth}}", after=[finished(look)])  # Tell #incidents
```
"""


def post_asked(observer: ThreadObserver) -> bool:
    return bool(observer.cards())


@pytest.mark.parametrize(
    ("depth", "words", "calls"),
    [(5000, "Queue: 5000 is deep", {"deep": 1, "a": 1, "b": 1}), (10, "Queue: all is well", {"a": 1, "b": 1})],
    ids=["deep", "fine"],
)
async def test_plan_in_python_runs_with_its_branches_and_loops_also_after_a_restart(
    database_url: URL, tmp_path: Path, depth: int, words: str, calls: dict[str, int]
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        plan = PLAN.format(depth=depth, url=scene.effects.url)
        scene.model.add(Script(role="planner", answer=plan, times=1))
        async with scene.asked("look after the queue") as observer:
            await observer.until(post_asked, "the card of the post")
            assert words in json.dumps(observer.cards()[0].message)
            await scene.stop_app()
            await scene.start_app()
            await scene.people.click(
                "Grace", observer.channel, str(observer.cards()[0].message["ts"]), "decide_approved"
            )
            await observer.until(answered, "the answer")
            assert [str(one["text"]) for one in await scene.people.messages("incidents")] == [words]
            seen = states(observer)
            assert "look at a" in seen["look-0"]
            ran, left_out = ("words", "words_2") if depth > 1000 else ("words_2", "words")
            assert ("complete" in seen[ran], "complete" in seen[left_out]) == (True, False)
        assert dict(scene.effects.calls) == calls


async def test_faults_name_line_and_column_and_the_next_answer_uses_the_names_of_the_one_before(
    database_url: URL, tmp_path: Path
) -> None:
    told: list[str] = []

    def corrected(request: ModelRequest) -> str:
        told.append(request.last)
        return 'slack_post_message(channel="#incidents", text=f"It says {shop.status}")  # Tell #incidents\n'

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        first = (
            f'shop = http_get(url="{scene.effects.url}/shop")  # Check the shop\n'
            'slack_post_message("#incidents", f"It says {shop.status}")\n'
        )
        scene.model.add(Script(role="planner", answer=first, times=1))
        scene.model.add(Script(role="planner", answer=corrected, times=1))
        async with scene.asked("check the shop and tell #incidents") as observer:
            await observer.until(post_asked, "the card of the post")
            assert "It says 200" in json.dumps(observer.cards()[0].message)
        assert scene.effects.calls["shop"] == 1
    [fault] = [json.loads(line) for line in told[0].partition("## Faults")[2].splitlines() if line.startswith("{")]
    assert (fault["line"], fault["column"], fault["code"]) == (2, 20, "bad_arguments")
    assert "takes its arguments by name: channel, text" in fault["message"]


@pytest.mark.parametrize(
    ("depth", "words"), [(5000, "It was: 5000 is deep"), (10, "It was: all is well")], ids=["deep", "fine"]
)
async def test_conclusion_refers_to_whichever_branch_ran(
    database_url: URL, tmp_path: Path, depth: int, words: str
) -> None:
    async with app_scene(database_url, tmp_path, [], approvals={}) as scene:
        plan = PLAN.format(depth=depth, url=scene.effects.url).partition("slack_post_message")[0]
        again = 'slack_post_message(channel="#incidents", text=f"It was: {words.depth}")  # Tell #incidents\n'
        scene.model.add(Script(role="planner", answer=plan, times=1))
        scene.model.add(Script(role="conclude", answer=again, times=1))
        scene.model.add(ANSWERS)
        async with scene.asked("look after the queue") as observer:
            await observer.until(post_asked, "the card of the post")
            assert words in json.dumps(observer.cards()[0].message)


async def test_name_that_a_turn_gives_again_means_the_newest_in_its_conclusion_and_in_later_turns(
    database_url: URL, tmp_path: Path
) -> None:
    conclusions: list[str] = []
    concludes = Script(role="conclude", answer=lambda _: conclusions.pop() if conclusions else "ANSWER\nDone.")
    async with app_scene(database_url, tmp_path, [concludes], approvals={}) as scene:
        url = scene.effects.url

        def read(name: str, url: str, more: str = "") -> str:
            return f'{name} = http_get(url=f"{url}")  # Read {name}\n{more}'

        async def turn(words: str, plan: str, conclusion: str = "") -> None:
            scene.model.add(Script(role="planner", answer=plan, times=1))
            conclusions[:] = [conclusion] if conclusion else []
            await scene.people.post("Ada", observer.channel, words, thread_ts=observer.thread_ts)

        scene.model.add(Script(role="planner", answer=read("shop", f"{url}/first"), times=1))
        async with scene.asked("check the shop") as observer:
            await observer.until(lambda seen: seen.says("Done."), "the answer")
            again = read("before", f"{url}/{{shop.body.name}}-before") + read("shop", f"{url}/second")
            await turn("check it again", again, read("closer", f"{url}/{{shop.body.name}}-concluded"))
            await scene.effects.reached("second-concluded")
            await observer.until(lambda seen: "complete" in states(seen).get("closer", ""), "the second turn")
            await turn("and once more", read("third", f"{url}/{{shop.body.name}}-third"))
            await scene.effects.reached("second-third")
            old = f"{url}/{{node['shop'].body.name}}-fourth"
            await turn("compare it", read("old", old))
            await scene.effects.reached("first-fourth")
        names = ["first", "first-before", "second", "second-concluded", "second-third", "first-fourth"]
        assert dict(scene.effects.calls) == dict.fromkeys(names, 1)


@pytest.mark.parametrize("form", ["python", "json"])
async def test_step_behind_a_result_of_the_same_name_never_shows_the_first_one(
    database_url: URL, tmp_path: Path, form: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        url = scene.effects.url
        first = (
            f'page = http_get(url="{url}/first")  # Read the first page\n'
            f'page = http_get(url="{url}/second")  # Read the next page\n'
            'slack_post_message(channel="#incidents", text=f"It says {page.body.name}")  # Tell #incidents\n'
        )
        again = first.partition("\n")[2].replace("page = ", "second = ").replace("{page.", "{second.")
        if form == "json":
            posted = post("tell", "It says ${page#/body/name}")
            pages = [fetch("page", f"{url}/first"), fetch("page", f"{url}/second")]
            first = json_lines([*pages, posted])
            again = json_lines([{**pages[1], "id": "second"}, post("tell", "It says ${second#/body/name}")])
        scene.model.add(Script(role="planner", answer=first, times=1))
        scene.model.add(Script(role="planner", answer=again, times=1))
        async with scene.asked("read two pages and tell #incidents") as observer:
            await observer.until(post_asked, "the card of the post")
            [card] = observer.cards()
            assert "It says second" in json.dumps(card.message)
    told = scene.model.requests_of("planner")[1].last.partition("## Faults")[2]
    faults = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [(fault["line"], fault["code"]) for fault in faults] == [(2, "duplicate_id"), (3, "held_back")]


def test_plan_file_is_checked_in_either_form_and_printed_in_either(tmp_path: Path) -> None:
    written, bad = tmp_path / "good.plan", tmp_path / "bad.plan"
    written.write_text(
        'shop = http_get(url="https://shop.example.com/health")  # Check the shop\n'
        "if shop.status != 200:\n"
        '    tell = slack_post_message(channel="#ops", text=f"It says {shop.status}")  # Tell #ops\n'
    )
    as_json = greenlight("plan", "check", str(written), "--as", "json")
    assert as_json.returncode == 0, as_json.stderr
    operations = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [operation["id"] for operation in operations] == ["shop", "tell"]
    assert operations[1]["when"] == {"ne": ["${shop#/status}", 200]}
    again = tmp_path / "again.jsonl"
    again.write_text(as_json.stdout)
    as_python = greenlight("plan", "check", str(again), "--as", "python")
    assert as_python.stdout == written.read_text()
    bad.write_text('shop = http_get("https://shop.example.com/health")\n')
    refused = greenlight("plan", "check", str(bad))
    fault = json.loads(refused.stdout)
    assert (refused.returncode, fault["line"], fault["column"], fault["node"]) == (1, 1, 17, "shop")
