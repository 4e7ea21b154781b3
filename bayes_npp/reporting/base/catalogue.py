"""The catalogue of a language: every message of ours with its translation, read from `locale/<language>.po`.

The file is what translators edit and what is read; nothing is compiled and nothing is translated while a report is
written. `tools/messages.py` keeps it in step with the code, a test refuses a message without its translation.
"""

import re
import string
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bayes_npp.errors import SpecError

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
BOTH = "both"
CHOICES = (*LANGUAGES, BOTH)


def spoken(language: str) -> tuple[str, ...]:
    """The languages of a page; `both` are two.

    Raises
    ------
    SpecError
        There are no texts in that language.
    """
    if language not in CHOICES:
        raise SpecError(f"there is no report in '{language}'", fix=f"Choose one of {', '.join(CHOICES)}")
    return LANGUAGES if language == BOTH else (language,)


@dataclass(frozen=True)
class Message:
    """A sentence or a part of one, and its translation; {names} stand for what differs from report to report."""

    text: str
    translation: str

    @property
    def pieces(self) -> tuple[tuple[str, str], ...]:
        """Literal text, and the name of the placeholder after it (empty at the end)."""
        return tuple((literal, field or "") for literal, field, _, _ in string.Formatter().parse(self.text))

    def filled(self, values: dict[str, str]) -> str:
        """The translation with values in the place of its names."""
        parts = string.Formatter().parse(self.translation)
        return "".join(literal + values.get(field or "", "") for literal, field, _, _ in parts)


@cache
def catalogue(language: str) -> tuple[Message, ...]:
    """Every message of a language."""
    from babel.messages.pofile import read_po

    path = files("bayes_npp.reporting") / "locale" / f"{language}.po"
    with path.open("rb") as file:
        read = read_po(file, abort_invalid=True)
    return tuple(Message(str(one.id), str(one.string)) for one in read if one.id and one.string)


@cache
def vocabulary() -> frozenset[str]:
    """Words of our own sentences, in small letters but for abbreviations; what stands in their places is none."""
    text = (files("bayes_npp.reporting") / "locale" / f"{CHINESE}.po").read_text(encoding="utf-8")
    ours = "".join(re.findall(r'^(?:msgid )?"(.*)"$', text, re.MULTILINE))  # translations have few English words
    words = re.findall(r"[^\W\d_][\w/-]*", re.sub(r"\{\w*\}|`[^`]*`", " ", ours))
    return frozenset(word if word.isupper() else word.lower() for word in words)


def first_lower(text: str) -> str:
    """A key of a text: sentences begin with a capital letter, the same words inside one do not."""
    return re.sub(r"\s+", " ", text[:1].lower() + text[1:]).strip()
