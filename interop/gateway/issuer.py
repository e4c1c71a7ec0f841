"""An issuer that says yes to everybody, for the tokens of APIs and for the logins of the app."""
import base64
import hashlib
import itertools
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

AUDIENCE = 'https://api.test'


class Issuer:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.numbers = itertools.count(1)
        self.asked = {}
        issuer = self

        class Desk(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                self.reply(issuer.metadata() if self.path.startswith('/.well-known/') else issuer.jwks())

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers['Content-Length'])).decode())
                self.reply(issuer.tokens({name: values[0] for name, values in form.items()}))

            def reply(self, told):
                body = json.dumps(told).encode()
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(('127.0.0.1', 0), Desk)
        server.daemon_threads = True
        self.url = f'http://127.0.0.1:{server.server_port}'
        Thread(target=server.serve_forever, daemon=True).start()

    def metadata(self):
        return {
            'issuer': self.url, 'jwks_uri': f'{self.url}/jwks', 'authorization_endpoint': f'{self.url}/authorize', 'token_endpoint': f'{self.url}/token',
            'revocation_endpoint': f'{self.url}/revoke', 'end_session_endpoint': f'{self.url}/logout', 'response_types_supported': ['code'],
            'authorization_response_iss_parameter_supported': True, 'subject_types_supported': ['public'], 'id_token_signing_alg_values_supported': ['ES256'],
        }

    def jwks(self):
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {'keys': [{**key, 'kid': 'k1', 'alg': 'ES256', 'use': 'sig'}]}

    def sign(self, kind, claims):
        return jwt.encode(claims, self.key, 'ES256', {'typ': kind, 'kid': 'k1'})

    def token(self, **claims):
        now = int(time.time())
        usual = {'iss': self.url, 'aud': AUDIENCE, 'sub': 'user_1', 'client_id': 'web', 'jti': f'j{next(self.numbers)}', 'iat': now, 'exp': now + 3600,
                 'scope': 'read:orders', 'roles': ['editor', 'reviewer']}
        return self.sign('at+jwt', {**usual, **claims})

    def log_in(self, location):
        """Where the browser goes after a login at `location`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        code = f'code{next(self.numbers)}'
        self.asked[code] = asked
        back = urlsplit(asked['redirect_uri'])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"

    def tokens(self, form):
        asked, now = self.asked.pop(form['code']), int(time.time())
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form['code_verifier'].encode()).digest()).rstrip(b'=').decode()
        assert challenge == asked['code_challenge']
        claims = {'iss': self.url, 'aud': 'app', 'sub': 'user_1', 'iat': now, 'exp': now + 300, 'sid': 's1', 'nonce': asked['nonce'], 'name': 'Alice', 'at_hash': 'x'}
        return {'access_token': self.token(), 'token_type': 'Bearer', 'expires_in': 3600, 'refresh_token': f'r{next(self.numbers)}', 'id_token': self.sign('JWT', claims)}
