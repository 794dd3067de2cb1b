"""Counts tokens as a real model's tokenizer does."""

import warnings
from functools import cache
from typing import Any


def count_tokens(text: str) -> int:
    """Return how many tokens a text is."""
    return len(_encoding().encode(text))


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how it opens its tables
        from bpe_openai import get_encoding  # pyright: ignore[reportMissingTypeStubs]  # annotated, without a marker

        return get_encoding("o200k_base")
