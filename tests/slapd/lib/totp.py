"""One-time passwords (RFC 6238) as a guest's device makes them, and the operation that enrols."""

import json
import subprocess
import time

from ldap.extop import ExtendedRequest

from .eyes import answer

OID = "2.25.197761738801757102242170991844305268053.3.7"
STEP_SECS = 30


def at_ease(secs=5):
    """Waits where a step is about to end, for tests that want codes of certain steps: else a code
    may be used one step after it was made, which servers allow."""
    left = STEP_SECS - time.time() % STEP_SECS
    if left < secs:
        time.sleep(left + 0.1)


def code(secret, offset=0):
    """The code of this step, or of one before or after it, by oathtool."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + offset * STEP_SECS))
    done = subprocess.run(["oathtool", "--totp", "--base32", "--now", when, "-"], input=secret,
                          capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def wrong_code(secret):
    """Six digits that are right at no step that counts."""
    near = {code(secret, offset) for offset in range(-3, 4)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444", "555555",
                                  "666666", "777777") if text not in near)


def request(connection, value):
    """The operation with a value of any kind: what it answers, as JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    _, result = connection.extop_s(ExtendedRequest(OID, data))
    return json.loads(result)


def ask(connection, action, guest=None):
    return request(connection, {"action": action, **({"guest": guest} if guest else {})})


def enrol(connection, guest=None):
    """The guest's new secret, base32."""
    return ask(connection, "enroll", guest)["secret"]


def refusal(connection, value):
    """(code, text) of a request that must fail."""
    return answer(request, connection, value)[::2][:2]
