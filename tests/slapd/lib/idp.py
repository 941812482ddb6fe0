"""A real OpenID provider: tests/peers/idp.mjs, run by node, and a client that logs people in.

The client walks the authorization code flow (OpenID Connect Core 1.0, 3.1) as a browser would; the
provider asks nobody anything.
"""

import http.cookiejar
import json
import queue
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from .slapd import HarnessError

TOP = Path(__file__).resolve().parents[3]
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
RESOURCE = "urn:b2b:directory"
MFA = {"amr": ["pwd", "mfa"]}
START_SECS = 30
_where = []


def modules():
    """The folder with node_modules; installed by scripts/peers if nobody did before."""
    if not _where:
        done = subprocess.run([str(TOP / "scripts" / "peers")], capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise HarnessError(f"scripts/peers failed:\n{done.stderr}")
        _where.append(done.stdout.strip())
    return _where[0]


class Idp:
    """A provider on a port of its own.  .issuer is what its tokens say."""

    def __init__(self):
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["node", str(TOP / "tests/peers/idp.mjs"), modules()],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self._log, start_new_session=True)
        try:
            self.issuer = self._ready()
            self._conf = json.loads(self._get("/.well-known/openid-configuration"))
        except BaseException:
            self.stop()
            raise

    def _ready(self):
        """The issuer, from the first line that the provider writes."""
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()),
                         daemon=True).start()
        try:
            line = lines.get(timeout=START_SECS).decode()
        except queue.Empty:
            line = ""
        if not line.startswith("ready "):
            raise HarnessError(f"no OpenID provider: {line!r}\n{self.log()}")
        return line.split()[1]

    def log(self):
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    # What the provider is told

    def people(self, **people):
        """Names with claims (oid, tid, hd, groups, email, email_verified) and how they log in:
        amr, acr, auth_time.  A name that was never given has an address and nothing else."""
        self._get("/test/people", json.dumps(people), "PUT")

    def rotate(self):
        """Gives all keys up for new ones."""
        self._get("/test/rotate", "", "POST")

    # What it gives

    def jwks(self):
        """The published key set, as text."""
        return self._get(urlsplit(self._conf["jwks_uri"]).path)

    def partner_lines(self, lines=""):
        """What a partner's entry says of this provider."""
        audiences = "".join(f"b2bAudience: b2b-{alg}\n" for alg in ALGORITHMS)
        return (f"b2bIdp: oidc\nb2bIssuer: {self.issuer}\n{audiences}"
                f"b2bAudience: {RESOURCE}\nb2bJwks: {self.jwks()}\n{lines}")

    def id_token(self, name, alg="RS256"):
        return self._flow(name, alg)["id_token"]

    def access_token(self, name, alg="RS256"):
        return self._flow(name, alg, resource=RESOURCE)["access_token"]

    def _flow(self, name, alg, **resource):
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        back = f"{self.issuer}/cb"
        ask = {"client_id": f"b2b-{alg}", "response_type": "code", "redirect_uri": back,
               "scope": "openid email" + (" directory" if resource else ""), "login_hint": name,
               "state": "s", "nonce": "n", **resource}
        with opener.open(f"{self._conf['authorization_endpoint']}?{urlencode(ask)}",
                         timeout=20) as answer:
            found = parse_qs(urlsplit(answer.url).query)
        if "code" not in found:
            raise HarnessError(f"the provider gave no code: {found}\n{self.log()}")
        form = {"client_id": f"b2b-{alg}", "client_secret": "secret", "code": found["code"][0],
                "grant_type": "authorization_code", "redirect_uri": back, **resource}
        return json.loads(self._get(urlsplit(self._conf["token_endpoint"]).path, urlencode(form),
                                    "POST", "application/x-www-form-urlencoded"))

    def _get(self, path, data=None, method="GET", kind="application/json"):
        request = urllib.request.Request(self.issuer + path, method=method,
                                         data=None if data is None else data.encode(),
                                         headers={"Content-Type": kind})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise HarnessError(f"{method} {path}: {error.code} {error.read()!r}\n"
                               f"{self.log()}") from None

    # Its end

    def stop(self):
        """The provider ends when nobody holds its standard input any more."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise HarnessError("the OpenID provider did not end with its standard input") from None
        finally:
            self.process.stdout.close()
            self._log.close()
