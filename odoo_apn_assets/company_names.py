"""One spelling for a company's name, so that Odoo's and AWS's records of it meet.

Belongs here: rules over text. Does not belong here: comparing names, or where they come from.
"""

from __future__ import annotations

import re
import unicodedata

RULES_VERSION = "1"
"""To be raised with every change of a rule."""

LONGEST = 500

# Of English-speaking countries; of German-speaking ones, Benelux and the North; of the Romance languages; of Eastern
# Europe and Asia.
_FORMS = """
    inc incorporated corp corporation co company llc llp lp ltd limited plc pllc pc pty proprietary pvt private pte
    gmbh mbh ag kg kgaa ohg ug gbr ev se bv nv bvba sprl vof ab as asa aps oy oyj hf ehf
    sa sas sasu sarl eurl srl srls spa snc sl slu sc sca ltda eireli lda
    sro kft zrt doo dd ood eood ad spzoo zoo sp uab sia ou kk gk yk bhd sdn tbk pt jsc ooo
"""
_LEGAL_FORMS = frozenset(_FORMS.split())
_LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"}
_FOLD = str.maketrans(_LETTERS)
_MASKED = re.compile(r"\s*accept\s+to\s+view\s*", re.IGNORECASE)
_APOSTROPHE = re.compile("['’`´ʼ]")
_OTHER = re.compile(r"[\W_]+")


def normalized_company_name(name: str | None) -> str | None:
    """The name in lower case without accents, punctuation, a leading "The" and trailing legal forms.

    "The Müller & Sons Co., Ltd." -> "muller and sons". A name that is nothing but legal forms keeps its first word.
    None when nothing is left, and for AWS's mask "Accept To View". Normalising twice changes nothing.
    """
    if name is None or _MASKED.fullmatch(name):
        return None
    words = _words(name)
    while len(words) > 1 and (taken := _trailing_form(words)):
        del words[max(len(words) - taken, 1) :]
    while len(words) > 1 and words[0] == "the":
        del words[0]
    while len(words) > 1 and words[-1] == "and":
        # "Smith & Co": what joined the legal form goes with it.
        del words[-1]
        while len(words) > 1 and (taken := _trailing_form(words)):
            del words[max(len(words) - taken, 1) :]
    short = " ".join(words)[:LONGEST].rstrip()
    return None if not short or _MASKED.fullmatch(short) else short


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_FOLD)
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(letter)
    )
    plain = unicodedata.normalize("NFKC", plain).casefold()
    plain = _APOSTROPHE.sub("", plain).replace("&", " and ").replace("+", " and ")
    return _OTHER.sub(" ", plain).split()


def _trailing_form(words: list[str]) -> int:
    """How many words at the end are one legal form: one, or the letters of one ("s", "a"), never all words."""
    if words[-1] in _LEGAL_FORMS:
        return 1
    for count in range(min(4, len(words) - 1), 1, -1):
        if all(len(word) == 1 for word in words[-count:]) and "".join(words[-count:]) in _LEGAL_FORMS:
            return count
    # "Sp. z o.o."
    return 4 if len(words) > 4 and words[-4:] == ["sp", "z", "o", "o"] else 0
