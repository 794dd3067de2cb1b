"""The scripted model finds its intents in a request."""

import pytest

from infra.dev.scripted_model.intents import (
    CallTool,
    Check,
    Culprit,
    DatabaseErrors,
    Deployments,
    ErrorRates,
    Intent,
    Post,
    Summary,
    Unknown,
    When,
    Withdraw,
    intents,
)

SERVICES = ("storefront", "search", "payments")
ALL = Check()

STORY = (
    "@Greenlight check our three services and post a summary to #incidents; "
    "also work out yesterday's error rate per service from the access log"
)


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        (STORY, [ALL, Summary(channel="#incidents"), ErrorRates()]),
        (
            STORY.replace("@Greenlight", "<@U0BOT>").replace("#incidents", "<#C12|incidents>"),
            [ALL, Summary(channel="#incidents"), ErrorRates()],
        ),
        (
            "and how many errors did the payments database record in that hour?",
            [DatabaseErrors(hour=When.WORST_HOUR)],
        ),
        ("how many errors did the payments database record between 14 and 15?", [DatabaseErrors(hour=14)]),
        ("how many db errors at 2 pm yesterday", [DatabaseErrors(hour=14)]),
        ("db errors at 12 am", [DatabaseErrors(hour=0)]),
        ("check the payments database for errors at 14:00", [DatabaseErrors(hour=14)]),
        ("how many errors did the database have yesterday?", [DatabaseErrors(hour=When.ALL_DAY)]),
        ("check storefront, search and payments", [Check(services=SERVICES)]),
        ("Please check the status of the storefront service, thanks!", [Check(services=("storefront",))]),
        ("is payments up?", [Check(services=("payments",))]),
        ("are all services ok?", [ALL]),
        ("How are our services doing?", [ALL]),
        ("Can you check everything?", [ALL]),
        (
            "check storefront, payments, and post a summary to #ops",
            [Check(services=("storefront", "payments")), Summary(channel="#ops")],
        ),
        ("check search and post the result in <#C9>", [Check(services=("search",)), Summary(channel="C9")]),
        ("post a summary of the service status to #incidents", [ALL, Summary(channel="#incidents")]),
        ("check services, work out error rates, and post a summary", [ALL, ErrorRates(), Summary(channel="")]),
        ("work out the error rates, then tell #incidents", [ErrorRates(), Summary(channel="#incidents")]),
        ("what is the error rate of payments?", [ErrorRates()]),
        (
            "find the commit behind the payments alert, revert it and announce that in #incidents",
            [Culprit(revert=True), Summary(channel="#incidents")],
        ),
        ("which commit broke payments?", [Culprit(revert=False)]),
        ("find the culprit and revert that commit", [Culprit(revert=True)]),
        ("what was deployed yesterday?", [Deployments(hour=When.ALL_DAY)]),
        ("what was deployed around the worst hour", [Deployments(hour=When.WORST_HOUR)]),
        (
            "what's the worst hour of yesterday and what was deployed then?",
            [ErrorRates(), Deployments(hour=When.WORST_HOUR)],
        ),
        ("post that to #incidents", [Summary(channel="#incidents")]),
        ('post "hello, world; and more" to #general', [Post(channel="#general", text="hello, world; and more")]),
        ("post “hello” in <#C1|general>", [Post(channel="#general", text="hello")]),
        ('send to #general: "hello"', [Post(channel="#general", text="hello")]),
        ("post to #ops: the shop closes at five", [Post(channel="#ops", text="the shop closes at five")]),
        ("say hi to #ops and check search", [Post(channel="#ops", text="hi"), Check(services=("search",))]),
        ('post "one" to #a and post "two" to #b', [Post(channel="#a", text="one"), Post(channel="#b", text="two")]),
        ("check <https://example.com/x|example>", [Check(urls=("https://example.com/x",))]),
        ("check https://example.com/a and then search", [Check(services=("search",), urls=("https://example.com/a",))]),
        ("don't post it after all", [Withdraw()]),
        ("cancel that", [Withdraw()]),
        ("check the services and bake a cake for everyone", [ALL, Unknown(text="bake a cake for everyone")]),
        ("write me a poem about the sea", [Unknown(text="write me a poem about the sea")]),
        ('<@U1> call open_hours {"city": "Lisbon"}', [CallTool(tool="open_hours", args={"city": "Lisbon"})]),
        ("Call `open_hours {“city”: “Lisbon”}`", [CallTool(tool="open_hours", args={"city": "Lisbon"})]),
        ("call open_hours", [CallTool(tool="open_hours", args={})]),
        ("call the mayor of Lisbon", [Unknown(text="call the mayor of Lisbon")]),
        ("hello", []),
        ("what can you do?", []),
        ("", []),
    ],
)
def test_request_is_heard_as(request_text: str, expected: list[Intent]) -> None:
    assert list(intents(request_text, SERVICES)) == expected


def test_wish_named_twice_is_granted_once() -> None:
    assert list(intents("error rates please; the error rates from the access log", SERVICES)) == [ErrorRates()]


def test_services_are_known_by_the_names_given() -> None:
    assert list(intents("is billing up?", ("billing",))) == [Check(services=("billing",))]
