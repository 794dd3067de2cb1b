"""Lists that an operator describes in a file, such as tools or goals."""

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class ListFileInvalid(Exception):
    """The file is no such list; the text names the place and the fault."""


class Described(BaseModel):
    """An entry of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


_Entry = TypeVar("_Entry", bound=Described)


def read_list(path: Path, key: str, adapter: TypeAdapter[list[_Entry]]) -> list[_Entry]:
    """Return the entries of a file in its order: a JSON list, `{KEY: [...]}`, or TOML (by its suffix) with `[[KEY]]`.

    Raises:
        OSError: the file cannot be read.
        ListFileInvalid: it has another form, or two entries have the same name.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        entries = adapter.validate_python(content[key] if isinstance(content, dict) else content)
    except KeyError as error:
        raise ListFileInvalid(f"{path}: neither a list of {key} nor an object with `{key}`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise ListFileInvalid(f"{path}: {where}{first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ListFileInvalid(f"{path}: {error}") from error
    names = [entry.name for entry in entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ListFileInvalid(f"{path}: there are two {key} {twice!r}")
    return entries
