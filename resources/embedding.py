"""Texts to vectors: the model that is installed with us, or an OpenAI-style service.

Belongs here: making vectors, and what model they are of. Does not belong here: what is embedded, where vectors are
stored, and which of them are near each other beyond `similarity`.

Vectors of different models, revisions or dimensions must never be compared, so an embedder says what it is. Every
vector has length 1. A text without words has no vector: the model's own answer for it is 0/0, and a vector of zeros has
no direction, so that pgvector's cosine distance to it is NaN and sorts first or last by chance.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from resources.failures import permanent, retrying, transient
from resources.settings import EmbeddingSettings, embedding_settings

if TYPE_CHECKING:
    import numpy as np
    import requests
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

LOCAL_NAME = "wordllama/l2_supercat_256"
_LOCAL_FILES = ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
_LOCAL_DIMENSIONS = 256

# A text is cut here: one cell of a megabyte would take gigabytes, and an average over so many words says nothing.
LONGEST_TEXT = 20_000
# The model pads a batch to its longest text, at 1 KB for each token: texts of a like length go together, and this
# bounds a batch to some 30 MB. 64 is where its speed is best.
_BATCH_CHARACTERS = 30_000
_BATCH_TEXTS = 64

_TRANSIENT_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True)
class EmbeddingModel:
    """What vectors are of: equal models, and only these, give vectors that may be compared."""

    name: str
    revision: str
    dimensions: int


class Embedder(Protocol):
    """Something that turns texts into vectors of length 1."""

    def model(self) -> EmbeddingModel:
        """Return what the vectors are of; may ask the service, once."""

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return a vector for each text, in their order, and None for a text without words."""

    def close(self) -> None:
        """Give back what is held."""


def embedder(env: Mapping[str, str] | None = None) -> LocalEmbedder | HttpEmbedder:
    """Return the embedder that the settings ask for; the caller closes it (or uses it in a `with`)."""
    settings = embedding_settings(env)
    return HttpEmbedder(settings) if settings.url else LocalEmbedder()


