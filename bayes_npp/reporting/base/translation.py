"""Texts of a page in another language: every text is found in the catalogue on its way to the page.

Sentences are written near the numbers, in English, and some stand in the records of a run. So they are put into
another language where names are put into words (`base.wording`): in one place, on the way to the page, and nowhere in
the csv files. A text is a message, or a message whose placeholders hold texts, or texts that are put together by
punctuation. Of all such readings the one counts that leaves the fewest English words, then the one with most words of
messages. What no message covers (names, citations, words of others) stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bayes_npp.reporting.base.catalogue import ENGLISH, Message, catalogue, first_lower
from bayes_npp.reporting.base.chinese import typeset, wrapped
from bayes_npp.reporting.base.numbers import TAGGED
from bayes_npp.reporting.base.readings import CLAUSES, SENTENCE, SPLITS, WHOLE, Reading, added, is_name, letters
from bayes_npp.reporting.base.study_words import MODEL
from bayes_npp.reporting.base.wording import Wording, unchanged

ATOM = 0xE100  # numbers with their references travel as one character each
ATOMS = 0xF0FF - ATOM
NAME = 0xF100  # a study's own texts with commas in them, which are no lists
NAMES = 0xF8FF - NAME
CERTAIN = 36  # letters of a message that is taken at once where it leaves nothing
TELLING = 20  # letters from which a message is taken although a placeholder of it holds unknown words
SHORT = 6  # and from which one is where they may be names
LONG = 240  # letters of a text that only such messages may be
QUOTED = ("model", "declared", "own")  # places that hold names in quotes
SINGLE = ("unit", "period", "period_word")  # places of one word, in short messages
COUNTS = ("count", "number", "table", "t")  # places of one number, or of its word
NAMED = ("estimand", "model")  # places of names, which begin with no digit
NUMBERS = ("lo", "hi", "low", "high", "lowest", "highest")  # places of numbers
WORDS = (
    "name",
    "found",
    "verb",
    "by",
    "gives",
    "left",
    "else",
    "how",
    "text2",
    "per_sd",
)  # and places that hold words behind a blank
MORE = ("under", "more", "used", "bound", "else", "text2")  # places of a part that is there or not, behind another
MOST = 14  # messages tried for a text, those with most words first
_WORD = re.compile(r"[A-Za-z]{2,}")
_PLACE = re.compile(r"\{[^{}]*\}")
_NUMERIC = r"[-+\u2212<>=\d\[({\ue100-\uf0ff]"
_COUNTED = re.compile(r" (?:units|rows|periods|checks|draws|dots|pairs|chains|instruments)\b")
_ANY = r"((?:[^\[\]()]|\[[^\[\]]*\]|\((?:[^()]|\([^()]*\))*\))*?)"  # whatever brackets do not part
_ONE = r"((?:(?! and )[^,;:()\d])*?)"
_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_MARKS = re.compile(r"[,;:]\s")
_IS = re.compile("\u4e3a (?=(?:\ue000[^\ue001]*\ue001[^\ue001]*\ue001)?[<>] )")  # 'is' before a sign of relation
_KEPT = re.compile(
    r"`[^`]*`|\]\([^()]*\)|[\w./-]+\.(?:csv|json|md|toml|html|py|cff)\b|\b(?:TWFE|GMM|PCA|CCE|OLS|CRITIC|Stata|AR|PSIS|"
    r"MCSE|ESS|SD|SDs|elpd|rho|hat|Pareto|Hansen|stata|hc0|cr1|sss|lsdv|Sargan|Wald|Holm|Chow|Fisher|Welch|Driscoll|Kraay|xtsum|ln|GDP|CD)\b"
)


@dataclass(frozen=True)
class Pattern:
    """A message with placeholders as an expression, and its longest literal part, which every match contains."""

    message: Message
    expression: re.Pattern[str]
    longest: str
    letters: int


def said_in(language: str, worded: Wording = unchanged, words: Mapping[str, str] = MappingProxyType({})) -> Wording:
    """What puts texts into a language, names exchanged for words on the way; English ones are there already."""
    return worded if language == ENGLISH else translated(worded, language, words)


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
        text = worded(text, column)
        if shown := translation.own.get(f"[{column}] {text}") or translation.exact.get(
            f"[{column}] {first_lower(text)}"
        ):
            return shown
        shown = translation(text)
        lines = text.split("\n")
        if len(lines) == 1 or shown == text:
            return shown
        return wrapped(shown, max(map(len, lines)) // 2 + 1)  # a label of a figure; a Chinese character is wide

    return say


class Translation:
    """The readings of texts by a catalogue; what was read once is not read again."""

    def __init__(self, worded: Wording, messages: tuple[Message, ...], words: Mapping[str, str]) -> None:
        self.exact: dict[str, str] = {}
        self.patterns: list[Pattern] = []
        for message in (*messages, *filter(None, map(_without_comma, messages))):
            if any(name for _, name in message.pieces):
                self.patterns.append(_pattern(message, worded))
            else:
                self.exact[first_lower(worded(message.text))] = message.translation
        self.patterns = [pattern for pattern in self.patterns if pattern.letters]
        self.patterns.sort(key=lambda pattern: -pattern.letters)
        self.paragraphs = [one for one in self.patterns if SENTENCE.search(_PLACE.sub("X", one.message.text))]
        self.own = {first_lower(text): other for text, other in words.items()}
        for text, other in words.items():  # names of models stand alone, too, where they are no words of ours
            if (name := first_lower(text.removeprefix(MODEL))) not in self.exact:
                self.own.setdefault(name, other)
        self.several = _several(words)
        self.known: dict[str, Reading] = {}

    def __call__(self, text: str) -> str:
        """A text in the other language."""
        if not _WORD.search(text):
            return typeset(text)
        found: list[str] = []

        def atom(match: re.Match[str]) -> str:
            found.append(match[0])
            return chr(ATOM + len(found) - 1)

        bare = TAGGED.sub(atom, text) if len(TAGGED.findall(text)) < ATOMS else text
        names: list[str] = []

        def name(match: re.Match[str]) -> str:
            names.append(self.own.get(first_lower(match[0]), match[0]))
            return chr(NAME + len(names) - 1)

        if first_lower(bare) not in self.own:
            bare = self.several.sub(name, bare, count=NAMES)
        out = self.read(bare).text
        out = typeset(re.sub(f"[{chr(NAME)}-{chr(NAME + NAMES)}]", lambda match: names[ord(match[0]) - NAME], out))
        out = re.sub(f"[{chr(ATOM)}-{chr(ATOM + ATOMS)}]", lambda match: found[ord(match[0]) - ATOM], out)
        return _IS.sub(" ", out)

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
            return Reading(other, 0, letters(text))
        best = Reading(text, len(_WORD.findall(_KEPT.sub("", text))), 0)
        if best.left == 0:
            return best
        tried = 0
        for pattern in self.patterns:
            if pattern.letters < TELLING and len(text) > LONG:
                break
            if pattern.longest not in key or not (match := pattern.expression.fullmatch(text)):
                continue
            if text in match.groups() or (pattern.letters < TELLING and self.parted(pattern, text)):
                continue
            filled = self._filled(pattern, match)
            if pattern.letters >= CERTAIN and filled.left == 0:
                return filled
            if pattern.letters >= TELLING or filled.left == 0 or self.named(match, pattern.letters < SHORT):
                best = min(best, filled, key=lambda one: one.rank)
            tried += 1
            if tried == MOST or (best.left == 0 and best.loose == 0):
                break
        if best.left == 0 and best.loose == 0:
            return best
        for split in WHOLE:
            if (joined := split(self, text)) is not None:
                return min(best, joined, key=lambda one: one.rank)
        for split in SPLITS:
            if (joined := split(self, text)) is not None:
                best = min(best, joined, key=lambda one: one.rank)
                if best.left == 0 and best.loose == 0:
                    break
        return best

    def paragraph(self, text: str) -> Reading | None:
        """Several sentences that are one message."""
        key = first_lower(text)
        if (other := self.own.get(key) or self.exact.get(key)) is not None:
            return Reading(other, 0, letters(text))
        for pattern in self.paragraphs:
            match = pattern.expression.fullmatch(text) if pattern.longest in key else None
            if match and not any(SENTENCE.search(part or "") for part in match.groups()):
                return self._filled(pattern, match)
        return None

    @staticmethod
    def parted(pattern: Pattern, text: str) -> bool:
        """Whether a text has clauses or sentences where a message has none."""
        own = _PLACE.sub("X", pattern.message.text)
        return any(sign.search(text) and not sign.search(own) for sign in (CLAUSES, SENTENCE))

    def named(self, match: re.Match[str], short: bool) -> bool:
        """Whether what a message does not cover may be names; of a short message, names of one word."""
        read = [(self.read(part or ""), part or "") for part in match.groups()]
        if short:
            return all(own.left == 0 or re.fullmatch(r"[\w.]+", part) for own, part in read)
        return all(is_name(own, part) for own, part in read)

    def _placed(self, name: str, part: str) -> Reading:
        """What stands in a place: a model by its name, whatever else the word may mean."""
        model = self.own.get(f"{MODEL}{part}") if name == "model" else None
        return self.read(part) if model is None else Reading(model, 0, letters(part))

    def _filled(self, pattern: Pattern, match: re.Match[str]) -> Reading:
        names = [name for _, name in pattern.message.pieces if name]
        parts = [self._placed(name, part or "") for name, part in zip(names, match.groups(), strict=True)]
        used = {
            name: part for name, part in zip(names, parts, strict=True) if f"{{{name}" in pattern.message.translation
        }
        text = pattern.message.filled({name: part.text for name, part in used.items()})
        return added(
            text,
            used.values(),
            pattern.letters,
            sum(_is_loose(part or "", own) for part, own in zip(match.groups(), parts, strict=True)),
        )


def _several(words: Mapping[str, str]) -> re.Pattern[str]:
    """A study's own names of several parts, wherever they stand in a text."""
    names = sorted((text for text in words if ", " in text), key=len, reverse=True)
    said = "|".join(f"[{re.escape(text[0].lower() + text[0].upper())}]{re.escape(text[1:])}" for text in names)
    return re.compile(rf"(?<!\w)(?:{said or '(?!)'})(?!\w)")


