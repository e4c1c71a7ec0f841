"""Authlib's OAuth2Session, which most Python web frameworks build on."""

import time
import unittest

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt

from support import API, CALLBACK, EMAIL, NATIVE_CALLBACK, Carnet, flow, through

CLIENT = "Authlib"
SCOPE = "openid email read:orders"


def setUpModule():
    global carnet
    carnet = Carnet()


def tearDownModule():
    carnet.stop()


def session(client_id="basic", **more):
    if client_id == "app":
        proof = {"token_endpoint_auth_method": "none"}
    elif client_id == "key":
        proof = {"client_secret": carnet.key, "token_endpoint_auth_method": Assertion()}
    else:
        proof = {"client_secret": carnet.secret, "token_endpoint_auth_method": f"client_secret_{client_id}"}
    # Authlib takes client_secret_basic for revocation when it is not told.
    proof["revocation_endpoint_auth_method"] = proof["token_endpoint_auth_method"]
    return OAuth2Session(client_id, **proof, code_challenge_method="S256", **more)


class Assertion(PrivateKeyJWT):
    """For the issuer and for a minute. Authlib's own is for the token endpoint and for an hour; Carnet accepts neither."""

    def sign(self, auth, token_endpoint):
        # New claims each time: Authlib writes the jti into these, and would send it again.
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, carnet.issuer)


def log_in(client_id="basic", redirect_uri=CALLBACK):
    """A session with tokens, the code that bought them and the claims of the ID token."""
    client = session(client_id, scope=SCOPE, redirect_uri=redirect_uri)
    verifier, nonce = generate_token(48), generate_token()
    url, state = client.create_authorization_url(carnet.endpoint("authorization"), code_verifier=verifier, nonce=nonce)
    redeem = {"authorization_response": through(carnet, url), "code_verifier": verifier, "state": state}
    client.fetch_token(carnet.endpoint("token"), **redeem)
    return client, redeem, id_token(client, nonce)


def id_token(client, nonce):
    keys = jwk.KeySet.import_key_set(requests.get(carnet.metadata["jwks_uri"], timeout=10).json())
    token = jwt.decode(client.token["id_token"], keys, algorithms=["RS256", "ES256", "Ed25519"])
    expected = {"iss": {"value": carnet.issuer}, "aud": {"value": client.client_id}, "nonce": {"value": nonce}}
    checks = {"nonce": nonce, "client_id": client.client_id, "access_token": client.token["access_token"]}
    claims = CodeIDToken(token.claims, token.header, expected, checks)
    claims.validate()
    return claims


class Refusals:
    def assert_refused(self, error, call, *arguments, **named):
        with self.assertRaises(OAuthError) as refusal:
            call(*arguments, **named)
        self.assertEqual(refusal.exception.error, error)


class EveryWay(Refusals):
    """What goes by every way to authenticate."""

    client_id = ""

    @flow(CLIENT, "code + PKCE")
    def test_a_code_buys_tokens(self):
        client, _, claims = log_in(self.client_id)
        self.assertEqual(claims["sub"], userinfo(client)["sub"])

    @flow(CLIENT, "refresh")
    def test_a_refresh_brings_new_tokens_and_the_old_refresh_token_dies(self):
        client, _, _ = log_in(self.client_id)
        before = dict(client.token)
        after = client.refresh_token(carnet.endpoint("token"))
        self.assertNotEqual(after["refresh_token"], before["refresh_token"])
        self.assertNotEqual(after["access_token"], before["access_token"])
        old = before["refresh_token"]
        self.assert_refused("invalid_grant", client.refresh_token, carnet.endpoint("token"), refresh_token=old)

    @flow(CLIENT, "revocation")
    def test_a_revoked_token_opens_nothing_any_more(self):
        client, _, _ = log_in(self.client_id)
        token = client.token["access_token"]
        reply = client.revoke_token(carnet.endpoint("revocation"), token, token_type_hint="access_token")
        self.assertEqual(reply.status_code, 200)
        self.assertEqual(client.get(carnet.endpoint("userinfo")).status_code, 401)

    def get_a_token_as_a_service(self):
        ask = {"grant_type": "client_credentials", "scope": "read:orders", "resource": API}
        token = session(self.client_id).fetch_token(carnet.endpoint("token"), **ask)
        self.assertEqual([token["scope"], token["token_type"]], ["read:orders", "Bearer"])
        self.assertGreater(token["expires_at"], time.time())


