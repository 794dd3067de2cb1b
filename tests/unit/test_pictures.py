"""The README's pictures: every kind of card has one, all of them are shown, and they stay small."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from agent.approval import ApprovalKind
from bot import wording
from tests.pictures.forms import NAMES
from tests.pictures.scenes import messages

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
README = (ROOT / "README.md").read_text()
LARGEST_BYTES = 60 * 1024


def test_every_kind_of_card_and_the_board_are_in_the_scenes() -> None:
    assert {kind.value for kind in ApprovalKind} | {"board", "decided", "details"} <= NAMES


def test_the_folder_holds_the_scenes_pictures_and_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.png" for name in NAMES}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_picture_is_small_and_the_readme_shows_it_in_words_too(name: str) -> None:
    picture = FOLDER / f"{name}.png"
    assert picture.stat().st_size <= LARGEST_BYTES
    with Image.open(picture) as opened:
        assert opened.format == "PNG"
    (words,) = re.findall(rf"!\[([^\]]+)\]\(docs/pictures/{re.escape(name)}\.png\)", README)
    assert len(words.split()) >= 3, "who cannot see the picture reads this"


def test_every_picture_the_readme_links_is_there() -> None:
    linked = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert [target for target in linked if not (ROOT / target).is_file()] == []


def test_the_scenes_show_every_choice_a_card_can_offer() -> None:
    shown = json.dumps([message.blocks for message in messages().values()])
    labels = (wording.APPROVE, wording.REJECT, wording.RUN_AGAIN, wording.IT_HAPPENED, wording.GIVE_UP)
    labels += (wording.MORE_ROUNDS, wording.ACCEPT, wording.STOP_TURN, wording.GO_ON, wording.TRY_AGAIN)
    labels += (wording.LEAVE,)
    assert [label for label in labels if json.dumps(label) not in shown] == []