def _is_loose(text: str, read: Reading) -> bool:
    """Whether what stands in a place may be more than belongs there: parts of a sentence, not a list of names."""
    return bool(_MARKS.search(_BRACKETED.sub("", text))) and ("、" not in read.text or "，" in read.text)


def _without_comma(message: Message) -> Message | None:
    """What continues a sentence may be read alone, where its text is a list."""
    if not message.text.startswith(", "):
        return None
    return Message(message.text.removeprefix(", "), message.translation.lstrip("，"))


def _pattern(message: Message, worded: Wording) -> Pattern:
    """Literal parts as they stand in a text whose names are words, any text between them."""
    marked, names = "", 0
    for literal, name in message.pieces:
        marked += literal
        if name:
            marked += chr(ATOM + names)
            names += 1
    literals = re.split(f"[{chr(ATOM)}-{chr(ATOM + ATOMS)}]", worded(marked))
    places = [name for _, name in message.pieces if name]
    kept = {name for _, name in Message(message.translation, "").pieces}
    expression = _expression(literals, places, kept)
    first = literals[0][:1]
    if first.isalpha():
        expression = f"[{first.lower()}{first.upper()}]" + expression[1:]
    if re.fullmatch(r"\{number\} [a-z ]+", message.text) and not expression.endswith(
        "s"
    ):  # a count: its noun has two forms
        expression = expression.removesuffix("y") + "(?:y|ies)" if expression.endswith("y") else f"{expression}s?"
    literals = [one.removeprefix(" errors") if n else one for n, one in enumerate(literals)]  # which need not be there
    lowered = [
        first_lower(re.sub(r"\s+", " ", one)) if n == 0 else re.sub(r"\s+", " ", one) for n, one in enumerate(literals)
    ]
    longest = max((part.strip() for one in lowered for part in one.split("'")), key=len)[1:]  # but its capital
    told = sum(map(letters, literals)) + sum(name in NUMBERS for name in places)  # numbers say what a message is of
    return Pattern(message, re.compile(expression, re.DOTALL), longest, told)


