"""Nobody but the gateway tells a service who asks: every spelling of every such header, over both versions of HTTP, on every kind of route, to
services that fold names: gunicorn (WSGI) and PHP (FastCGI). Where a proxy asks the gateway, it is the proxy's copy that must be honest."""
import re
import secrets
import unittest

import support
from issuer import AUDIENCE, Issuer
from wire import Conversation, Streams, pseudo

SEPARATORS = "-_.!#$%&'*+^`|~"
"""Every byte of a name that is no letter and no digit (RFC 9110 §5.6.2)."""
BACKENDS = ('gunicorn', 'php')
PROXIES = ('nginx', 'caddy')
IDENTITY = {'HTTP_X_USER_ID': 'user_1', 'HTTP_X_USER_ROLES': 'editor,reviewer', 'HTTP_X_TENANT': None}
MATRIX = {}


def variants():
    """Names, each of which some server takes for one that only the gateway says."""
    names = [f'X{first}User{second}ID' for first in SEPARATORS for second in SEPARATORS]
    for base in ('X-User-Roles', 'X-User-Email', 'X-JWT-Sub', 'X-Identity-Assertion', 'Remote-User', 'X-Remote-User', 'X-Tenant', 'X-Forwarded-User', 'X-Original-URL'):
        names += [base.replace('-', separator) for separator in SEPARATORS]
    names += ['x-uSeR-iD', 'x-user-', 'X-USER-ID', 'X-User', 'Proxy', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Forwarded-Email', 'X-Forwarded-Groups', 'X-Forwarded-Preferred-Username']
    return [[(name, 'spoof')] for name in names] + [
        # Beside ours, twice, and as something that is taken out before ours is put in.
        [('X-User-ID', 'spoof'), ('X-User-ID', 'spoof')], [('X-User-ID', 'spoof'), ('x_user_id', 'spoof'), ('X.User.ID', 'spoof')], [('X-User-Roles', 'spoof'), ('X-User-Roles', 'admin spoof')],
        [('Connection', 'keep-alive, X-User-ID, X-User-Roles, X-Tenant'), ('X-User-ID', 'spoof')], [('Connection', 'X-Tenant'), ('X_Tenant', 'spoof')], [('Trailer', 'X-User-ID'), ('X-User-ID', 'spoof')],
    ]


def setUpModule():
    global ISSUER, PORTS, COOKIE, TOKEN
    ISSUER, side = Issuer(), support.free_port()
    fronts = {(proxy, version, backend): support.free_port() for proxy in PROXIES for version in ('h1', 'h2') for backend in BACKENDS}
    page = (support.HERE / '../../docs/forward-auth.md').read_text()

    def snippet(name, key, service):
        text = re.search(rf'^```\S+ {re.escape(name)}\n(.*?)^```$', page, re.M | re.S)[1]
        # The port that is listened on, Carnet's, the service's.
        return text.replace('8080', str(fronts[key])).replace('8082', str(side)).replace('3000', str(service))

    nginx = ''
    services = {name: support.free_port() for name in BACKENDS}
    for (proxy, version, backend), port in fronts.items():
        if proxy == 'nginx':
            text = snippet('nginx.conf', (proxy, version, backend), services[backend])
            text = text.replace('auth_request_set $user_roles', 'auth_request_set $tenant $upstream_http_x_tenant;\n auth_request_set $user_roles').replace(
                'proxy_set_header X-User-Roles', 'proxy_set_header X-Tenant $tenant;\n proxy_set_header X-User-Roles')
            nginx += text.replace(f':{port};', f':{port} http2;') if version == 'h2' else text
    ports = support.backends(nginx, services)
    support.write('client.secret', secrets.token_urlsafe(), 0o600)
    support.write('bff.key', secrets.token_urlsafe(32), 0o600)
    routes = ''.join(f'[[upstreams]]\nname = "{name}"\nurls = ["http://127.0.0.1:{ports[name]}"]\n' + ''.join(
        f'[[routes]]\npath = "/{kind}/{name}"\nupstream = "{name}"\n{setting}\n' for kind, setting in (('public', 'public = true'), ('protected', ''), ('session', 'session = true'))) for name in BACKENDS)
    identity = ''.join(f'[[identity]]\nname = "{name}"\nclaim = "{claim}"\n' for name, claim in (('X-User-ID', 'sub'), ('X-User-Roles', 'roles'), ('X-Tenant', 'tenant')))
    gateway = support.gateway(f'[tokens]\naudience = "{AUDIENCE}"\n[[issuers]]\nissuer = "{ISSUER.url}"\n{identity}{routes}'
                              f'[bff]\nurl = "https://app.test"\nissuer = "{ISSUER.url}"\nclient_id = "app"\nclient_secret_file = "client.secret"\nkey_file = "bff.key"\nresources = ["{AUDIENCE}"]\n'
                              f'[forward_auth]\naddress = "127.0.0.1:{side}"\ndialects = ["nginx", "caddy"]\n'
                              '[[routes]]\npath = "/asked/public"\npublic = true\n[[routes]]\npath = "/asked/protected"\n')
    caddy = '{\n  admin off\n  log {\n    level FATAL\n  }\n  servers {\n    protocols h1 h2c\n  }\n}\n'
    for (proxy, version, backend), port in fronts.items():
        if proxy == 'caddy':
            caddy += snippet('Caddyfile', (proxy, version, backend), services[backend]).replace('copy_headers X-User-ID', 'copy_headers X-Tenant X-User-ID')
    support.start('caddy', ['caddy', 'run', '--config', support.write('Caddyfile', caddy), '--adapter', 'caddyfile'], max(port for key, port in fronts.items() if key[0] == 'caddy'), XDG_DATA_HOME=str(support.FOLDER))
    PORTS = {**fronts, 'gateway': gateway}
    TOKEN = ('Authorization', f'Bearer {ISSUER.token()}')
    COOKIE = ('Cookie', f'{log_in(gateway)}; own=spoof')


def tearDownModule():
    support.stop()
    print(f'\n\nspoofed headers that reached a service, of {len(variants())}:')
    width = max((len(' '.join(key[:2])) for key in MATRIX), default=0)
    columns = [(version, backend) for version in ('h1', 'h2') for backend in BACKENDS]
    print(' ' * width, *(f'{version} {backend:8}' for version, backend in columns))
    for row in dict.fromkeys(key[:2] for key in MATRIX):
        print(f"{' '.join(row):{width}}", *(f'{MATRIX.get((*row, *column), "-"):>11}' for column in columns))


def log_in(gateway):
    """The cookie of a browser that was logged in."""
    window = [('Sec-Fetch-Mode', 'navigate'), ('Sec-Fetch-Dest', 'document')]
    with Conversation(gateway) as browser:
        begun = browser.ask('/bff/login?returnUrl=/', [('Sec-Fetch-Site', 'same-origin'), *window], host='app.test')
        cookies = '; '.join(cookie.split(';')[0] for cookie in begun.all('set-cookie'))
        back = ISSUER.log_in(begun.all('location')[0])
        ended = browser.ask(back, [('Sec-Fetch-Site', 'cross-site'), *window, ('Cookie', cookies)], host='app.test')
    return next(pair for cookie in ended.all('set-cookie') if (pair := cookie.split(';')[0]).startswith('__Host-Http-bff='))


class Client:
    """A connection of either version, on which requests are asked one after the other."""

    def __init__(self, version, port):
        self.version, self.port, self.connection = version, port, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.socket.close()

    def ask(self, target, headers, host):
        if self.connection is None or getattr(self.connection, 'closed', False) or getattr(self.connection, 'gone', False):
            self.connection = (Conversation if self.version == 'h1' else Streams)(self.port)
        if self.version == 'h1':
            answer = self.connection.ask(target, headers, host=host)
            if answer is None or 'close' in answer.all('connection'):
                self.connection.socket.close()
                self.connection = None
            return answer
        # Connection is no field there; names are in lower case.
        fields = [(name.lower(), value) for name, value in headers if name not in ('Connection', 'Trailer')]
        return self.connection.ask([*pseudo(target, authority=host), *fields])


def leaks(answer, expected):
    """What of an answer shows that the service believes the client."""
    if answer is None or answer.status in (400, 403):
        return None
    told = answer.json()['environ'] if answer.status == 200 else {'status': f'spoof {answer.status}'}
    found = {name: value for name, value in told.items() if 'spoof' in value}
    for name, value in expected.items():
        if (told.get(name) or None) != value:
            found[name] = told.get(name)
    return found


class Spoofing(unittest.TestCase):
    def matrix(self, row, place, target, headers, expected, refused):
        """Every variant in every column; `refused`: whether the answer may be a refusal."""
        faults = []
        for version in ('h1', 'h2'):
            for backend in BACKENDS:
                with Client(version, place(version, backend)) as client:
                    honest = leaks(client.ask(target(backend), headers, 'app.test'), expected)
                    self.assertEqual(honest, {}, f'{row} {version} {backend}')
                    answered = [(spoofed, leaks(client.ask(target(backend), [*headers, *spoofed], 'app.test'), expected)) for spoofed in variants()]
                leaked = [(spoofed, found) for spoofed, found in answered if found or found is None and not refused]
                faults += [f'{row} {version} {backend} {spoofed}: {found}' for spoofed, found in leaked]
                MATRIX[(*row, version, backend)] = len(leaked)
        self.assertEqual(faults, [], '\n' + '\n'.join(faults[:20]))

    def of_the_gateway(self, kind, headers, expected):
        self.matrix(('the gateway,', kind), lambda *_: PORTS['gateway'], lambda backend: f'/{kind}/{backend}', headers, expected, False)

    def test_there_are_enough(self):
        self.assertGreaterEqual(len({str(variant).lower() for variant in variants()}), 300)

    def test_on_a_route_for_everybody(self):
        self.of_the_gateway('public', [], dict.fromkeys(IDENTITY))

    def test_on_a_route_with_a_token(self):
        self.of_the_gateway('protected', [TOKEN], IDENTITY)

    def test_on_a_route_with_a_session(self):
        self.of_the_gateway('session', [COOKIE, ('X-CSRF', '1'), ('Sec-Fetch-Site', 'same-origin')], IDENTITY)

    def of_a_proxy(self, proxy):
        for kind, headers, expected in (('public', [], dict.fromkeys(IDENTITY)), ('protected', [TOKEN], IDENTITY)):
            self.matrix((f'forward-auth, {proxy},', kind), lambda version, backend: PORTS[proxy, version, backend], lambda _: f'/asked/{kind}', headers, expected, True)

    def test_where_nginx_asks(self):
        self.of_a_proxy('nginx')

    def test_where_caddy_asks(self):
        self.of_a_proxy('caddy')