class BySecretInTheHeader(EveryWay, unittest.TestCase):
    client_id = "basic"

    @flow(CLIENT, "client credentials, client_secret_basic")
    def test_a_service_gets_a_token(self):
        self.get_a_token_as_a_service()


class BySecretInTheBody(EveryWay, unittest.TestCase):
    client_id = "post"

    @flow(CLIENT, "client credentials, client_secret_post")
    def test_a_service_gets_a_token(self):
        self.get_a_token_as_a_service()


class ByKey(EveryWay, unittest.TestCase):
    client_id = "key"

    @flow(CLIENT, "client credentials, private_key_jwt")
    def test_a_service_gets_a_token(self):
        self.get_a_token_as_a_service()

    @flow(CLIENT, "client credentials, private_key_jwt")
    def test_an_assertion_to_the_token_endpoint_is_refused(self):
        # RFC 7523 §3 leaves it to the server; who accepts two audiences can be shown what was meant for another (CVE-2025-27370).
        for_a_minute = {"exp": int(time.time()) + 60}
        client = session("key")
        ask = {"auth": client.client_auth(PrivateKeyJWT(claims=for_a_minute)), "grant_type": "client_credentials"}
        self.assert_refused("invalid_client", client.fetch_token, carnet.endpoint("token"), **ask)

    @flow(CLIENT, "client credentials, private_key_jwt")
    def test_an_assertion_for_an_hour_is_refused(self):
        client = session("key")
        ask = {"auth": client.client_auth(PrivateKeyJWT(carnet.issuer)), "grant_type": "client_credentials"}
        self.assert_refused("invalid_client", client.fetch_token, carnet.endpoint("token"), **ask)


class Authlib(Refusals, unittest.TestCase):
    @flow(CLIENT, "public client")
    def test_a_native_app_without_a_secret_logs_in_on_a_port_of_its_own(self):
        client, _, claims = log_in("app", NATIVE_CALLBACK)
        self.assertEqual(claims["aud"], "app")
        self.assertIn("refresh_token", client.token)

    @flow(CLIENT, "ID token")
    def test_an_id_token_with_another_nonce_is_noticed(self):
        client, _, _ = log_in()
        with self.assertRaisesRegex(Exception, "nonce"):
            id_token(client, "another")

    @flow(CLIENT, "userinfo")
    def test_userinfo_tells_the_email_address(self):
        client, _, _ = log_in()
        self.assertEqual(userinfo(client)["email"], EMAIL)

    @flow(CLIENT, "introspection")
    def test_an_api_asks_about_a_token(self):
        client, _, claims = log_in()
        api = OAuth2Session("orders-api", carnet.api_secret, token_endpoint_auth_method="client_secret_basic")
        told = api.introspect_token(carnet.endpoint("introspection"), client.token["access_token"]).json()
        self.assertEqual([told["active"], told["sub"]], [True, claims["sub"]])

    @flow(CLIENT, "replayed code")
    def test_a_code_buys_tokens_once(self):
        client, redeem, _ = log_in()
        self.assert_refused("invalid_grant", client.fetch_token, carnet.endpoint("token"), **redeem)

    @flow(CLIENT, "errors")
    def test_what_is_refused_is_told_by_name(self):
        client = session()
        ask = [client.fetch_token, carnet.endpoint("token")]
        self.assert_refused("invalid_scope", *ask, grant_type="client_credentials", scope="write:everything")
        client.client_secret = "wrong"
        self.assert_refused("invalid_client", *ask, grant_type="client_credentials")


def userinfo(client):
    reply = client.get(carnet.endpoint("userinfo"))
    reply.raise_for_status()
    return reply.json()
