"""Text that LaTeX sets as it is written: no command in it runs."""

import re
import unicodedata
from functools import cache

from bayes_npp.reporting.base.numbers import plain

WIDE = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)  # Chinese and the like
_WORDS = re.compile(rf"{WIDE.pattern}[，。；：、）”？]*|(?:(?!{WIDE.pattern})\S)+")
_SPACED = re.compile(rf"\s*(?:{_WORDS.pattern})")
_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # behind the end of a line it would begin an option of it
    "*": "{*}",
    "\u2212": "$-$",
    "\u2264": r"$\leq$",
    "\u2265": r"$\geq$",
    "\u2260": r"$\neq$",
    "\u2248": r"$\approx$",
    "\u00d7": r"$\times$",
    "\u00b1": r"$\pm$",
    "\u00b7": r"$\cdot$",
    "\u221a": r"$\surd$",
    "\u2192": r"$\to$",
    "\u00b2": r"\textsuperscript{2}",
    "\u2026": r"\ldots{}",
    "\u2013": "--",
    "\u2014": "---",
    "\u00a0": "~",
}
_OPENING = "([{/\u2013\u2014"
_CAPITALS = ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega")
_JOINERS = "\u200d\ufe0e\ufe0f"  # between and behind pictures


def letters_wide(text: str) -> int:
    """How wide a text is in letters; a Chinese character is two."""
    return sum(2 if WIDE.match(sign) else 1 for sign in text)


def words_of(text: str, blanks: bool = False) -> list[str]:
    """What stands on one line: words, and Chinese characters one by one, each with the signs behind it.

    With `blanks` each with those before it.
    """
    return (_SPACED if blanks else _WORDS).findall(text)


def escaped(text: object) -> str:
    """Text with every command, quote and sign escaped.

    Greek letters and a few signs become mathematics. Pictures (emoji), which no text font of LaTeX has, become their
    Unicode names in brackets. Other letters stay; Chinese ones need XeLaTeX or LuaLaTeX.
    """
    signs = plain(text)
    out = "".join(_sign(sign, before) for sign, before in zip(signs, f" {signs}", strict=False))
    return re.sub(r"-(?=-)", "-{}", out)


def coded(text: str) -> str:
    """The same of a text in which what stands between `backticks` is code."""
    pieces = re.split(r"`([^`]*)`", plain(text))
    return "".join(
        rf"\texttt{{{escaped(piece)}}}" if place % 2 else escaped(piece) for place, piece in enumerate(pieces)
    )


@cache
def _sign(sign: str, before: str) -> str:
    """One character behind another, which says whether a quote opens."""
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign in "\"'":
        opens = before.isspace() or before in _OPENING
        return ("``" if opens else "''") if sign == '"' else ("`{}" if opens else "'{}")
    category = unicodedata.category(sign)
    if category[0] == "Z" or sign in "\n\r\t":
        return " "
    if category[0] == "C" or sign in _JOINERS:
        return ""
    name = unicodedata.name(sign, f"U+{ord(sign):04X}")
    if (ord(sign) >= 0x1F000 and not WIDE.match(sign)) or (category == "So" and ord(sign) >= 0x2300):
        return f"{{[}}{name.lower()}]"
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    return _greek(sign, greek[2].replace("LAMDA", "LAMBDA"), greek[1] == "SMALL") if greek else sign


def _greek(sign: str, letter: str, small: bool) -> str:
    if small and letter != "OMICRON":
        return f"$\\{letter.lower()}$"
    return f"$\\{letter.capitalize()}$" if letter.capitalize() in _CAPITALS else sign
