"""Tokens and keys without a database: what they look like, and what is no key."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest

from commerce_assets.shoppulse import tokens
from resources.failures import PermanentError
from resources.settings import MissingSettings


def test_a_token_says_who_for_which_transaction_until_when_and_is_signed() -> None:
    key = tokens.new_key("k-1")
    before = time.time()
    version, key_id, claims, signature = tokens.issue(key, "T001", "U1", "ab12", lifetime=30).split(".")
    assert (version, key_id) == ("v1", "k-1")
    said = json.loads(bytes.fromhex(claims))
    assert (said["tenant"], said["user"], said["challenge"]) == ("T001", "U1", "ab12")
    assert said["expires"] - said["issued"] == pytest.approx(30, abs=0.01)
    assert before - 0.01 <= said["issued"] <= time.time() + 0.01
    body = f"v1.k-1.{claims}".encode()
    assert signature == hmac.new(key.secret, body, hashlib.sha256).hexdigest()


def test_the_padded_halves_are_those_of_hmac() -> None:
    """The database is given them in place of the key, and computes two plain hashes."""
    key = tokens.TokenKey("k", bytes(range(40)))
    inner, outer = tokens._pads(key)
    message = b"a message"
    by_hand = hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).digest()
    assert by_hand == hmac.new(key.secret, message, hashlib.sha256).digest()


def test_a_key_is_read_back_from_its_setting() -> None:
    key = tokens.new_key("k-1")
    assert tokens.token_key({tokens.SETTING: tokens.as_setting(key)}) == key
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize(
    "setting",
    [
        "k-1",
        "k-1:",
        ":" + "00" * 32,
        "k 1:" + "00" * 32,
        "k.1:" + "00" * 32,
        "k-1:" + "00" * 31,
        "k-1:" + "00" * 65,
        "k-1:" + "zz" * 32,
        "k" * 65 + ":" + "00" * 32,
    ],
)
def test_what_is_no_key_is_refused_without_being_quoted(setting: str) -> None:
    with pytest.raises(PermanentError, match="reading SHOPPULSE_TOKEN_KEY") as raised:
        tokens.token_key({tokens.SETTING: setting})
    assert setting.partition(":")[2] == "" or setting.partition(":")[2] not in str(raised.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(MissingSettings, match="SHOPPULSE_TOKEN_KEY"):
        tokens.token_key({})
