"""Texts of a page in another language: every text is found in the catalogue on its way to the page.

Sentences are written near the numbers, in English, and some stand in the records of a run. So they are put into
another language where names are put into words (`base.wording`): in one place, on the way to the page, and nowhere in
the csv files. A text is a message, or a message whose placeholders hold texts, or texts that are put together by
punctuation. Of all such readings the one counts that leaves the fewest English words, then the one with most words of
messages. What no message covers (names, citations, words of others) stays as it is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayes_npp.reporting.base.catalogue import Message, catalogue, first_lower
from bayes_npp.reporting.base.chinese import typeset
from bayes_npp.reporting.base.numbers import TAGGED
from bayes_npp.reporting.base.wording import Wording

ATOM = 0xE100  # numbers with their references travel as one character each
ATOMS = 0xF0FF - ATOM
MOST = 14  # messages tried for a text, those with most words first
_WORD = re.compile(r"[A-Za-z]{2,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d`'\u2713\u2715\ue100-\uf0ff])")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|et al|vs|cf|No|e\.g|i\.e)\.$")
_LIST = re.compile(r", | and (?=\S)")
_COUNT = re.compile(r"(\d[\d,]*) ([a-z][a-z ]*[a-z])")
_KEPT = re.compile(
    r"`[^`]*`|\]\([^()]*\)|[\w./-]+\.(?:csv|json|md|toml|html|py|cff)\b|\b(?:TWFE|GMM|PCA|CCE|OLS|CRITIC|Stata|AR|PSIS|"
    r"MCSE|ESS|SD|SDs|elpd|rho|hat|Pareto|Hansen|Sargan|Wald|Holm|Chow|Fisher|Welch|Driscoll|Kraay|xtsum|ln|GDP|CD)\b"
)


@dataclass(frozen=True)
class Reading:
    """A text in the other language, how many English words it leaves, and how many letters messages cover."""

    text: str
    left: int
    covered: int

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is better."""
        return self.left, -self.covered


@dataclass(frozen=True)
class Pattern:
    """A message with placeholders as an expression, and its longest literal part, which every match contains."""

    message: Message
    expression: re.Pattern[str]
    longest: str
    letters: int


def translated(worded: Wording, language: str, words: Mapping[str, str]) -> Wording:
    """What puts a text, names already exchanged for words, into another language.

    Parameters
    ----------
    worded : callable
        What exchanges names for words (`wording`); messages in the code hold names too.
    language : str
    words : mapping
        A study's own texts in that language, by what they are in English.
    """
    translation = Translation(worded, catalogue(language), words)

    def say(text: str, column: str = "") -> str:
        return translation(worded(text, column))

    return say


class Translation:
    """The readings of texts by a catalogue; what was read once is not read again."""

    def __init__(self, worded: Wording, messages: tuple[Message, ...], words: Mapping[str, str]) -> None:
        self.exact: dict[str, str] = {}
        self.patterns: list[Pattern] = []
        for message in messages:
            if any(name for _, name in message.pieces):
                self.patterns.append(_pattern(message, worded))
            else:
                self.exact[first_lower(worded(message.text))] = message.translation
        self.patterns.sort(key=lambda pattern: -pattern.letters)
        self.own = {first_lower(text): other for text, other in words.items()}
        self.known: dict[str, Reading] = {}

    def __call__(self, text: str) -> str:
        """A text in the other language."""
        if not _WORD.search(text):
            return text
        found: list[str] = []

        def atom(match: re.Match[str]) -> str:
            found.append(match[0])
            return chr(ATOM + len(found) - 1)

        bare = TAGGED.sub(atom, text) if len(TAGGED.findall(text)) < ATOMS else text
        out = typeset(self.read(bare).text)
        return re.sub(f"[{chr(ATOM)}-{chr(ATOM + ATOMS)}]", lambda match: found[ord(match[0]) - ATOM], out)

    def read(self, text: str) -> Reading:
        """The best reading of a text."""
        text = text.strip()
        reading = self.known.get(text)
        if reading is None:
            reading = self.known[text] = self._read(text)
        return reading

    def _read(self, text: str) -> Reading:
        if not _WORD.search(text):
            return Reading(text, 0, 0)
        key = first_lower(text)
        other = self.own.get(key) or self.exact.get(key)
        if other is not None:
            return Reading(other, 0, len(text))
        best = Reading(text, len(_WORD.findall(_KEPT.sub("", text))), 0)
        if best.left == 0:
            return best
        tried = 0
        for pattern in self.patterns:
            if pattern.longest not in key or not (match := pattern.expression.fullmatch(text)):
                continue
            best = min(best, self._filled(pattern, match), key=lambda one: one.rank)
            tried += 1
            if tried == MOST or (best.left == 0 and 2 * best.covered > len(text)):
                break
        if best.left or 2 * best.covered <= len(text):
            for split in SPLITS:
                if (joined := split(self, text)) is not None:
                    best = min(best, joined, key=lambda one: one.rank)
        return best

    def _filled(self, pattern: Pattern, match: re.Match[str]) -> Reading:
        names = [name for _, name in pattern.message.pieces if name]
        parts = [self.read(part or "") for part in match.groups()]
        used = {name: part for name, part in zip(names, parts, strict=True) if f"{{{name}" in pattern.message.translation}
        text = pattern.message.filled({name: part.text for name, part in used.items()})
        return Reading(
            text, sum(part.left for part in used.values()), pattern.letters + sum(part.covered for part in parts)
        )

    def joined(self, parts: list[str], sign: str) -> Reading:
        """Texts read one by one, and put together."""
        read = [self.read(part) for part in parts]
        return Reading(
            sign.join(part.text for part in read),
            sum(part.left for part in read),
            sum(part.covered for part in read),
        )


