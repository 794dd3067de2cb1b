"""Text on cards reads as what it is: look-alikes are spelt out, host names also stand as they are looked up."""

import pytest

from bot.elements import quoted
from bot.visibility import visible


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("p\u0430ypal", "p\\u0430ypal"),
        ("\u0441url", "\\u0441url"),
        ("dr\u043ep table", "dr\\u043ep table"),
        ("\u03bfps", "\\u03bfps"),
        ("\u03c1\u0430y", "\\u03c1\\u0430y"),
        ("\U0001d429\U0001d41a\U0001d432", "\\U0001d429\\U0001d41a\\U0001d432"),
        ("a\u0261ent", "a\\u0261ent"),
        ("\u2160BM", "\\u2160BM"),
        ("\u212eBay", "\\u212eBay"),
        ("good.com\u2044evil", "good.com\\u2044evil"),
        ("https\uff1a//x", "https\uff1a//x"),
        ("C\ua789x", "C\\ua789x"),
        ("rm \u0430\u0440\u0440 now", "rm \\u0430\\u0440\\u0440 now"),
        ("\u13aa\u13bb", "\\u13aa\\u13bb"),
        ('"\\n\u0430"', '"\\n\\u0430"'),
    ],
)
def test_a_character_that_looks_like_ascii_is_spelt_out(words: str, shown: str) -> None:
    assert visible(words) == shown


@pytest.mark.parametrize(
    "words",
    [
        "naïve café Straße Łódź kapı",
        "В чате о сборке: все готово, а сор уберем",
        "Kafka-топик и JSON-файл",
        '{"text": "\\nПривет,\\tмир"}',
        "日本語とEnglish、カノジョ ＡＢＣ",
        "한국어 API",
        "Το αρχείο και ο φάκελος",
        "5 × 3 – 2 ≠ 12…, “so” ’tis 120 µs, 10²",
        "שלום לכולם",
        "مرحبا بالعالم",
        "🙂 👍🏽 → ✅ ❤️",
        "https://münchen.de/straße und россия.рф",
    ],
)
def test_plain_writing_of_any_language_stays_as_it_is(words: str) -> None:
    assert visible(words) == words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("https://\u0430pple.com/login", "https://\\u0430pple.com (xn--pple-43d.com)/login"),
        ("\u0430\u0440\u0440\u04cf\u0435.com", "\\u0430\\u0440\\u0440\\u04cf\\u0435.com (xn--80ak6aa92e.com)"),
        ("ada@p\u0430y.com", "ada@p\\u0430y.com (xn--py-7kc.com)"),
        ("http://\uff45vil.com", "http://\uff45vil.com (evil.com)"),
        ("http://evil\u3002com:8080", "http://evil\u3002com (evil.com):8080"),
        (
            "\u043f\u0440\u0438\u0432\u0435\u0442abc.de",
            "\u043f\\u0440\u0438\u0432\\u0435\u0442abc.de (xn--abc-eddpq2civ.de)",
        ),
        ("x\u2044y.\u0430b.com", "x\\u2044y.\\u0430b.com (xn--xy-c6t.xn--b-7sb.com)"),
    ],
)
def test_a_host_name_that_may_pass_for_another_also_stands_as_it_is_looked_up(words: str, shown: str) -> None:
    assert visible(words) == shown


def test_text_of_more_words_than_any_language_has_every_look_alike_spelt_out() -> None:
    dense, written = "\u0430 b " * 1000, "\u0430 \u043f\u043e\u0442\u043e\u043c " * 500
    assert visible(dense) == dense.replace("\u0430", "\\u0430")
    assert visible(written) == written


def test_titles_and_reasons_are_spelt_out_too() -> None:
    assert quoted("Pay p\u0430ypal") == "Pay p\\u0430ypal"
