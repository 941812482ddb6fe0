"""Tokens made by hand (RFC 7515, 7517, 7518, 8037), right ones and hostile ones of every kind.

A Signer stands for a home provider without a provider: a partner's issuer, its key and what its
tokens say, each part of which a test may put otherwise.
"""

import base64
import functools
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
CURVE_OF = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
ALL_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                  "EdDSA")


def b64(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64_int(number, size=None):
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


@functools.lru_cache(maxsize=None)
def _rsa():
    return rsa.generate_private_key(65537, 2048)


class Key:
    """A signing key.  kind: RSA, one of CURVES, or Ed25519."""

    def __init__(self, kind="P-256", kid="key-1", bits=2048, private=None):
        self.kind, self.kid = kind, kid
        if private:
            self.private = private
        elif kind == "RSA":
            self.private = rsa.generate_private_key(65537, bits)
        elif kind == "Ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = ec.generate_private_key(CURVES[kind]())

    @staticmethod
    def of(alg, kid=None):
        """A key that an algorithm needs; the RSA key is one for all, for making one takes time."""
        if alg[:2] in ("RS", "PS"):
            return Key("RSA", kid or f"key-{alg}", private=_rsa())
        return Key(CURVE_OF.get(alg, "Ed25519"), kid or f"key-{alg}")

    @property
    def alg(self):
        """The algorithm that it is used with unless a test wants another."""
        return {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512",
                "Ed25519": "EdDSA"}[self.kind]

    def jwk(self, **extra):
        """The public key; an extra of None leaves a member out."""
        public = self.private.public_key()
        if self.kind == "RSA":
            numbers = public.public_numbers()
            jwk = {"kty": "RSA", "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
        elif self.kind == "Ed25519":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        else:
            numbers, size = public.public_numbers(), (public.key_size + 7) // 8
            jwk = {"kty": "EC", "crv": self.kind, "x": b64_int(numbers.x, size),
                   "y": b64_int(numbers.y, size)}
        jwk = {**jwk, "kid": self.kid, "use": "sig", **extra}
        return {name: value for name, value in jwk.items() if value is not None}

    def pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, alg, data):
        if alg == "EdDSA":
            return self.private.sign(data)
        digest = HASHES[alg[2:]]()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(data, salted, digest)
        size = (self.private.key_size + 7) // 8
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def jwks(*keys):
    """A key set as text; keys are Keys or ready-made members."""
    return json.dumps({"keys": [k.jwk() if isinstance(k, Key) else k for k in keys]})


def compact(value):
    """JSON as bytes; text and bytes are taken as they are."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def jws(key, header, payload, alg=None, signature=None):
    """A compact JWS.  signature(data) replaces the key's own."""
    data = f"{b64(compact(header))}.{b64(compact(payload))}"
    made = signature(data.encode()) if signature else key.sign(alg or key.alg, data.encode())
    return f"{data}.{b64(made)}"


def merged(given, changes):
    """A dict with changes; None takes a member out."""
    result = {**given, **changes}
    return {name: value for name, value in result.items() if value is not None}


class Signer:
    """A partner's provider made of nothing but a key."""

    def __init__(self, issuer="https://idp.home.example", audience="b2b", key=None, **claims):
        self.issuer, self.audience, self.key = issuer, audience, key or Key()
        self.always = claims

    def header(self, **changes):
        return merged({"alg": self.key.alg, "kid": self.key.kid, "typ": "JWT"}, changes)

    def claims(self, subject, **changes):
        now = int(time.time())
        return merged({"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now,
                       "exp": now + 600, **self.always}, changes)

    def token(self, subject, header=None, key=None, alg=None, **claims):
        """A token; header and claims are changes to a right one (None takes a member out)."""
        key = key or self.key
        header = self.header(**{"alg": alg or key.alg, "kid": key.kid, **(header or {})})
        return jws(key, header, self.claims(subject, **claims), alg)

    def partner_lines(self, lines=""):
        """What a partner's entry says of this provider."""
        return (f"b2bIdp: oidc\nb2bIssuer: {self.issuer}\nb2bAudience: {self.audience}\n"
                f"b2bJwks: {jwks(self.key)}\n{lines}")


# --- hostile tokens: each maker takes a Signer and a subject whose right token would be let in ---

def _now():
    return int(time.time())


def _hmac(secret, alg="sha256"):
    return lambda data: hmac.new(secret, data, getattr(hashlib, alg)).digest()


def _hs256_with_pem(s, who):
    return jws(None, s.header(alg="HS256"), s.claims(who), signature=_hmac(s.key.pem()))


def _hs256_with_jwk(s, who):
    secret = compact(s.key.jwk())
    return jws(None, s.header(alg="HS256"), s.claims(who), signature=_hmac(secret))


def _hs256_empty(s, who):
    return jws(None, s.header(alg="HS256"), s.claims(who), signature=_hmac(b""))


def _none(name):
    return lambda s, who: jws(None, s.header(alg=name), s.claims(who), signature=lambda _: b"")


def _none_signed(s, who):
    return jws(s.key, s.header(alg="none"), s.claims(who))


def _part_changed(at):
    """One bit of a part that decodes to as many bytes as before."""
    def make(s, who):
        parts = s.token(who).split(".")
        data = bytearray(unb64(parts[at]))
        data[len(data) // 2] ^= 1
        parts[at] = b64(bytes(data))
        return ".".join(parts)
    return make


def _payload_swapped(s, who):
    head, _, tail = s.token(who).split(".")
    return ".".join((head, b64(compact(s.claims(who, exp=_now() + 86400))), tail))


def _signature_cut(s, who):
    head, body, tail = s.token(who).split(".")
    return ".".join((head, body, b64(unb64(tail)[:-1])))


def _signature_longer(s, who):
    head, body, tail = s.token(who).split(".")
    return ".".join((head, body, b64(unb64(tail) + b"\0")))


def _signature_zero(s, who):
    """r and s of zero: CVE-2022-21449."""
    return jws(None, s.header(), s.claims(who), signature=lambda _: bytes(64))


def _signature_der(s, who):
    """An ECDSA signature as ASN.1, which JWS does not use."""
    return jws(None, s.header(), s.claims(who),
               signature=lambda data: s.key.private.sign(data, ec.ECDSA(hashes.SHA256())))


def _own_key(**in_header):
    """Signed by a key of the attacker's that the token itself brings along."""
    def make(s, who):
        key = Key(kid=s.key.kid)
        header = {name: value(key) for name, value in in_header.items()}
        return s.token(who, key=key, header=header)
    return make


def _x5c(key):
    return [base64.b64encode(key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()]


def _twice_in_claims(member, first, last=None):
    """A claim twice: readers differ in which one they take."""
    def make(s, who):
        text = json.dumps(s.claims(who))
        value = json.dumps(last if last is not None else s.claims(who)[member])
        return jws(s.key, s.header(), f"{text[:-1]}, \"{member}\": {value}}}".replace(
            "{", f"{{\"{member}\": {json.dumps(first)}, ", 1))
    return make


def _alg_twice(s, who):
    return jws(s.key, '{"alg": "none", "alg": "ES256", "kid": "%s"}' % s.key.kid, s.claims(who))


def _padded(s, who):
    head, body, tail = s.token(who).split(".")
    return ".".join((head, body + "=" * (-len(body) % 4 or 4), tail))


def _plain_base64(s, who):
    """The letters + and / where base64url has - and _."""
    while True:
        token = s.token(who)
        if "-" in token or "_" in token:
            return token.replace("-", "+").replace("_", "/")


def _not_canonical(s, who):
    """The unused bits of the last letter set: many texts, one signature."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = s.token(who)
    return token[:-1] + letters[letters.index(token[-1]) | 1]


def _space_in_payload(s, who):
    head, body, tail = s.token(who).split(".")
    return ".".join((head, body[:8] + "\n" + body[8:], tail))


def _payload(text):
    return lambda s, who: jws(s.key, s.header(), text)


def _claims(**changes):
    """A claim changed; a function is called when the token is made (for times)."""
    def make(s, who):
        return s.token(who, **{k: v() if callable(v) else v for k, v in changes.items()})
    return make


def _header(**changes):
    return lambda s, who: s.token(who, header=changes)


HOSTILE = {
    # algorithm and key
    "none": _none("none"),
    "None": _none("None"),
    "empty-alg": _none(""),
    "none-signed": _none_signed,
    "no-alg": _header(alg=None),
    "alg-list": _header(alg=["ES256"]),
    "alg-lower-case": _header(alg="es256"),
    "hs256-public-pem": _hs256_with_pem,
    "hs256-public-jwk": _hs256_with_jwk,
    "hs256-empty": _hs256_empty,
    "alg-of-other-key": _header(alg="RS256"),
    "alg-of-other-curve": _header(alg="ES384"),
    "key-of-other-kid": lambda s, who: s.token(who, key=Key(kid="another")),
    "key-of-same-kid": lambda s, who: s.token(who, key=Key(kid=s.key.kid)),
    "key-without-kid": lambda s, who: s.token(who, key=Key(kid=s.key.kid), header={"kid": None}),
    "kid-unknown": _header(kid="nobody"),
    "kid-number": _header(kid=1),
    "kid-path": _header(kid="../../../../dev/null"),
    "jwk-in-header": _own_key(jwk=lambda key: key.jwk()),
    "jku-in-header": _own_key(jku=lambda key: "https://attacker.example/jwks"),
    "x5u-in-header": _own_key(x5u=lambda key: "https://attacker.example/cert"),
    "x5c-in-header": _own_key(x5c=_x5c),
    "jwk-in-header-honest": lambda s, who: s.token(who, header={"jwk": s.key.jwk()}),
    # header
    "crit": _header(crit=["exp"]),
    "crit-unknown": _header(crit=["http://attacker.example/x"],
                            **{"http://attacker.example/x": True}),
    "crit-empty": _header(crit=[]),
    "b64-false": _header(b64=False, crit=["b64"]),
    "zip": _header(zip="DEF"),
    "typ-logout": _header(typ="logout+jwt"),
    "typ-security-event": _header(typ="secevent+jwt"),
    "typ-dpop": _header(typ="dpop+jwt"),
    "alg-twice": _alg_twice,
    # signature
    "signature-bit": _part_changed(2),
    "signature-empty": lambda s, who: s.token(who).rsplit(".", 1)[0] + ".",
    "signature-missing": lambda s, who: s.token(who).rsplit(".", 1)[0],
    "signature-cut": _signature_cut,
    "signature-longer": _signature_longer,
    "signature-zero": _signature_zero,
    "signature-der": _signature_der,
    "payload-bit": _part_changed(1),
    "payload-swapped": _payload_swapped,
    # form
    "padding": _padded,
    "plain-base64": _plain_base64,
    "not-canonical": _not_canonical,
    "newline-inside": _space_in_payload,
    "four-parts": lambda s, who: s.token(who) + ".e30",
    "five-parts": lambda s, who: s.token(who) + ".e30.e30",
    "behind-it": lambda s, who: s.token(who) + " ",
    "before-it": lambda s, who: "\t" + s.token(who),
    "bearer-before-it": lambda s, who: "Bearer " + s.token(who),
    "oversized": lambda s, who: s.token(who, filler="x" * 20000),
    "deep": _payload('{"sub": ' + "[" * 5000 + "]" * 5000 + "}"),
    "payload-no-json": _payload("hello"),
    "payload-list": _payload('["sub"]'),
    "payload-empty": _payload(""),
    "payload-nul": lambda s, who: jws(s.key, s.header(), s.claims(who + "\0")),
    "payload-bad-utf8": lambda s, who: jws(
        s.key, s.header(), json.dumps(s.claims(who, name="@")).encode().replace(b"@", b"\xff")),
    "trailing-json": lambda s, who: jws(s.key, s.header(), json.dumps(s.claims(who)) + "{}"),
    # claims
    "issuer-other": _claims(iss="https://idp.attacker.example"),
    "issuer-slash": lambda s, who: s.token(who, iss=s.issuer + "/"),
    "issuer-case": lambda s, who: s.token(who, iss=s.issuer.upper()),
    "issuer-missing": _claims(iss=None),
    "issuer-list": lambda s, who: s.token(who, iss=[s.issuer]),
    "audience-other": _claims(aud="someone-else"),
    "audience-missing": _claims(aud=None),
    "audience-empty": _claims(aud=[]),
    "audience-case": lambda s, who: s.token(who, aud=s.audience.upper()),
    "audience-object": lambda s, who: s.token(who, aud={s.audience: True}),
    "audiences-without-azp": lambda s, who: s.token(who, aud=[s.audience, "someone-else"]),
    "azp-other": _claims(azp="someone-else"),
    "expired": _claims(iat=lambda: _now() - 900, exp=lambda: _now() - 300),
    "expiry-missing": _claims(exp=None),
    "expiry-text": _claims(exp=lambda: str(_now() + 600)),
    "expiry-null": lambda s, who: jws(s.key, s.header(), {**s.claims(who), "exp": None}),
    "expiry-before-iat": _claims(iat=_now, exp=lambda: _now() - 1),
    "nbf-future": _claims(nbf=lambda: _now() + 300),
    "iat-future": _claims(iat=lambda: _now() + 300),
    "subject-other": lambda s, who: s.token("somebody-else"),
    "subject-missing": _claims(sub=None),
    "subject-empty": _claims(sub=""),
    "subject-number": _claims(sub=7),
    "subject-list": lambda s, who: s.token(who, sub=[who]),
    "subject-long": lambda s, who: s.token("x" * 1025),
    "subject-case": lambda s, who: s.token(who.upper()),
    "subject-blank": lambda s, who: s.token(who + " "),
    "subject-filter": lambda s, who: s.token("*"),
    "subject-filter-injection": lambda s, who: s.token("*)(objectClass=*"),
    "subject-twice": _twice_in_claims("sub", "somebody-else"),
    "subject-twice-last": lambda s, who: _twice_in_claims("sub", who, "somebody-else")(s, who),
    "issuer-twice": _twice_in_claims("iss", "https://idp.attacker.example"),
    "expiry-twice": _twice_in_claims("exp", 1),
    "cnf": _claims(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "events": _claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "tenant-missing": _claims(tid=None),
    "tenant-other": _claims(tid="tenant-2"),
    "tenant-case": lambda s, who: s.token(who, tid=s.always["tid"].upper()),
}