def _pattern(message: Message, worded: Wording) -> Pattern:
    """Literal parts as they stand in a text whose names are words, any text between them."""
    marked, names = "", 0
    for literal, name in message.pieces:
        marked += literal
        if name:
            marked += chr(ATOM + names)
            names += 1
    marked = worded(marked)
    literals = re.split(f"[{chr(ATOM)}-{chr(ATOM + ATOMS)}]", marked)
    expression = "(.*?)".join(re.sub(r"(?:\\\s)+", r"\\s+", re.escape(literal)) for literal in literals)
    first = literals[0][:1]
    if first.isalpha():
        expression = f"[{first.lower()}{first.upper()}]" + expression[1:]
    if re.fullmatch(r"\{number\} [a-z ]+", message.text):  # a count: its noun has two forms
        expression = expression.removesuffix("y") + "(?:y|ies)" if expression.endswith("y") else f"{expression}s?"
    lowered = [first_lower(re.sub(r"\s+", " ", one)) if n == 0 else re.sub(r"\s+", " ", one) for n, one in enumerate(literals)]
    longest = max((one.strip() for one in lowered), key=len)
    letters = sum(len(re.sub(r"\s", "", one)) for one in literals)
    return Pattern(message, re.compile(expression, re.DOTALL), longest, letters)


type Split = Callable[[Translation, str], Reading | None]


def _sentences(own: Translation, text: str) -> Reading | None:
    parts: list[str] = []
    for part in _SENTENCE.split(text):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return own.joined(parts, "") if len(parts) > 1 else None


def _closed(own: Translation, text: str) -> Reading | None:
    if not text.endswith(".") or text.endswith("..."):
        return None
    read = own.read(text[:-1])
    return Reading(f"{read.text}。", read.left, read.covered)


def _led(own: Translation, text: str) -> Reading | None:
    """What begins with punctuation: a part that a sentence may have or not."""
    found = re.fullmatch(r"([,;:.])\s+(.+)", text, re.DOTALL)
    if found is None:
        return None
    read = own.read(found[2])
    return Reading({",": "，", ";": "；", ":": "：", ".": "。"}[found[1]] + read.text, read.left, read.covered)


def _clauses(own: Translation, text: str) -> Reading | None:
    return own.joined(text.split("; "), "；") if "; " in text else None


def _explained(own: Translation, text: str) -> Reading | None:
    before, sign, after = text.partition(": ")
    return own.joined([before, after], "：") if sign else None


def _last_explained(own: Translation, text: str) -> Reading | None:
    before, sign, after = text.rpartition(": ")
    return own.joined([before, after], "：") if sign and ": " in before else None


def _bracketed(own: Translation, text: str) -> Reading | None:
    found = re.fullmatch(r"(.+?)\s*\((.+)\)(.*)", text, re.DOTALL)
    if found is None or found[1][-1] in "P]":
        return None
    before, inside, after = (own.read(part) for part in found.groups())
    return Reading(
        f"{before.text}（{inside.text}）{after.text}",
        before.left + inside.left + after.left,
        before.covered + inside.covered + after.covered,
    )


def _listed(own: Translation, text: str) -> Reading | None:
    parts = [part for part in _LIST.split(text) if part.strip()]
    if len(parts) < 2:
        return None
    read = [own.read(part) for part in parts]
    names = all(len(part.text) <= 24 and not re.search(r"\d", part.text) for part in read)
    sign = "、" if names else "，"
    last = "和" if names and " and " in text else sign
    joined = sign.join(part.text for part in read[:-1]) + last + read[-1].text
    return Reading(joined, sum(part.left for part in read), sum(part.covered for part in read))


def _ranged(own: Translation, text: str) -> Reading | None:
    """From one to another, and names with a sign between them."""
    for sign, other in ((" to ", "至"), (" less ", "减"), (" - ", " - "), (" -> ", " → "), (" x ", " × "), (" > ", " > "), ("/", "/")):
        before, found, after = text.partition(sign)
        if found and before and after:
            return own.joined([before, after], other)
    return None


def _quoted(own: Translation, text: str) -> Reading | None:
    found = re.fullmatch(r"(.*?)'([^']+)'(.*)", text, re.DOTALL)
    if found is None:
        return None
    before, inside, after = (own.read(part) for part in found.groups())
    return Reading(
        f"{before.text}“{inside.text}”{after.text}",
        before.left + inside.left + after.left,
        before.covered + inside.covered + after.covered,
    )


def _counted(own: Translation, text: str) -> Reading | None:
    found = _COUNT.fullmatch(text)
    if found is None:
        return None
    noun = own.read(found[2])
    return Reading(f"{found[1]} 个{noun.text}", noun.left, noun.covered)


def _beside_numbers(own: Translation, text: str) -> Reading | None:
    """Words before numbers, such as a name and an estimate; or numbers before words."""
    found = re.fullmatch(r"(.*?[A-Za-z)])\s+([-+\u2212<>=\d\[\ue100-\uf0ff].*)", text, re.DOTALL)
    if found is None:
        found = re.fullmatch(r"([-+\u2212<>=\d\[\]\s.,%\ue100-\uf0ff]+)\s+([A-Za-z].*)", text, re.DOTALL)
    return own.joined([found[1], found[2]], " ") if found else None


SPLITS: tuple[Split, ...] = (
    _sentences,
    _closed,
    _led,
    _clauses,
    _explained,
    _last_explained,
    _bracketed,
    _listed,
    _ranged,
    _quoted,
    _counted,
    _beside_numbers,
)
