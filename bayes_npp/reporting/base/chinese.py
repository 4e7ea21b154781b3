"""How Chinese is set: full-width punctuation, none of the blanks around it, one blank beside Latin letters and digits.

Parts of a sentence are put together from pieces that may be Chinese or not (a name, a number, a list), so punctuation
between them is settled here, once the sentence stands. Code and the targets of links stay as they are.
"""

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_FULL = "，。；：（）、“”？！《》"
_WIDE = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！"}
_AFTER = re.compile(rf"(?<=[{_HAN}{_FULL}])\s*([,;:?!])(?:\s+|(?=[{_HAN}])|$)")
_BEFORE = re.compile(rf"\s*([,;:])\s+(?=[{_HAN}])")
_STOP = re.compile(rf"(?<=[{_HAN}）”])\.(?=\s|$|[{_HAN}])")
_BRACKETS = re.compile(r"(?P<before>.?)(?P<blank>\s*)\((?P<inside>(?:[^()]|\([^()]*\))*)\)(?!\s*/)")
_BLANKS = re.compile(rf"[ \t]*([{_FULL}])[ \t]*")
_PER_CENT = re.compile(r"(?<=\d) %")
_BESIDE = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z0-9`{{\ue100-\uf0ff])|(?<=[A-Za-z0-9%`}}\ue100-\uf0ff])(?=[{_HAN}])")
_MINUS = re.compile(rf"(?<=[{_HAN}])(?=[-\u2212+<>=\[]\s?[-\u2212\d\ue100-\uf0ff])")
_CLOSED = re.compile(rf"((?<!\])\([^()]*\)|(?<=[\d%\ue100-\uf0ff])\])(?=[{_HAN}])")  # of a function, of an interval
_INSIDE = re.compile(
    r"(?<=[\w\])%*]); |(?<=[\d\])%*\ue100-\uf0ff]), (?=[a-z]\b|[A-Z]\(|\*|[-\u2212<>=\d\ue100-\uf0ff])"
)
_BESIDE_NUMBERS = re.compile(r"(?<=[\d\])%*\ue100-\uf0ff])[,;] ")
_ENGLISH = re.compile(r"[a-z]{2,} [a-z]{2,}")
_NEXT_WORDS = {"上一年份": "上一年", "下一年份": "下一年", "上一月份": "上个月", "下一月份": "下个月"}
_NEXT = re.compile("|".join(_NEXT_WORDS))
_IS_HAN = re.compile(f"[{_HAN}]")


def typeset(text: str) -> str:
    """Chinese text as it is printed; of text without a Chinese character what stands between numbers."""
    if not _IS_HAN.search(text):
        return text if _ENGLISH.search(text) else _PER_CENT.sub("%", _between(text, _BESIDE_NUMBERS))
    text = _between(text, _INSIDE)
    text = _BRACKETS.sub(_bracketed, text)
    text = _AFTER.sub(lambda found: _WIDE[found[1]], text)
    text = _BEFORE.sub(lambda found: _WIDE[found[1]], text)
    text = _STOP.sub("。", text)
    text = _BLANKS.sub(r"\1", text)
    text = _PER_CENT.sub("%", text)
    text = _BESIDE.sub(" ", _MINUS.sub(" ", _CLOSED.sub(r"\1 ", text)))
    text = _NEXT.sub(lambda found: _NEXT_WORDS[found[0]], text)
    return re.sub("。+", "。", text).replace("；。", "。").replace("。；", "；").strip()


def _between(text: str, marks: re.Pattern[str]) -> str:
    """Marks outside of brackets and code, made wide."""
    depth, code, outside = 0, False, []
    for sign in text:
        code ^= sign == "`"
        depth += (sign in "([") - (sign in ")]")
        outside.append(depth <= 0 and not code)
    return marks.sub(lambda found: _WIDE[found[0][0]] if outside[found.start()] else found[0], text)


def wrapped(text: str, width: int) -> str:
    """Chinese text in lines of so many characters, none of which begins with a stop, a comma or a closing bracket."""
    lines: list[str] = []
    for letter in text:
        if not lines or (len(lines[-1]) >= width and letter not in "，。；：）、”？！"):
            lines.append("")
        lines[-1] += letter
    return "\n".join(line.strip() for line in lines)


def _bracketed(found: re.Match[str]) -> str:
    """Brackets are wide where what they hold or what stands before them is Chinese; those of a function are not."""
    before, inside = found["before"], found["inside"]
    if before == "/" or (re.match(r"[]A-Za-z]", before) and not found["blank"]):  # a divisor, a link, a function
        return found[0]
    inside = _BRACKETS.sub(_bracketed, inside)
    if _IS_HAN.search(before) or _IS_HAN.search(inside) or before in tuple(_FULL):
        return f"{before}（{inside}）"
    return found[0]
