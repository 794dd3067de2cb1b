"""`Secret`: read where the configuration says it is, or refused in words that do not hold it."""

from pathlib import Path

import pytest

from agent.redaction import SECRETS
from agent.tool import ToolError
from infra.tools.secret import MOST_BYTES, Secret


async def test_secret_is_read_from_a_variable_a_file_or_a_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORGE_TOKEN", " t-1 ")
    file = tmp_path / "token"
    file.write_text("t-2\n")
    assert await Secret(env="FORGE_TOKEN").read() == "t-1"
    assert await Secret(file=file).read() == "t-2"
    assert await Secret(command=("echo", "t-3")).read() == "t-3"
    file.write_text("t-4")
    assert await Secret(file=file).read() == "t-4"


@pytest.mark.parametrize(
    "secret",
    [
        Secret(env="NOT_SET_ANYWHERE"),
        Secret(file=Path("not/there")),
        Secret(file=Path()),
        Secret(command=("false",)),
        Secret(command=("no-such-program-anywhere",)),
        Secret(command=("true",)),
        Secret(command=("head", "-c", str(MOST_BYTES + 1), "/dev/zero")),
        Secret(command=("yes",)),
    ],
)
async def test_secret_that_is_not_there_is_named_by_its_place(secret: Secret) -> None:
    with pytest.raises(ToolError, match=r"the variable NOT_SET|the file|what .* prints") as refused:
        await secret.read()
    assert refused.value.code == "no_secret"


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": Path("a")}, {"command": ()}])
def test_secret_has_one_place(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one of"):
        Secret(**given)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("postgresql://app:app-0123456789@db.example/app", "app-0123456789"),
        ("Bearer bearer-0123456789", "bearer-0123456789"),
        ("plain-0123456789", "plain-0123456789"),
    ],
)
@pytest.mark.usefixtures("_knowing_no_secret")
async def test_what_is_read_is_hidden_with_the_password_and_the_token_in_it(
    value: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", value)
    await Secret(env="GIVEN").read()
    assert "[secret the " in SECRETS.hide(f"<{value}>")
    assert part not in SECRETS.hide(f"it says {part}.")
