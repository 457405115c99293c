"""Which of our categories a vendor may have meant by one that we do not have.

Belongs here: the suggestion, from spelling to meaning. Does not belong here: the decision. A suggestion is shown to the
vendor and never applied: the row stays rejected until the vendor says so.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from resources.embedding import LOCAL_NAME, Embedder, HttpEmbedder, LocalEmbedder, similarity
from resources.failures import PipelineError
from resources.settings import embedding_settings

if TYPE_CHECKING:
    from resources.embedding import Vector

# Measured with the 20 published categories: of 35 names that vendors use for them ("Apparel", "Cookware", "Novels") 19
# get the right one from 0.30 up, 2 another that is near ("Fashion": Women's Clothing) and 14 none; of 23 that mean none
# of them ("Tractors", "Other", "12345") none gets any, the nearest being at 0.22.
LOCAL_THRESHOLD: Final = 0.30
# Large models see likeness everywhere: unrelated names are at 0.3 to 0.5 there, so the bar is higher.
SERVICE_THRESHOLD: Final = 0.60

MOST_NAMES: Final = 5_000
"""Different unknown names of a file that are looked at. One with more has descriptions where categories should be, and
a name costs a millisecond by spelling alone."""

_LONGEST = 100
_REMEMBERED = 10_000
_BETWEEN = re.compile(r"[\W_]+")
_PATIENCE_SECONDS: Final = 5.0  # a vendor waits for his answer meanwhile

logger = logging.getLogger(__name__)


def suggestion_embedder() -> Embedder | None:
    """The embedder of the settings, less patient than for other work; None when the settings are wrong.

    A suggestion is a courtesy: no upload waits for it, or fails because of it.
    """
    try:
        settings = embedding_settings()
    except PipelineError as error:
        logger.warning("Categories are suggested by spelling only: %s", error)
        return None
    if not settings.url:
        return LocalEmbedder()
    hasty = dataclasses.replace(
        settings,
        connect_timeout=_PATIENCE_SECONDS,
        read_timeout=_PATIENCE_SECONDS,
        call_deadline=_PATIENCE_SECONDS,
        max_retry_after=_PATIENCE_SECONDS,
    )
    return HttpEmbedder(hasty)


class CategorySuggester:
    """Suggests for the names of files: vectors of our categories are made once, and an answer is remembered.

    Without an embedder only spelling is looked at, and so it is from the first failure of one on: with a service that
    is away, every file would wait for it again.
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
        self._left = MOST_NAMES

    def begin_file(self) -> None:
        """Another file: what was learnt stays, and as many names as before may be asked."""
        self._left = MOST_NAMES

    def prepare(self, names: Iterable[str]) -> None:
        """Answer all of these in few calls of the embedder, where `suggest` would take one for each."""
        new = [name for name in dict.fromkeys(name[:_LONGEST] for name in names) if name not in self._answers]
        new = new[: self._left]
        self._left -= len(new)
        unspelled = []
        for name in new:
            found = self._by_spelling(name)
            if found is None and _BETWEEN.sub("", name):
                unspelled.append(name)
            else:
                self._remember(name, found)
        for name, found in zip(unspelled, self._by_meaning(unspelled), strict=True):
            self._remember(name, found)

    def suggest(self, unknown: str) -> tuple[str, float] | None:
        """Return the category that is meant and how sure that is (1.0: the same but for case, spaces, signs), or None.

        Spelling comes first: a slip of the pen is nearer to what was meant than any meaning. Equally good ones: the
        first by name.
        """
        name = unknown[:_LONGEST]
        if name not in self._answers:
            self.prepare([name])
        return self._answers.get(name)

    def _remember(self, name: str, found: tuple[str, float] | None) -> None:
        self._answers[name] = found
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)

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
            # Letters that one has more than the other are mistakes already, and cost no comparison.
            if abs(len(plain) - len(key)) <= (most := len(key) // 6 + (len(key) > 5))
            and (distance := edit_distance(plain, key)) <= most
        ]
        if not near:
            return None
        distance, other = min(near)
        return other, round(1 - distance / max(len(plain), len(_plain(other))), 4)

    def _by_meaning(self, names: Sequence[str]) -> list[tuple[str, float] | None]:
        if self._embedder is None or not self._known or not names:
            return [None] * len(names)
        try:
            return [self._nearest(vector) for vector in self._embedded(self._embedder, names)]
        # Whatever is wrong with a model or a service, the file is answered without a suggestion.
        except Exception:
            logger.warning("Categories are suggested by spelling only from here on", exc_info=True)
            self._embedder = None
            return [None] * len(names)

    def _embedded(self, embedder: Embedder, names: Sequence[str]) -> list[Vector | None]:
        if self._vectors is None:
            self._vectors = embedder.embed(self._known)
        if self._threshold is None:
            local = embedder.model().name == LOCAL_NAME
            self._threshold = LOCAL_THRESHOLD if local else SERVICE_THRESHOLD
        return embedder.embed(names)

    def _nearest(self, asked: Vector | None) -> tuple[str, float] | None:
        assert self._vectors is not None
        assert self._threshold is not None
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
