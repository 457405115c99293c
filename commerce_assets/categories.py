"""Which of our categories a vendor may have meant by one that we do not have.

Belongs here: the suggestion, from spelling to meaning. Does not belong here: the decision. A suggestion is shown to the
vendor and never applied: the row stays rejected until the vendor says so.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from resources.embedding import LOCAL_NAME, Embedder, similarity

if TYPE_CHECKING:
    from resources.embedding import Vector

# Measured with the 20 published categories: of 35 names that vendors use for them ("Apparel", "Cookware", "Novels") 19
# get the right one from 0.30 up, 2 another that is near ("Fashion": Women's Clothing) and 14 none; of 23 that mean none
# of them ("Tractors", "Other", "12345") none gets any, the nearest being at 0.22.
LOCAL_THRESHOLD: Final = 0.30
# Large models see likeness everywhere: unrelated names are at 0.3 to 0.5 there, so the bar is higher.
SERVICE_THRESHOLD: Final = 0.60

_LONGEST = 100
_REMEMBERED = 10_000
_BETWEEN = re.compile(r"[\W_]+")


class CategorySuggester:
    """Suggests for the names of one file: vectors of our categories are made once, and an answer is remembered.

    Without an embedder only spelling is looked at.
    """

    def __init__(
        self, known: Iterable[str], embedder: Embedder | None, *, threshold: float | None = None
    ) -> None:
        self._known = sorted(set(known))
        self._exact = set(self._known)
        self._plain = {_plain(name): name for name in reversed(self._known)}
        self._embedder = embedder
        self._threshold = threshold
        self._vectors: Sequence[Vector | None] | None = None
        self._answers: OrderedDict[str, tuple[str, float] | None] = OrderedDict()

    def suggest(self, unknown: str) -> tuple[str, float] | None:
        """Return the category that is meant and how sure that is (1.0: the same but for case, spaces, signs), or None.

        Spelling comes first: a slip of the pen is nearer to what was meant than any meaning. Equally good ones: the
        first by name.
        """
        name = unknown[:_LONGEST]
        if name not in self._answers:
            self._answers[name] = self._by_spelling(name) or self._by_meaning(name)
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return self._answers[name]

    def _by_spelling(self, name: str) -> tuple[str, float] | None:
        if name in self._exact:
            return name, 1.0
        plain = _plain(name)
        if not plain:
            return None
        if plain in self._plain:
            return self._plain[plain], 1.0
        # A letter of a short name may make another word ("Boots" are no "Books"): mistakes are for longer names.
        near = [
            (distance, other)
            for key, other in self._plain.items()
            if (distance := edit_distance(plain, key)) <= len(key) // 6 + (len(key) > 5)
        ]
        if not near:
            return None
        distance, other = min(near)
        return other, round(1 - distance / max(len(plain), len(_plain(other))), 4)

    def _by_meaning(self, name: str) -> tuple[str, float] | None:
        if self._embedder is None or not self._known or not _BETWEEN.sub("", name):
            return None
        if self._vectors is None:
            self._vectors = self._embedder.embed(self._known)
        if self._threshold is None:
            local = self._embedder.model().name == LOCAL_NAME
            self._threshold = LOCAL_THRESHOLD if local else SERVICE_THRESHOLD
        (asked,) = self._embedder.embed([name])
        if asked is None:
            return None
        likeness = [
            (similarity(asked, vector), other)
            for vector, other in zip(self._vectors, self._known, strict=True)
            if vector is not None
        ]
        if not likeness:
            return None
        # max() keeps the first of equals, and the names are sorted.
        score, found = max(likeness, key=lambda one: one[0])
        return (found, round(score, 4)) if score >= self._threshold else None


def suggest(
    unknown: str, known: Iterable[str], embedder: Embedder | None, *, threshold: float | None = None
) -> tuple[str, float] | None:
    """One suggestion; for many, a `CategorySuggester` embeds our categories only once."""
    return CategorySuggester(known, embedder, threshold=threshold).suggest(unknown)


def edit_distance(one: str, other: str) -> int:
    """Letters to add, remove, replace or swap with their neighbour until one text is the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        above, row = row, [place]
        for column, its in enumerate(other, 1):
            cost = min(above[column] + 1, row[column - 1] + 1, above[column - 1] + (letter != its))
            swapped = place > 1 and column > 1 and letter == other[column - 2] and one[place - 2] == its
            row.append(min(cost, before[column - 2] + 1) if swapped else cost)
        before = above
    return row[-1]


def _plain(name: str) -> str:
    """Without case, signs and superfluous spaces; "&" and "and" are the same."""
    words = _BETWEEN.sub(" ", name.casefold().replace("&", " and ").replace("'", "").replace("’", ""))
    return " ".join(words.split())
