"""Readings of a text in another language, and how texts are put together: sentences, clauses, lists, numbers."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d`'\u2713\u2715\ue100-\uf0ff])")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|et al|vs|cf|No|e\.g|i\.e)\.$")
_GRAMMAR = re.compile(r"\b(?:the|a|an|is|are|was|were|of|in|on|at|by|for|with|that|which|and|or|not|no|it|its|to|as)\b")
_COMMAS = re.compile(r", (?![^\[\]]*\])(?![^()]*\))")
CLAUSES = re.compile(r"; (?![^()]*\))")
_LIST = re.compile(r", (?![^\[\]]*\])(?![^()]*\))| and (?=\S)(?![^()]*\))")
_COUNT = re.compile(r"(\d[\d,]*) ([a-z][a-z ]*[a-z])")
_BEHIND = re.compile(r"\s*(?:\(\d\)|[(（](?:[^()（）]|\([^()]*\))*[)）])$")  # brackets behind a name
_ERRORS = r"independent errors|known standard errors|errors |each |one common factor|two common factors"
_FIGURE = re.compile(r"[\d\ue100-\uf0ff]")


@dataclass(frozen=True)
class Reading:
    """A text in the other language, how many English words it leaves, and how many letters messages cover."""

    text: str
    left: int
    covered: int
    loose: int = 0  # placeholders that hold more than a name or a number: of two readings the one with fewer counts

    @property
    def rank(self) -> tuple[int, int, int]:
        """Smaller is better."""
        return self.left, -self.covered, self.loose


class Reader(Protocol):
    """What reads a part of a text."""

    def read(self, text: str) -> Reading:
        """The best reading."""

    def paragraph(self, text: str) -> Reading | None:
        """Several sentences that are one message."""


def joined(own: Reader, parts: list[str], sign: str) -> Reading:
    """Texts read one by one, and put together."""
    read = [own.read(part) for part in parts]
    return added(sign.join(part.text for part in read), read)


def added(text: str, parts: Iterable[Reading], covered: int = 0, loose: int = 0) -> Reading:
    """A text put together from parts, and what they leave and cover."""
    parts = list(parts)
    return Reading(
        text,
        sum(part.left for part in parts),
        covered + sum(part.covered for part in parts),
        loose + sum(part.loose for part in parts),
    )


def letters(text: str) -> int:
    """How long a text is without blanks."""
    return len(re.sub(r"\s", "", text))


def is_name(read: Reading, text: str) -> bool:
    """Whether what is left of a text may be a name, and not a sentence that no message covers."""
    return read.left == 0 or (read.left <= 8 and (len(text.split()) <= 3 or not _GRAMMAR.search(read.text)))


def _sentences(own: Reader, text: str) -> Reading | None:
    parts: list[str] = []
    for part in SENTENCE.split(text):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    if len(parts) < 2:
        return None
    read: list[Reading] = []
    start = 0
    while start < len(parts):
        for end in range(len(parts), start + 1, -1):
            several = own.paragraph(" ".join(parts[start:end])) if end - start < len(parts) else None
            if several is not None:
                read.append(several)
                start = end
                break
        else:
            alone = re.fullmatch(r"([\w-]+(?: [\w-]+){0,2})\.", parts[start])  # the name of a claim
            alone = alone if alone and (" " not in alone[1] or own.read(alone[1]).left) else None
            read.append(Reading(f"{alone[1]}：", 0, 0) if alone else _stopped(own.read(parts[start])))
            start += 1
    return added("".join(part.text for part in read), read)


def _stopped(read: Reading) -> Reading:
    """A sentence that ends in a number, or is made of signs and numbers, ends as others do."""
    ours = re.search(r"[\u4e00-\u9fff]", read.text) or not re.search(r"[A-Za-z]{2}", read.text)
    return replace(read, text=f"{read.text[:-1]}。") if ours and read.text.endswith(".") else read


def _closed(own: Reader, text: str) -> Reading | None:
    if not text.endswith(".") or text.endswith("..."):
        return None
    read = own.read(text[:-1])
    return Reading(f"{read.text}。", read.left, read.covered)


def _led(own: Reader, text: str) -> Reading | None:
    """What begins with punctuation: a part that a sentence may have or not."""
    found = re.fullmatch(r"([,;:.])\s+(.+)", text, re.DOTALL)
    if found is None:
        return None
    read = own.read(found[2])
    return Reading({",": "，", ";": "；", ":": "：", ".": "。"}[found[1]] + read.text, read.left, read.covered)


def _clauses(own: Reader, text: str) -> Reading | None:
    parts = CLAUSES.split(text)
    return joined(own, parts, "；") if len(parts) > 1 else None


def _explained(own: Reader, text: str) -> Reading | None:
    before, sign, after = text.partition(": ")
    return joined(own, [before, after], "：") if sign and before.count("(") == before.count(")") else None


def _last_explained(own: Reader, text: str) -> Reading | None:
    before, sign, after = text.rpartition(": ")
    return joined(own, [before, after], "：") if sign and ": " in before else None


def _bracketed(own: Reader, text: str) -> Reading | None:
    """What stands in the first brackets behind a blank."""
    before, _, rest = text.partition(" (")
    depth = 1
    for place, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and before:
            return _around(own, (before, rest[:place], rest[place + 1 :]), "（", "）")
    return None


def _last_bracketed(own: Reader, text: str) -> Reading | None:
    """What stands in brackets at the end, behind other brackets."""
    found = re.fullmatch(r"(.*\)(?:.*\S)?)\s+\(([^()]*)\)()", text, re.DOTALL)
    return _around(own, found.groups(), "（", "）") if found else None


def _listed(own: Reader, text: str) -> Reading | None:
    parts = [part for part in _LIST.split(text) if part.strip()]
    if len(parts) < 2:
        return None
    numbered = [bool(_FIGURE.search(_BEHIND.sub("", part))) for part in parts]
    if " and " in text and any(numbered) and not all(numbered):  # the 'and' is inside something else
        return None
    read = [own.read(part) for part in parts]
    if not all(map(is_name, read, parts)):
        return None
    models = [part.text.endswith("模型") for part in read]
    names = all(map(_is_short, read)) and (all(models) or not models[0])  # a model and one of its equations are no list
    sign = "、" if names else "，"
    last = "和" if names and " and " in text else sign
    return added(sign.join(part.text for part in read[:-1]) + last + read[-1].text, read, 3 * text.count(" and "))


def _all_bracketed(own: Reader, text: str) -> Reading | None:
    """A list of names with brackets behind each."""
    parts = _LIST.split(text)
    return _listed(own, text) if len(parts) > 1 and all(part.endswith(")") for part in parts) else None


def _is_short(read: Reading) -> bool:
    """Whether a part of a list is a name, and no clause: without what stands behind it in brackets."""
    bare = _BEHIND.sub("", read.text)
    return len(bare) <= 16 and not _FIGURE.search(bare) and not re.search("^[按以]|[，；：。]", bare)


def _enumerated(own: Reader, text: str) -> Reading | None:
    """Parts with commas alone between them: an 'and' belongs to one of them."""
    parts = [part for part in _COMMAS.split(text) if part.strip()]
    return joined(own, parts, "，") if len(parts) > 1 and " and " in text else None


def _ranged(own: Reader, text: str) -> Reading | None:
    """From one to another, and names with a sign between them."""
    for sign, other in BETWEEN.items():
        before, found, after = text.partition(sign)
        if found and before and after:
            read = [own.read(before), own.read(after)]
            if all(map(is_name, read, (before, after))):
                return added(other.join(part.text for part in read), read)
    return None


def _quoted(own: Reader, text: str) -> Reading | None:
    found = re.fullmatch(r"(|.*?[^A-Za-z])'(\S|\S[^']*[^'\s])'(|[^A-Za-z].*)", text, re.DOTALL)
    return _around(own, found.groups(), "“", "”") if found else None


def _counted(own: Reader, text: str) -> Reading | None:
    found = _COUNT.fullmatch(text)
    if found is None:
        return None
    noun = own.read(found[2])
    return None if noun.left or _GRAMMAR.fullmatch(found[2]) else Reading(f"{found[1]} 个{noun.text}", 0, noun.covered)


def _with_errors(own: Reader, text: str) -> Reading | None:
    """A model, and its errors behind a comma."""
    found = re.fullmatch(rf"(?!(?i:{_ERRORS}|AR\(1\)|independent|one scale))([^,;:]+), ((?:{_ERRORS})[^;:()]*)", text)
    if found is None:
        return None
    read = [own.read(found[1]), own.read(found[2])]
    return None if any(part.left for part in read) else added(f"{read[0].text}（{read[1].text}）", read, 1)


def _beside_numbers(own: Reader, text: str) -> Reading | None:
    """Words before numbers, such as a name and an estimate; or numbers before words."""
    found = re.fullmatch(r"(.*?[A-Za-z)\]])\s+((?:p )?[-+\u2212<>=\d\[\ue100-\uf0ff].*)", text, re.DOTALL)
    if found is None:
        found = re.fullmatch(r"([-+\u2212<>=\d\[\]\s.,%\ue100-\uf0ff]+)\s+([A-Za-z\[].*)", text, re.DOTALL)
    if found is None:
        return None
    read = [own.read(found[1]), own.read(found[2])]
    return added(" ".join(part.text for part in read), read) if all(map(is_name, read, found.groups())) else None


def _around(own: Reader, parts: Sequence[str], left: str, right: str) -> Reading | None:
    """What stands before brackets or quotes, in them, and behind them."""
    read = [own.read(part) for part in parts]
    if not all(map(is_name, read, parts)):
        return None
    before, inside, after = (part.text for part in read)
    return added(f"{before}{left}{inside}{right}{after}", read)


def _indexed(own: Reader, text: str) -> Reading | None:
    """A quantity of a proposition and its label, such as slope[East]."""
    found = re.fullmatch(r"([a-z][a-z_' ]*)\[([^\[\]]+)\]", text)
    if found is None:
        return None
    read = [own.read(found[1].replace("_", " ")), own.read(found[2])]
    return added(f"{read[0].text}[{read[1].text}]", read)


BETWEEN = {" to ": "至", " less ": "减", " - ": " - ", " -> ": " → ", " x ": " × ", " > ": " > ", "/": "/"}
type Split = Callable[[Reader, str], Reading | None]
WHOLE: tuple[Split, ...] = (_sentences, _closed, _led, _with_errors)  # where one of these holds no other is tried
SPLITS: tuple[Split, ...] = (
    _clauses,
    _explained,
    _last_explained,
    _all_bracketed,
    _bracketed,
    _last_bracketed,
    _listed,
    _enumerated,
    _ranged,
    _quoted,
    _counted,
    _indexed,
    _beside_numbers,
)
