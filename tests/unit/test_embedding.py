"""Texts to vectors: the installed model offline, and a service asked over real HTTP."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from resources.embedding import (
    LONGEST_TEXT,
    HttpEmbedder,
    LocalEmbedder,
    embedder,
    similarity,
    with_dimensions,
)
from resources.failures import PermanentError, TransientError
from resources.settings import EmbeddingSettings, MissingSettings, embedding_settings

KEY = "a-key-of-the-service"


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder()


# -- the installed model ------------------------------------------------------------------------------------


def test_the_installed_model_works_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with LocalEmbedder() as fresh:
        (vector,) = fresh.embed(["garden chairs"])
    assert vector is not None


def test_vectors_have_length_one_and_the_dimensions_that_are_named(local: LocalEmbedder) -> None:
    model = local.model()
    assert (model.name, model.dimensions) == ("wordllama/l2_supercat_256", 256)
    assert len(model.revision) == 16
    for vector in local.embed(["a", "garden chairs", "word " * 1000]):
        assert vector is not None
        assert vector.shape == (256,)
        assert vector.dtype == np.float32
        assert math.isclose(float(np.linalg.norm(vector)), 1.0, abs_tol=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_text_without_words_has_no_vector(local: LocalEmbedder, text: str) -> None:
    """The model's own answer for it is NaN, which pgvector refuses: one empty name would fail a whole load."""
    one, nothing, other = local.embed(["chair", text, "table"])
    assert nothing is None
    assert one is not None
    assert other is not None


def test_meaning_decides_what_is_near(local: LocalEmbedder) -> None:
    sofa, couch, database = local.embed(["sofa", "couch", "database"])
    assert sofa is not None
    assert couch is not None
    assert database is not None
    assert similarity(sofa, couch) > similarity(sofa, database) + 0.2


def test_a_vector_does_not_depend_on_its_neighbours(local: LocalEmbedder) -> None:
    """Batches are made by length; were a text's vector to change with them, a rerun would rewrite unchanged rows."""
    texts = [f"{'long ' * (number % 7)}product {number}" for number in range(150)]
    together = local.embed(texts)
    for text, vector in zip(texts, together, strict=True):
        (alone,) = local.embed([text])
        assert vector is not None
        assert alone is not None
        assert np.allclose(vector, alone, atol=1e-6)


def test_odd_texts_do_not_fail_their_batch(local: LocalEmbedder) -> None:
    odd = ["\ud800 half a character", "\0", "x" * 2_000_000, "☃" * 30_000, "chair"]
    vectors = local.embed(odd)
    assert [vector is None for vector in vectors] == [False] * 5
    assert LONGEST_TEXT < 2_000_000


def test_no_texts_give_no_vectors(local: LocalEmbedder) -> None:
    assert local.embed([]) == []


def test_filling_up_with_zeros_leaves_similarities_as_they_are(local: LocalEmbedder) -> None:
    one, other = local.embed(["sofa", "couch"])
    assert one is not None
    assert other is not None
    filled = similarity(with_dimensions(one, 1024), with_dimensions(other, 1024))
    assert filled == pytest.approx(similarity(one, other), abs=1e-6)
    with pytest.raises(PermanentError, match="256 dimensions where 100 are stored"):
        with_dimensions(one, 100)


# -- a service ----------------------------------------------------------------------------------------------

Talk = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]


