"""One server for a file of tests, and the way of a person through its pages: as support.js, for Python."""

import functools
import html
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urljoin

import requests
from joserfc import jwk

EMAIL = "alice@example.com"
PASSWORD = "a long enough passphrase"
API = "https://api.example.com"
LEGACY = "https://legacy.example.com"
CALLBACK = "https://shop.example.com/callback"
NATIVE_CALLBACK = "http://127.0.0.1:4711/callback"
HERE = Path(__file__).parent

# Both libraries refuse http; the server is on a loopback address.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def flow(client, name):
    """Marks a test as one cell of the matrix, noted down in the file MATRIX when that is set."""

    def mark(test):
        @functools.wraps(test)
        def noted(*arguments):
            outcome = "FAILED"
            try:
                test(*arguments)
                outcome = "ok"
            finally:
                if "MATRIX" in os.environ:
                    with open(os.environ["MATRIX"], "a", encoding="utf-8") as matrix:
                        matrix.write(f"{client}\t{name}\t{outcome}\n")

        return noted

    return mark


class Carnet:
    """The built binary on a free port, with one user."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-clients-"))
        self.secret = secrets.token_urlsafe(32)
        self.api_secret = secrets.token_urlsafe(32)
        self.key = jwk.RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "client-1"})
        self._process = None
        try:
            self._start()
        except BaseException:
            # Who could not be set up is not torn down.
            self.stop()
            raise

    def _start(self):
        self._configure()
        port = _free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        address = {"CARNET__ISSUER": self.issuer, "CARNET__LISTEN__ADDRESS": f"127.0.0.1:{port}"}
        self._environment = {**os.environ, **address}
        self._process = subprocess.Popen(self._command("serve"), env=self._environment)
        self._await_ready()
        self._add_user()
        self.metadata = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=10).json()

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait(15)
        shutil.rmtree(self.folder)

    def endpoint(self, name):
        return self.metadata[f"{name}_endpoint"]

    def _configure(self):
        """The configuration, and the secrets and the public key that it names."""
        files = {
            "carnet.toml": (HERE / "carnet.toml").read_text(encoding="utf-8"),
            "client.secret": self.secret,
            "odd.secret": secrets.token_urlsafe(32),
            "api.secret": self.api_secret,
            "client.jwks.json": json.dumps(jwk.KeySet([self.key]).as_dict(private=False)),
        }
        for name, content in files.items():
            (self.folder / name).touch(0o600)
            (self.folder / name).write_text(content, encoding="utf-8")

    def _command(self, *words):
        return [os.environ["CARNET_BIN"], *words, "--config", str(self.folder / "carnet.toml")]

    def _await_ready(self):
        for _ in range(300):
            assert self._process.poll() is None, "the server has stopped"
            try:
                if requests.get(f"{self.issuer}/health/ready", timeout=5).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise AssertionError("the server is not ready after 15 s")

    def _add_user(self):
        add = self._command("user", "add", EMAIL, "--password-stdin", "--name", "Alice", "--email-verified")
        subprocess.run(add, env=self._environment, input=PASSWORD.encode(), check=True, capture_output=True)


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def through(carnet, url):
    """Logs in and allows, in a browser without script. Where the answer is sent, as the client at that address sees it."""
    browser = requests.Session()
    reply = _follow(carnet, browser, browser.get(url, allow_redirects=False, timeout=10))
    if 'id="login-submit"' in reply.text:
        typed = {"username": EMAIL, "password": PASSWORD, "decision": "login"}
        reply = _press(carnet, browser, reply, typed)
    if 'id="consent-allow"' in reply.text:
        reply = _press(carnet, browser, reply, {"decision": "allow"})
    return reply.headers.get("location") or reply.url


def _press(carnet, browser, page, typed):
    action, fields = form_of(page.text)
    # A browser says from where a form comes.
    reply = browser.post(
        urljoin(page.url, action),
        {**fields, **typed},
        headers={"Origin": carnet.issuer},
        allow_redirects=False,
        timeout=10,
    )
    return _follow(carnet, browser, reply)


def _follow(carnet, browser, reply):
    """To the next page of the server; a redirect to somebody else is looked at, for nobody is there."""
    while reply.is_redirect:
        following = urljoin(reply.url, reply.headers["location"])
        if not following.startswith(f"{carnet.issuer}/"):
            break
        reply = browser.get(following, allow_redirects=False, timeout=10)
    return reply


def form_of(page):
    """Where the form of a page goes, and its hidden fields."""
    form = re.search(r"<form.*?</form>", page, re.DOTALL)
    assert form, f"no form: {page}"
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[0])
    action = re.search(r'action="([^"]*)"', form[0])[1]
    return html.unescape(action), {html.unescape(name): html.unescape(value) for name, value in hidden}
