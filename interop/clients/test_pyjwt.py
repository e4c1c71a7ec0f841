"""PyJWT with PyJWKClient: how an API in Python checks our tokens."""

import unittest

import jwt
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from support import API, CALLBACK, LEGACY, Carnet, flow, through

CLIENT = "PyJWT"


def setUpModule():
    global carnet, tokens
    carnet = Carnet()
    tokens = {resource: log_in(resource) for resource in [API, LEGACY]}


def tearDownModule():
    carnet.stop()


def log_in(resource):
    ask = {"scope": "openid email read:orders", "redirect_uri": CALLBACK, "code_challenge_method": "S256"}
    client = OAuth2Session("basic", carnet.secret, **ask)
    verifier = generate_token(48)
    url, _ = client.create_authorization_url(carnet.endpoint("authorization"), code_verifier=verifier, resource=resource)
    answer = through(carnet, url)
    return client.fetch_token(carnet.endpoint("token"), authorization_response=answer, code_verifier=verifier)


def verify(token, audience, algorithm, **more):
    key = jwt.PyJWKClient(carnet.metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=[algorithm], audience=audience, issuer=carnet.issuer, **more)


class Verify(unittest.TestCase):
    @flow(CLIENT, "access token")
    def test_an_access_token_by_es256_holds(self):
        required = {"require": ["exp", "iat", "jti", "sub", "client_id", "aud", "iss"]}
        token = tokens[API]["access_token"]
        self.assertEqual(verify(token, API, "ES256", options=required)["client_id"], "basic")
        self.assertEqual(jwt.get_unverified_header(token)["typ"], "at+jwt")

    @flow(CLIENT, "access token")
    def test_an_access_token_by_rs256_holds(self):
        self.assertEqual(verify(tokens[LEGACY]["access_token"], LEGACY, "RS256")["client_id"], "basic")

    @flow(CLIENT, "ID token")
    def test_an_id_token_holds_for_the_client_and_names_the_same_person_as_userinfo(self):
        claims = verify(tokens[API]["id_token"], "basic", "RS256")
        bearer = {"Authorization": f"Bearer {tokens[API]['access_token']}"}
        told = requests.get(carnet.endpoint("userinfo"), headers=bearer, timeout=10).json()
        self.assertEqual(claims["sub"], told["sub"])

    @flow(CLIENT, "refusals")
    def test_another_audience_is_refused(self):
        with self.assertRaises(jwt.InvalidAudienceError):
            verify(tokens[API]["access_token"], LEGACY, "ES256")
        with self.assertRaises(jwt.InvalidAudienceError):
            verify(tokens[API]["id_token"], API, "RS256")

    @flow(CLIENT, "refusals")
    def test_another_algorithm_and_another_signature_are_refused(self):
        token = tokens[API]["access_token"]
        with self.assertRaises(jwt.InvalidAlgorithmError):
            verify(token, API, "RS256")
        head, payload, _ = token.split(".")
        # The signature of another token by the same key.
        other = log_in(API)["access_token"].split(".")[2]
        with self.assertRaises(jwt.InvalidSignatureError):
            verify(f"{head}.{payload}.{other}", API, "ES256")

    @flow(CLIENT, "JWKS")
    def test_a_jwks_with_a_key_that_the_library_does_not_know_is_read_all_the_same(self):
        read = jwt.PyJWKClient(carnet.metadata["jwks_uri"]).get_signing_keys()
        self.assertLessEqual({"ES256", "RS256"}, {key.algorithm_name for key in read})