class Service:
    """What the server was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []


@contextmanager
def service(*talks: Talk) -> Iterator[Service]:
    """A real HTTP server: answers as each of `talks` in turn, then as the last one for ever."""
    waiting = list(talks)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(asked)
            state.paths.append(self.path)
            state.headers.append(dict(self.headers))
            talk = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            status, headers, body = talk(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def answer(asked: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """[number of letters, 1], in reverse order, as the indexes allow."""
    data = [
        {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0]}
        for place, text in enumerate(asked["input"])
    ]
    return 200, {}, json.dumps({"object": "list", "model": asked["model"], "data": data[::-1]}).encode()


def saying(status: int, body: bytes = b"{}", **headers: str) -> Talk:
    return lambda _asked: (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        body,
    )


def vectors_of(*vectors: list[float]) -> Talk:
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    return saying(200, json.dumps({"data": data}).encode())


def asking(url: str, waits: list[float] | None = None, **env: str) -> HttpEmbedder:
    settings = embedding_settings({"EMBEDDING_URL": url, "EMBEDDING_MODEL": "BAAI/bge-m3@r1"} | env)
    return HttpEmbedder(settings, sleep=(waits if waits is not None else []).append)


def test_a_service_is_asked_in_the_openai_way() -> None:
    with service(answer) as server, asking(server.url, EMBEDDING_API_KEY=KEY) as http:
        vectors = http.embed(["abc", "", "ab"])
        model = http.model()
    assert server.paths == ["/v1/embeddings"]
    assert server.requests == [{"model": "BAAI/bge-m3", "input": ["abc", "ab"], "encoding_format": "float"}]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert vectors[1] is None
    assert vectors[0] == pytest.approx(np.array([3, 1]) / math.sqrt(10))
    assert vectors[2] == pytest.approx(np.array([2, 1]) / math.sqrt(5))
    assert (model.name, model.revision, model.dimensions) == ("BAAI/bge-m3", "r1", 2)


def test_the_model_is_known_before_the_first_text() -> None:
    with service(answer) as server, asking(server.url) as http:
        assert http.model().dimensions == 2
        http.model()
    assert len(server.requests) == 1


def test_many_texts_are_several_calls_in_order() -> None:
    texts = ["x" * (1 + number % 50) for number in range(75)]
    with service(answer) as server, asking(server.url) as http:
        vectors = http.embed(texts)
    assert [len(asked["input"]) for asked in server.requests] == [32, 32, 11]
    for text, vector in zip(texts, vectors, strict=True):
        assert vector is not None
        assert vector[0] / vector[1] == pytest.approx(len(text))


def test_a_busy_service_is_asked_again_after_2_4_and_8_seconds() -> None:
    waits: list[float] = []
    with (
        service(saying(503), saying(429, Retry_After="7"), saying(500), answer) as server,
        asking(server.url, waits) as http,
    ):
        assert http.embed(["abc"])[0] is not None
    assert waits == [2.0, 7.0, 8.0]


def test_a_service_that_stays_down_is_a_transient_failure() -> None:
    waits: list[float] = []
    with (
        service(saying(503)) as server,
        asking(server.url, waits) as http,
        pytest.raises(TransientError, match="4 attempts"),
    ):
        http.embed(["abc"])
    assert waits == [2.0, 4.0, 8.0]
    with pytest.raises(TransientError, match="failed"):
        asking(server.url).embed(["abc"])  # nobody listens any more


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "EMBEDDING_API_KEY"), (404, "EMBEDDING_MODEL"), (413, "TEXTS_PER_CALL")]
)
def test_a_refusal_is_not_repeated_and_shows_neither_texts_nor_key(status: int, hint: str) -> None:
    with (
        service(saying(status, b'{"error": "secret product"}')) as server,
        asking(server.url, EMBEDDING_API_KEY=KEY) as http,
        pytest.raises(PermanentError, match=hint) as raised,
    ):
        http.embed(["secret product"])
    assert len(server.requests) == 1
    assert "secret product" not in str(raised.value)
    assert KEY not in repr(http._settings)


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        (saying(200, b"<html>"), "no list of embeddings"),
        (saying(200, b'{"data": [{"index": 0, "embedding": ["a"]}]}'), "no list of embeddings"),
        (vectors_of([1.0, 2.0]), "1 vectors for 2 texts"),
        (vectors_of([1.0, 2.0], [1.0]), "dimensions"),
        (vectors_of([], []), "dimensions"),
        (saying(200, b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}'), "index"),
        (saying(200, b'{"data": [{"index": 0, "embedding": [1e999]}, {"index": 1, "embedding": [1]}]}'), "n"),
    ],
)
def test_an_answer_that_is_no_list_of_vectors_is_refused(talk: Talk, found: str) -> None:
    with service(talk) as server, asking(server.url) as http, pytest.raises(PermanentError, match=found):
        http.embed(["one", "two"])


def test_dimensions_that_change_are_refused() -> None:
    """A service restarted with another model in the middle of a load would mix vectors that cannot be compared."""
    with (
        service(vectors_of([1.0, 2.0]), vectors_of([1.0, 2.0, 3.0])) as server,
        asking(server.url) as http,
    ):
        http.embed(["one"])
        with pytest.raises(PermanentError, match=r"\[2, 3\] dimensions"):
            http.embed(["two"])


def test_a_vector_of_zeros_is_none() -> None:
    with service(vectors_of([0.0, 0.0])) as server, asking(server.url) as http:
        assert http.embed(["one"]) == [None]


# -- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/embeddings"])
def test_the_address_may_be_given_in_any_length(end: str) -> None:
    settings = embedding_settings({"EMBEDDING_URL": f"https://h/base{end}", "EMBEDDING_MODEL": "m"})
    assert settings.url == "https://h/base/v1/embeddings"


def test_without_an_address_the_installed_model_is_used() -> None:
    assert embedding_settings({"EMBEDDING_MODEL": "ignored"}) == EmbeddingSettings()
    assert isinstance(embedder({}), LocalEmbedder)
    assert isinstance(embedder({"EMBEDDING_URL": "https://h", "EMBEDDING_MODEL": "m"}), HttpEmbedder)


def test_an_address_without_a_model_or_without_tls_is_refused() -> None:
    with pytest.raises(MissingSettings, match="EMBEDDING_MODEL"):
        embedding_settings({"EMBEDDING_URL": "https://h"})
    with pytest.raises(PermanentError, match="EMBEDDING_URL"):
        embedding_settings({"EMBEDDING_URL": "http://elsewhere", "EMBEDDING_MODEL": "m"})