def _gap(name: str, short: bool, kept: set[str], after: str, before: str) -> str:
    """What may stand in a place, given the text before and behind it."""
    if name not in kept:
        return "([a-z]*)"
    if before == "" and name in MORE:
        return r"((?:\s?[,;:.(].*|\s(?:and|Its) .*)?)"
    if name == "found" and before == " ":
        return "((?:through|no|none) .*?)"
    if name in COUNTS or _COUNTED.match(after) or (name == "total" and after.startswith(" of")):
        return r"([\w,.]+|[\ue100-\uf0ff])"
    if name in NUMBERS:
        return rf"((?={_NUMERIC}).*?)"
    if name == "interval":
        return r"(\[[^\[\]]*\]|[^\[\]]*?)"
    if name in NAMED:
        return r"((?!\d|SD )(?:(?! and ).)*?)" if after.startswith(" of") else r"((?!\d).*?)"
    return _ONE if short and name in SINGLE else _ANY


def _expression(literals: list[str], names: list[str], kept: set[str]) -> str:
    """An expression of literal parts and what stands between them.

    A number stands behind a blank between two places, unless the second is a word; a stop ends no number; models lose
    their quotes and error models the word 'errors' where they are put into words; what a translation does not say (a
    verb, the ending of a plural) is one word or none.
    """
    out = [re.sub(r"(?:\\\s)+", r"\\s+", re.escape(literal)) for literal in literals]
    for place, name in enumerate(names):
        if out[place].endswith(r"\."):
            out[place] += r"(?!\d)"
        if place > 0 and literals[place] == " " and name not in WORDS:
            out[place] += rf"(?={_NUMERIC}|no |none)"
        if name in QUOTED and out[place].endswith("'") and out[place + 1].startswith("'"):
            out[place] += "?"
            out[place + 1] = "'?" + out[place + 1][1:]
        if out[place + 1].startswith(r"\s+errors"):
            out[place + 1] = r"(?:\s+errors)?" + out[place + 1].removeprefix(r"\s+errors")
    short = sum(map(letters, literals)) < 1.2 * TELLING and "kind" not in names
    behind = literals[1:]
    gaps = [
        _gap(name, short, kept, after, before)
        for name, after, before in zip(names, behind, ["-", *behind[:-1]], strict=True)
    ]
    return out[0] + "".join(gap + literal for gap, literal in zip(gaps, out[1:], strict=True))
