"""Signing keys of an identity provider whose moduli can be factored."""

from __future__ import annotations

import json
from math import prod

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from jackfield_service.shell.identity.jwts import _PRIMES, _fetch_keys


def test_a_key_of_the_faulty_generator_verifies_nothing() -> None:
    """A modulus that is a power of 65,537 modulo all small primes (CVE-2017-15361) is left out of
    the provider's keys; others stay.
    """
    product = 2 * prod(_PRIMES)
    modulus = pow(65_537, 4711, product) + product * ((1 << 2047) // product + 1)
    keys = {
        "factored": rsa.RSAPublicNumbers(65_537, modulus).public_key(),
        "sound": rsa.generate_private_key(65_537, 2048).public_key(),
    }
    assert keys["factored"].key_size == 2048
    published = [json.loads(RSAAlgorithm.to_jwk(key)) | {"kid": name} for name, key in keys.items()]
    found, _ = _fetch_keys("", lambda _url: {"keys": published})
    assert [*found] == ["sound"]
