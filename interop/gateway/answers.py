"""Answers in HTTP/1.1 that two programs could read in two ways, and a service that gives them. Many hide a second answer, for whoever asks next."""
import json
import threading
import time
from dataclasses import dataclass

POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\nPOISON'
CLOSE = object()
"""Instead of a piece: the connection ends."""


@dataclass
class Bad:
    name: str
    pieces: list
    statuses: tuple
    """What the client may be told."""
    body: object = None
    """What its answer has in it, should it be a 200: these bytes, or None when it must not be whole."""
    method: str = 'GET'
    early: bool = False
    """Sent before the body of the request was read, and what follows is taken for requests."""
    late: bool = False
    """Ends after the answer. Nobody can tell what comes when the next request was sent already from the answer to it: a moment passes first."""


def _ok(fields, text, *more, statuses=(502,), **settings):
    name = settings.pop('name', None) or f'{fields!r} {text[:30]!r}'
    return Bad(name, [f'HTTP/1.1 200 OK\r\n{fields}\r\n{text}', *more], statuses, **settings)


def shapes():
    """All of them."""
    chunks = '5\r\nhello\r\n0\r\n\r\n'
    lengths = [_ok(f'Content-Length: {value}\r\n', 'hello' + POISON) for value in ('+5', '-5', '0x5', '5,6', '5 5', '', '18446744073709551621', 'five', '5;a')]
    both = [_ok(fields, chunks + POISON) for fields in ('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 15\r\n',
                                                       'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 9999\r\n')]
    twice = [_ok('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello' + POISON), _ok('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello', statuses=(200,), body=b'hello'),
             _ok('Content-Length: 5, 5\r\n', 'hello')]
    codings = [_ok(f'Transfer-Encoding: {value}\r\n', chunks + POISON, CLOSE) for value in ('xchunked', 'gzip, chunked', 'chunked, identity', 'chunked\r\nTransfer-Encoding: chunked', 'identity', '"chunked"')]
    codings.append(Bad('HTTP/1.0 and chunks', [f'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{POISON}', CLOSE], (502,)))
    broken = [_ok('Transfer-Encoding: chunked\r\n', body + POISON, CLOSE, statuses=(200, 502), body=None)
              for body in ('5\r\nhell', 'g\r\nhello\r\n0\r\n\r\n', '5\r\nhelloX\r\n0\r\n\r\n', '10000000000000005\r\nhello\r\n0\r\n\r\n', '-5\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n\r\n')]
    broken.append(_ok('Content-Length: 9999\r\n', 'hello' + POISON, CLOSE, statuses=(200, 502), body=None, name='a body that breaks off'))
    return [*lengths, *both, *twice, *codings, *broken, *_more(chunks), *_heads(), *_bodiless(), *_early()]


def _more(chunks):
    """Something behind the answer."""
    hello = {'statuses': (200, 502), 'body': b'hello'}
    yield _ok('Content-Length: 5\r\n', f'hello{POISON}', **hello, name='a second answer at once')
    yield _ok('Content-Length: 5\r\n', 'hello', POISON, **hello, late=True, name='a second answer a moment later')
    yield _ok('Transfer-Encoding: chunked\r\n', f'{chunks}{POISON}', **hello, name='a second answer behind chunks')
    yield _ok('Content-Length: 5\r\n', 'hello\r\n\r\n', **hello, name='empty lines behind the answer')
    yield _ok('Content-Length: 5\r\n', 'hellohello', **hello, name='a body longer than its length')
    yield _ok('Connection: close\r\nContent-Length: 5\r\n', f'hello{POISON}', **hello, name='a second answer behind one that closes')
    yield _ok('Connection: close\r\n', 'hello', CLOSE, statuses=(200,), body=b'hello', name='a body that ends with the connection')
    yield _ok('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nX-User-ID: POISON\r\nContent-Length: 3\r\nSet-Cookie: own=1\r\n\r\n', statuses=(200,), body=b'hello', name='trailers that pass for headers')
    flood = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
    final = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
    yield Bad('a few answers before the answer', [f'HTTP/1.1 100 Continue\r\n\r\n{flood * 3}{final}'], (200,), b'hello')
    yield Bad('a flood of answers before the answer', [flood * 20_000 + final], (200, 502), b'hello')
    yield Bad('answers before the answer, and no answer', [flood * 50, flood, CLOSE], (502,))
    for what in ('websocket', 'h2c'):
        yield Bad(f'101 {what} unasked', [f'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {what}\r\n\r\n{POISON}'], (502,))
    yield Bad('101 without a protocol', [f'HTTP/1.1 101 Switching Protocols\r\n\r\n{POISON}'], (502,))


