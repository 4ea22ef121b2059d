"""One setting: what is declared of it, and how a value of it is read, wherever it stands."""

from __future__ import annotations

import dataclasses
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Setting", "SettingError", "read_toml", "setting", "split", "value_of"]


class SettingError(ValueError):
    """A setting that cannot be used. Its text is one line that names the setting."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.splitlines()))


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting."""

    name: str
    default: Any
    help: str
    placeholder: str
    repeatable: bool
    parse: Callable[[Any], Any]
    at_start_only: bool

    @property
    def flag(self) -> str:
        """The name on the command line, without the dashes."""
        return self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value: to be given is to be on."""
        return isinstance(self.default, bool)


def setting(
    default: Any,
    parse: Callable[[Any], Any],
    placeholder: str,
    help: str,  # noqa: A002 the field's word
    *,
    at_start_only: bool = False,
) -> Any:
    """A field of ``Settings`` with its declaration; a tuple as default makes it repeatable.

    What is for the start only keeps its value when settings are read anew.
    """
    metadata = {
        "parse": parse,
        "placeholder": placeholder,
        "help": help,
        "at_start_only": at_start_only,
    }
    return dataclasses.field(default=default, metadata=metadata)


def value_of(setting: Setting, raws: list[Any], source: str) -> Any:
    """The checked value; a setting that is not repeatable takes the last one given."""
    if not raws:
        # Nothing where something may be given is a mistake: an empty list of
        # allowed origins, say, would let everybody in.
        raise SettingError(f"{source}: at least one value is needed")
    values = tuple(_parsed(setting, raw, source) for raw in raws)
    return values if setting.repeatable else values[-1]


def _parsed(setting: Setting, raw: Any, source: str) -> Any:
    try:
        return setting.parse(raw)
    except ValueError as error:
        raise SettingError(f"{source}: {error}, not {raw!r}") from None


def split(raw: str, source: str) -> list[str]:
    r"""Split at spaces that are not quoted; a backslash is one, as in ``interface=\:\:1``."""
    words = shlex.shlex(raw, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.escape = words.commenters = ""
    try:
        return list(words)
    except ValueError as error:
        raise SettingError(f"{source}: {error}") from None


def read_toml(path: str) -> dict[str, Any]:
    """What a file of settings says, or ``SettingError``."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"config: {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingError(f"config: {path}: {error}") from None
