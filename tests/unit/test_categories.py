"""Suggested categories: spelling before meaning, and nothing where nothing is near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_assets.categories import (
    MOST_NAMES,
    CategorySuggester,
    edit_distance,
    suggest,
    suggestion_embedder,
)
from resources.embedding import EmbeddingModel, HttpEmbedder, LocalEmbedder

if TYPE_CHECKING:
    from resources.embedding import Vector

KNOWN = (
    *("Electronics", "Computer Accessories", "Audio Equipment", "Mobile Accessories", "Computer Storage"),
    *("Clothing", "Men's Clothing", "Women's Clothing", "Accessories", "Home & Garden", "Kitchen", "Bedroom"),
    *("Bathroom", "Living Room", "Garden", "Sports & Outdoors", "Books", "Toys & Games", "Health & Beauty"),
    "Food & Beverage",
)


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder()


class Recording:
    """An embedder that says what it was asked; every text has the same direction, so all are alike."""

    def __init__(
        self, name: str = "other/model", cosine: float = 1.0, failure: Exception | None = None
    ) -> None:
        self.asked: list[str] = []
        self.calls = 0
        self._failure = failure
        self._name = name
        self._cosine = cosine

    def model(self) -> EmbeddingModel:
        return EmbeddingModel(self._name, "1", 2)

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        self.calls += 1
        if self._failure is not None:
            raise self._failure
        self.asked += texts
        known = np.array([1.0, 0.0], dtype=np.float32)
        other = np.array([self._cosine, (1 - self._cosine**2) ** 0.5], dtype=np.float32)
        return [known if text in KNOWN else other for text in texts]

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("Books", "Books"),
        ("books", "Books"),
        ("  HOME AND GARDEN ", "Home & Garden"),
        ("home_&_garden", "Home & Garden"),
        ("Mens Clothing", "Men's Clothing"),
        ("Men’s Clothing", "Men's Clothing"),
    ],
)
def test_case_spaces_and_signs_make_no_other_category(unknown: str, meant: str) -> None:
    model = Recording()
    assert suggest(unknown, KNOWN, model) == (meant, 1.0)
    assert model.asked == []


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        *(("Elecronics", "Electronics"), ("Kitchne", "Kitchen"), ("Bathrooom", "Bathroom")),
        *(("Computer Accesories", "Computer Accessories"), ("Toys n Games", "Toys & Games")),
    ],
)
def test_a_slip_of_the_pen_is_found_without_asking_the_model(unknown: str, meant: str) -> None:
    model = Recording()
    found = suggest(unknown, KNOWN, model)
    assert found is not None
    assert found[0] == meant
    assert 0.7 < found[1] < 1
    assert model.asked == []


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        *(("Apparel", "Clothing"), ("Menswear", "Men's Clothing"), ("Cookware", "Kitchen")),
        *(("Novels", "Books"), ("Literature", "Books"), ("Outdoor Sports", "Sports & Outdoors")),
        *(("Consumer Electronics", "Electronics"), ("SSD Storage", "Computer Storage")),
        *(("Board Games", "Toys & Games"), ("Cosmetics", "Health & Beauty"), ("Bedding", "Bedroom")),
    ],
)
def test_another_word_for_a_category_is_found_by_its_meaning(
    local: LocalEmbedder, unknown: str, meant: str
) -> None:
    found = suggest(unknown, KNOWN, local)
    assert found is not None
    assert found[0] == meant
    assert 0.3 <= found[1] < 1


@pytest.mark.parametrize(
    "unknown",
    [
        *(
            "Tractors",
            "Other",
            "Misc",
            "N/A",
            "12345",
            "asdfgh",
            "Insurance",
            "Automotive",
            "Real Estate",
            "",
        ),
        *("   ", "&", "☃", "Boots 4 horses", "\ud800", "x" * 100_000),
    ],
)
def test_what_is_near_to_nothing_gets_no_suggestion(local: LocalEmbedder, unknown: str) -> None:
    """A wrong suggestion that a vendor takes puts the product where no buyer looks; none costs a question."""
    assert suggest(unknown, KNOWN, local) is None


def test_the_bar_depends_on_the_model_and_may_be_set() -> None:
    assert suggest("Whatever", KNOWN, Recording(cosine=0.5)) is None
    assert suggest("Whatever", KNOWN, Recording(cosine=0.7)) is not None
    assert suggest("Whatever", KNOWN, Recording("wordllama/l2_supercat_256", cosine=0.5)) is not None
    assert suggest("Whatever", KNOWN, Recording(cosine=0.5), threshold=0.4) is not None


def test_equals_are_decided_by_name() -> None:
    assert suggest("Whatever", reversed(KNOWN), Recording()) == ("Accessories", 1.0)


def test_without_a_model_or_categories_there_is_only_spelling() -> None:
    assert suggest("Kitchne", KNOWN, None) is not None
    assert suggest("Cookware", KNOWN, None) is None
    assert suggest("Cookware", [], Recording()) is None


def test_a_name_that_comes_a_million_times_is_embedded_once() -> None:
    model = Recording()
    suggester = CategorySuggester(KNOWN, model)
    for _ in range(1_000):
        suggester.suggest("Cookware")
    assert model.asked == [*sorted(KNOWN), "Cookware"]


def test_the_names_of_a_chunk_go_to_the_model_together_and_those_spelt_wrong_do_not() -> None:
    """One call for each name would be an hour of calls for a file with a thousand categories of its own."""
    model = Recording()
    suggester = CategorySuggester(KNOWN, model)
    suggester.prepare(["Cookware", "Kitchne", "Novels", "Cookware", " ", ""])
    suggester.prepare(["Novels", "Apparel"])
    assert model.asked == [*sorted(KNOWN), "Cookware", "Novels", "Apparel"]
    assert model.calls == 3
    assert suggester.suggest("Kitchne") is not None
    assert suggester.suggest("Apparel") is not None
    assert model.calls == 3


def test_a_file_with_a_description_in_every_category_is_not_looked_at_to_its_end() -> None:
    suggester = CategorySuggester(KNOWN, None)
    suggester.prepare(f"description {number}" for number in range(MOST_NAMES))
    assert suggester.suggest("Kitchne") is None
    suggester.begin_file()
    assert suggester.suggest("Kitchne") is not None


def test_a_model_that_fails_is_asked_once_and_spelling_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    model = Recording(failure=ConnectionError("away"))
    suggester = CategorySuggester(KNOWN, model)
    assert suggester.suggest("Cookware") is None
    assert suggester.suggest("Novels") is None
    assert suggester.suggest("Kitchne") is not None
    assert model.calls == 1
    assert caplog.text.count("by spelling only") == 1


def test_wrong_settings_of_the_service_cost_the_meaning_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMBEDDING_URL", "http://127.0.0.1:9/v1/embeddings")
    monkeypatch.delenv("EMBEDDING_MODEL", raising=False)
    assert suggestion_embedder() is None
    monkeypatch.setenv("EMBEDDING_MODEL", "some/model")
    assert isinstance(suggestion_embedder(), HttpEmbedder)
    monkeypatch.delenv("EMBEDDING_URL")
    assert isinstance(suggestion_embedder(), LocalEmbedder)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("abc", "abd", 1),
        ("abc", "acb", 1),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
    ],
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


@given(st.text(max_size=6), st.text(max_size=6))
def test_edit_distance_is_the_same_in_both_directions(one: str, other: str) -> None:
    distance = edit_distance(one, other)
    assert distance == edit_distance(other, one)
    assert (distance == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))