def _heads():
    """What is no head."""
    rest = f'Content-Length: 5\r\n\r\nhello{POISON}'
    for line in ('HTTP/2.0 200 OK', 'HTTP/0.9 200 OK', 'ICY 200 OK', 'HTTP/1.1 2OO OK', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1  200 OK', 'HTTP/1.1', ' HTTP/1.1 200 OK', 'HTTP/1.1 099 OK', 'x'):
        yield Bad(f'{line!r}', [f'{line}\r\n{rest}'], (502,))
    for field in ('A: b\0c', 'A: b\rSet-Cookie: own=POISON', 'A: b\r\n folded', 'A : b', 'A b: c', 'A', ': b', 'A\0: b', 'A\r: b'):
        yield Bad(f'{field!r}', [f'HTTP/1.1 200 OK\r\n{field}\r\n{rest}'], (502,))
    yield Bad('nothing', [CLOSE], (502,))
    yield Bad('half a head', ['HTTP/1.1 200 OK\r\nContent-', CLOSE], (502,))
    yield Bad('a head that does not end', ['HTTP/1.1 200 OK\r\n', *(f'A: {"b" * 60_000}\r\n' for _ in range(20)), CLOSE], (502,))
    yield Bad('a thousand fields', ['HTTP/1.1 200 OK\r\n' + 'A: b\r\n' * 1000 + rest], (502,))
    yield Bad('names that only the gateway says', ['HTTP/1.1 200 OK\r\nX-User-ID: POISON\r\nx_user_id: POISON\r\nSet-Cookie: own=POISON\r\nContent-Length: 5\r\n\r\nhello'], (200,), b'hello')
    yield Bad('hop-by-hop fields', ['HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nX-Secret: POISON\r\nKeep-Alive: POISON\r\nContent-Length: 5\r\n\r\nhello'], (200,), b'hello')


def _bodiless():
    """A body where none may be (RFC 9110 §6.4.1)."""
    for status in (204, 304):
        for fields in ('Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', ''):
            body = '5\r\nhello\r\n0\r\n\r\n' if 'chunked' in fields else 'hello'
            yield Bad(f'{status} {fields!r}', [f'HTTP/1.1 {status} X\r\n{fields}\r\n{body}{POISON}'], (status, 502), b'')
    for fields in ('Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', ''):
        yield Bad(f'HEAD {fields!r}', [f'HTTP/1.1 200 OK\r\n{fields}\r\nhello{POISON}'], (200, 502), b'', 'HEAD')


def _early():
    """An answer before the body of the request was read, by a service that then takes that body for requests."""
    yield _ok('Content-Length: 5\r\n', 'hello', statuses=(200,), body=b'hello', method='POST', early=True, name='an answer before the body')
    yield _ok('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n', statuses=(200,), body=b'hello', method='POST', early=True, name='chunks before the body')
    yield Bad('413 before the body', ['HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n'], (413,), b'', 'POST', True)


class Service:
    """Answers `/evil/N/…` with the N-th shape, and everything else honestly."""

    def __init__(self):
        self.shapes = shapes()
        self.seen = []
        self.lock = threading.Lock()

    def attend(self, connection):
        try:
            with connection, connection.makefile('rb') as stream:
                while self._answer(connection, stream):
                    pass
        except OSError:
            pass

    def _answer(self, connection, stream):
        line = stream.readline()
        words = line.decode('latin-1').split(' ')
        if len(words) < 3:
            # Empty lines and sizes of chunks: it goes on until something looks like a request.
            return bool(line)
        method, target, *_ = words
        length = 0
        while (field := stream.readline()).strip():
            name, _, value = field.decode('latin-1').partition(':')
            length = int(value) if name.lower() == 'content-length' else length
        with self.lock:
            self.seen.append(f'{method} {target}')
        shape = self._shape(target)
        if not (shape and shape.early):
            stream.read(length)
        if not shape:
            body = json.dumps({'seen': f'{method} {target}'})
            poison = 'X-Poison: 1\r\n' if 'smuggled' in target else ''
            connection.sendall(f'HTTP/1.1 200 OK\r\n{poison}Content-Length: {len(body)}\r\n\r\n{body}'.encode())
            return True
        for at, piece in enumerate(shape.pieces):
            if piece is CLOSE:
                return False
            if at:
                time.sleep(0.01)
            connection.sendall(piece.encode('latin-1'))
        return True

    def _shape(self, target):
        words = target.split('/')
        return self.shapes[int(words[2])] if words[1] == 'evil' and words[2].isdigit() else None
