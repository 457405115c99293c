"""Hosts and registrable domains: what is one company's, and what says nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odoo_apn_assets.domains import host_of_email, host_of_website, normalized_domain, rules_version


@pytest.mark.parametrize(
    ("website", "host"),
    [
        ("https://www.Example.com/path?x=1#y", "www.example.com"),
        ("example.com", "example.com"),
        ("  HTTP://example.com:8080 ", "example.com"),
        ("//example.com/a@b", "example.com"),
        ("https://user:secret@example.com/", "example.com"),
        ("example.com.", "example.com"),
        ("https://", None),
        ("not a website", None),
        ("", None),
        (None, None),
    ],
)
def test_the_host_of_a_website(website: str | None, host: str | None) -> None:
    assert host_of_website(website) == host


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("Jane@Example.COM", "example.com"),
        ("Jane <jane@example.com>", "example.com"),
        ("a@b@example.com", "example.com"),
        ("jane", None),
        ("jane@", None),
        ("@", None),
        (None, None),
    ],
)
def test_the_host_of_an_address(address: str | None, host: str | None) -> None:
    assert host_of_email(address) == host


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.shop.example.co.uk", "example.co.uk"),
        ("WWW.Example.COM.", "example.com"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("my_shop.example.com", "example.com"),
        ("someone.github.io", "someone.github.io"),
        ("gmail.com", None),
        ("mail.yahoo.co.uk", None),
        ("co.uk", None),
        ("localhost", None),
        ("server.local", None),
        ("192.168.1.1", None),
        ("::1", None),
        ("a..com", None),
        ("-.com", None),
        ("", None),
        (None, None),
    ],
)
def test_the_registrable_domain(host: str | None, domain: str | None) -> None:
    assert normalized_domain(host) == domain


@given(st.text() | st.from_regex(r"[a-zA-Z0-9._@:/ -]{0,60}"))
def test_no_text_makes_it_fail_and_twice_is_once(text: str) -> None:
    for host in (text, host_of_website(text), host_of_email(text)):
        domain = normalized_domain(host)
        assert domain is None or normalized_domain(domain) == domain
        assert domain is None or normalized_domain(f"WWW.{domain.upper()}.") == domain


def test_the_list_is_read_without_a_network() -> None:
    """A library that fetches its list at the first call would stop the transformation where there is no internet."""
    code = """
import socket
def refuse(*_, **__): raise AssertionError("the network was used")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from odoo_apn_assets.domains import normalized_domain
assert normalized_domain("www.example.co.jp") == "example.co.jp"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_names_the_list_too() -> None:
    assert "public suffix list" in rules_version()
