"""What of a provider's words is believed."""

import pytest

from infra.accounts.provider import Metadata, code_in

NAMED = Metadata(issuer="https://id.example.com", authorize="", token="", names_itself=True)
SILENT = Metadata(issuer="https://id.example.com", authorize="", token="")


@pytest.mark.parametrize(
    ("told", "metadata", "code"),
    [
        ({"code": "c", "iss": "https://id.example.com"}, NAMED, "c"),
        ({"code": "c"}, SILENT, "c"),
        ({"code": "c"}, NAMED, None),
        ({"code": "c", "iss": "https://evil.example"}, NAMED, None),
        ({"code": "c", "iss": "https://evil.example"}, SILENT, None),
        ({"code": "c", "iss": "https://id.example.com/"}, NAMED, None),
        ({"error": "access_denied", "iss": "https://id.example.com"}, NAMED, ""),
        ({"error": "access_denied", "code": "c"}, SILENT, ""),
        ({}, SILENT, ""),
    ],
    ids=["named", "silent", "unnamed", "another", "another unasked", "almost", "no", "no with a code", "empty"],
)
def test_an_answer_counts_only_from_the_provider_that_was_asked(
    told: dict[str, str], metadata: Metadata, code: str | None
) -> None:
    assert code_in(told, metadata) == code