def similarity(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of the same model: 1 for the same direction, about 0 for nothing in common."""
    return float(one @ other)


def with_dimensions(vector: Vector, dimensions: int) -> Vector:
    """Fill a vector up with zeros, which leaves every cosine as it is. Raises PermanentError when it is too long."""
    import numpy as np

    if len(vector) > dimensions:
        raise permanent(
            "filling up a vector",
            found=f"{len(vector)} dimensions where {dimensions} are stored",
            do_next="Choose a model with fewer dimensions, or widen the column.",
        )
    return np.pad(vector, (0, dimensions - len(vector)))


class LocalEmbedder:
    """The model in the wordllama package: some 20,000 short texts a second on one core, offline, 16 MB of weights."""

    def __init__(self) -> None:
        self._loaded: Any = None
        self._model: EmbeddingModel | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the weights go."""
        self._loaded = None

    def model(self) -> EmbeddingModel:
        """The revision is made of weights and tokenizer, so a release that changes neither keeps the vectors."""
        if self._model is None:
            digest = hashlib.sha256()
            for name in _LOCAL_FILES:
                with _package_file(name).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            self._model = EmbeddingModel(LOCAL_NAME, digest.hexdigest()[:16], _LOCAL_DIMENSIONS)
        return self._model

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return a vector for each text, in their order, and None for a text without words."""
        vectors: list[Vector | None] = [None] * len(texts)
        if self._loaded is None:
            self._loaded = _load()
        cleaned = [_cleaned(text) for text in texts]
        for batch in _batches(cleaned):
            raw = self._loaded.embed([cleaned[place] for place in batch], norm=False, batch_size=_BATCH_TEXTS)
            for place, vector in zip(batch, raw, strict=True):
                vectors[place] = _unit(vector)
        return vectors


class HttpEmbedder:
    """A service with the `/v1/embeddings` of OpenAI (TEI, vLLM, Ollama, Infinity). For one thread.

    Raises PermanentError for what asking again does not mend: a refused key, an unknown model, an answer that is no
    list of vectors, a number of dimensions that changes. Other failures are repeated after 2, 4 and 8 seconds.
    """

    def __init__(self, settings: EmbeddingSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._session: requests.Session | None = None
        self._dimensions: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def model(self) -> EmbeddingModel:
        """Name and revision are those of EMBEDDING_MODEL; the dimensions are counted in an answer."""
        if self._dimensions is None:
            self.embed(["dimensions"])
        assert self._dimensions is not None, "an answer has been checked"
        return EmbeddingModel(self._settings.model, self._settings.revision, self._dimensions)

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return a vector for each text, in their order, and None for a text without words."""
        vectors: list[Vector | None] = [None] * len(texts)
        cleaned = [_cleaned(text) for text in texts]
        places = [place for place, text in enumerate(cleaned) if text]
        for start in range(0, len(places), self._settings.texts_per_call):
            batch = places[start : start + self._settings.texts_per_call]
            asked = [cleaned[place] for place in batch]
            doing = f"embedding {len(asked)} texts with {self._settings.model}"
            answer = retrying(
                lambda asked=asked, doing=doing: self._ask(asked, doing),  # type: ignore[misc]
                doing=doing,
                sleep=self._sleep,
                max_retry_after=self._settings.max_retry_after,
            )
            for place, vector in zip(batch, answer, strict=True):
                vectors[place] = vector
        return vectors

    def _ask(self, texts: Sequence[str], doing: str) -> list[Vector | None]:
        from resources.http import new_session, post

        settings = self._settings
        if self._session is None:
            self._session = new_session("embedding/1.0", pool_size=1)
        wanted = {"model": settings.model, "input": list(texts), "encoding_format": "float"}
        answer = post(
            self._session,
            settings.url or "",
            body=msgspec.json.encode(wanted),
            content_type="application/json",
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else None,
            doing=doing,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            deadline=settings.call_deadline,
            max_bytes=settings.max_answer_bytes,
        )
        _complain(answer.status, answer.headers, doing)
        return self._vectors(answer.body, len(texts), doing)

    def _vectors(self, body: bytes, count: int, doing: str) -> list[Vector | None]:
        try:
            entries = msgspec.json.decode(body, type=_Answer).data
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise _not_vectors(doing, f"{len(body)} bytes that are no list of embeddings") from None
        entries.sort(key=lambda entry: entry.index)
        if [entry.index for entry in entries] != list(range(count)):
            raise _not_vectors(doing, f"{len(entries)} vectors for {count} texts, or wrong indexes")
        lengths = {len(entry.embedding) for entry in entries}
        expected = lengths.pop() if self._dimensions is None else self._dimensions
        if not expected or lengths - {expected}:
            raise _not_vectors(doing, f"vectors of {sorted(lengths | {expected})} dimensions")
        if not all(math.isfinite(number) for entry in entries for number in entry.embedding):
            raise _not_vectors(doing, "a vector with a number that is not finite")
        self._dimensions = expected
        return [_unit(entry.embedding) for entry in entries]


class _Entry(msgspec.Struct):
    embedding: list[float]
    index: int


class _Answer(msgspec.Struct):
    data: list[_Entry]


def _package_file(name: str) -> Path:
    import wordllama  # type: ignore[import-untyped]

    return Path(str(wordllama.__file__)).parent / name


def _load() -> Any:
    """Load the weights of the package. Without both arguments the library looks elsewhere and then downloads."""
    from wordllama import WordLlama

    return WordLlama.load(cache_dir=_package_file(""), disable_download=True)


def _cleaned(text: str) -> str:
    """Lone surrogates, which no encoding has, would fail the whole batch."""
    return text[:LONGEST_TEXT].strip().encode("utf-8", "replace").decode("utf-8")


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the places of texts that are not empty, the shortest first, as many together as memory allows."""
    batch: list[int] = []
    for place in sorted((place for place, text in enumerate(texts) if text), key=lambda at: len(texts[at])):
        if batch and (len(batch) == _BATCH_TEXTS or len(texts[place]) * (len(batch) + 1) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _unit(numbers: Any) -> Vector | None:
    """Return the vector with length 1, or None where there is no direction."""
    import numpy as np

    vector = np.asarray(numbers, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if not math.isfinite(length) or length == 0.0:
        return None
    return (vector / length).astype(np.float32)


def _complain(status: int, headers: Mapping[str, str], doing: str) -> None:
    """Raise for every status but 200. The body is not shown: services quote the texts in it."""
    from resources.http import retry_after_seconds

    if status == 200:
        return
    if status in _TRANSIENT_STATUSES or status >= 500:
        wait = retry_after_seconds(headers.get("Retry-After"), now=datetime.now(UTC))
        do_next = "Check that the embedding service is up, then run again."
        raise transient(doing, found=f"HTTP {status}", do_next=do_next, retry_after=wait)
    hints = {
        401: "Check EMBEDDING_API_KEY.",
        403: "Check EMBEDDING_API_KEY.",
        404: "Check EMBEDDING_URL and EMBEDDING_MODEL.",
        413: "Lower EMBEDDING_TEXTS_PER_CALL, and let the service cut long texts (TEI: --auto-truncate).",
        422: "Lower EMBEDDING_TEXTS_PER_CALL, and let the service cut long texts (TEI: --auto-truncate).",
    }
    do_next = hints.get(status, "Check EMBEDDING_URL, EMBEDDING_MODEL and the log of the service.")
    raise permanent(doing, found=f"HTTP {status}", do_next=do_next)


def _not_vectors(doing: str, found: str) -> Exception:
    return permanent(doing, found=found, do_next="Check that EMBEDDING_URL is an OpenAI-style service.")
