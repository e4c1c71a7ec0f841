"""requests-oauthlib, on oauthlib: an OAuth 2.0 client that knows nothing of OpenID Connect."""

import unittest

from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, InvalidScopeError, MismatchingStateError
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from support import CALLBACK, EMAIL, LEGACY, NATIVE_CALLBACK, Carnet, flow, through

CLIENT = "requests-oauthlib"
SCOPE = ["openid", "email", "read:orders"]


def setUpModule():
    global carnet
    carnet = Carnet()


def tearDownModule():
    carnet.stop()


def proof(client_id):
    """How a client proves who it is, in the words of fetch_token."""
    if client_id == "basic":
        return {"auth": HTTPBasicAuth("basic", carnet.secret)}
    if client_id == "post":
        return {"include_client_id": True, "client_secret": carnet.secret}
    return {"include_client_id": True}


def log_in(client_id="basic", redirect_uri=CALLBACK):
    session = OAuth2Session(client_id, redirect_uri=redirect_uri, scope=SCOPE, pkce="S256")
    url, _ = session.authorization_url(carnet.endpoint("authorization"))
    answer = through(carnet, url)
    session.fetch_token(carnet.endpoint("token"), authorization_response=answer, **proof(client_id))
    return session, answer


def refresh(session, client_id, token=None):
    how = {
        "basic": {"auth": HTTPBasicAuth("basic", carnet.secret)},
        "post": {"client_id": "post", "client_secret": carnet.secret},
        "app": {"client_id": "app"},
    }
    return session.refresh_token(carnet.endpoint("token"), refresh_token=token, **how[client_id])


class EveryWay:
    """What goes by every way to authenticate."""

    client_id = ""
    redirect_uri = CALLBACK

    @flow(CLIENT, "refresh")
    def test_a_refresh_brings_new_tokens_and_the_old_refresh_token_dies(self):
        session, _ = log_in(self.client_id, self.redirect_uri)
        before = dict(session.token)
        after = refresh(session, self.client_id)
        self.assertNotEqual(after["refresh_token"], before["refresh_token"])
        self.assertNotEqual(after["access_token"], before["access_token"])
        with self.assertRaises(InvalidGrantError):
            refresh(session, self.client_id, before["refresh_token"])

    def open_userinfo(self):
        session, _ = log_in(self.client_id, self.redirect_uri)
        self.assertEqual(sorted(session.token["scope"]), sorted(SCOPE))
        self.assertEqual(session.get(carnet.endpoint("userinfo")).json()["email"], EMAIL)

    def get_a_token_as_a_service(self):
        session = OAuth2Session(client=BackendApplicationClient(self.client_id, scope=["read:orders"]))
        token = session.fetch_token(carnet.endpoint("token"), resource=LEGACY, **proof(self.client_id))
        self.assertEqual([token["scope"], token["token_type"]], [["read:orders"], "Bearer"])
        self.assertNotIn("refresh_token", token)


class BySecretInTheHeader(EveryWay, unittest.TestCase):
    client_id = "basic"

    @flow(CLIENT, "code + PKCE")
    def test_a_code_buys_a_token_that_opens_userinfo(self):
        self.open_userinfo()

    @flow(CLIENT, "client credentials, client_secret_basic")
    def test_a_service_gets_a_token(self):
        self.get_a_token_as_a_service()


class BySecretInTheBody(EveryWay, unittest.TestCase):
    client_id = "post"

    @flow(CLIENT, "code + PKCE")
    def test_a_code_buys_a_token_that_opens_userinfo(self):
        self.open_userinfo()

    @flow(CLIENT, "client credentials, client_secret_post")
    def test_a_service_gets_a_token(self):
        self.get_a_token_as_a_service()


class AsNativeApp(EveryWay, unittest.TestCase):
    client_id = "app"
    redirect_uri = NATIVE_CALLBACK

    @flow(CLIENT, "public client")
    def test_a_code_buys_a_token_that_opens_userinfo(self):
        self.open_userinfo()


class Refusals(unittest.TestCase):
    @flow(CLIENT, "replayed code")
    def test_a_code_buys_tokens_once(self):
        session, answer = log_in()
        with self.assertRaises(InvalidGrantError):
            session.fetch_token(carnet.endpoint("token"), authorization_response=answer, **proof("basic"))

    @flow(CLIENT, "errors")
    def test_an_answer_with_another_state_is_noticed(self):
        session = OAuth2Session("basic", redirect_uri=CALLBACK, scope=SCOPE, pkce="S256")
        url, state = session.authorization_url(carnet.endpoint("authorization"))
        answer = through(carnet, url).replace(state, "another")
        with self.assertRaises(MismatchingStateError):
            session.fetch_token(carnet.endpoint("token"), authorization_response=answer, **proof("basic"))

    @flow(CLIENT, "errors")
    def test_a_request_without_pkce_is_refused_at_the_address_of_the_client(self):
        session = OAuth2Session("basic", redirect_uri=CALLBACK, scope=SCOPE)
        url, _ = session.authorization_url(carnet.endpoint("authorization"))
        # oauthlib has several classes for invalid_request, and takes any.
        with self.assertRaises(OAuth2Error) as refusal:
            session.fetch_token(carnet.endpoint("token"), authorization_response=through(carnet, url), **proof("basic"))
        self.assertEqual(refusal.exception.error, "invalid_request")

    @flow(CLIENT, "errors")
    def test_what_is_refused_is_told_by_name(self):
        faults = [("write:everything", carnet.secret, InvalidScopeError), ("read:orders", "wrong", InvalidClientError)]
        for scope, secret, error in faults:
            session = OAuth2Session(client=BackendApplicationClient("basic", scope=[scope]))
            with self.assertRaises(error):
                session.fetch_token(carnet.endpoint("token"), auth=HTTPBasicAuth("basic", secret))
