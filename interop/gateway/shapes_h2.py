"""Requests in HTTP/2 that become something else in HTTP/1.1 (RFC 9113 §8.2, §8.3), frame by frame."""
from shapes import BROKEN, REFUSED, smuggled


def shapes(path):
    """A name, the fields, the body (none with None), the trailers, and what a backend may see of it: a tuple for one of several."""
    return [*_lengths(path), *_fields(path), *_targets(path), *_trailers(path)]


def _head(path, method='POST', **other):
    pairs = {':method': method, ':scheme': 'http', ':authority': 'x', ':path': path, **{f':{name}': value for name, value in other.items()}}
    return [(name, value) for name, value in pairs.items() if value is not None]


def _lengths(path):
    hidden = smuggled(path)
    # H2.CL: a length that the frames do not have.
    for length in (1, len(hidden) - 1, len(hidden) + 10, 2**63):
        yield f'h2 content-length {length}', [*_head(path), ('content-length', str(length))], hidden, None, BROKEN
    # The head says that the request is whole, so that it may have gone on before more came.
    yield 'h2 content-length 0', [*_head(path), ('content-length', '0')], hidden, None, ([('POST', '', '')], [])
    for value in ('+5', '5,5', '0x5', '5 ', '', '-5', '18446744073709551621'):
        yield f'h2 content-length {value!r}', [*_head(path), ('content-length', value)], 'hello', None, BROKEN
    yield 'h2 content-length without a body', [*_head(path), ('content-length', '10')], None, None, BROKEN
    yield 'h2 two lengths that differ', [*_head(path), ('content-length', '5'), ('content-length', '99')], 'hello', None, BROKEN
    yield 'h2 two lengths that differ, GET', [*_head(path, 'GET'), ('content-length', '5'), ('content-length', '0')], 'hello', None, BROKEN
    for method in ('POST', 'GET', 'DELETE'):
        yield f'h2 {method} without a length', _head(path, method), hidden, None, [(method, '', hidden)]
        yield f'h2 {method} with a length', [*_head(path, method), ('content-length', str(len(hidden)))], hidden, None, [(method, '', hidden)]
    yield 'h2 content_length', [*_head(path), ('content_length', '0')], hidden, None, [('POST', '', hidden)]
    yield 'h2 expect', [*_head(path), ('expect', '100-continue')], hidden, None, [('POST', '', hidden)]
    # H2.TE
    body = f'0\r\n\r\n{hidden}'
    for name, value in (('transfer-encoding', 'chunked'), ('transfer-encoding', 'identity'), ('te', 'chunked'), ('connection', 'transfer-encoding'), ('connection', 'keep-alive'), ('keep-alive', '5'),
                        ('proxy-connection', 'keep-alive'), ('upgrade', 'websocket'), ('transfer-encoding ', 'chunked'), ('transfer-encoding', 'chunked\r\nx: y')):
        yield f'h2 {name}: {value!r}', [*_head(path), (name, value)], body, None, BROKEN
    for name in ('transfer_encoding', 'transfer.encoding', 'x-transfer-encoding'):
        yield f'h2 {name}', [*_head(path), (name, 'chunked')], body, None, [('POST', '', body)]


def _fields(path):
    hidden = smuggled(path)
    injected = f'b\r\n\r\n{hidden}'
    for name, value in (('a', injected), ('a', 'b\r\ntransfer-encoding: chunked'), ('a', 'b\nx-user-id: spoof'), ('a', 'b\rc'), ('a', 'b\0c'), ('a', 'b\x7fc'), ('cookie', f'a=b\r\n\r\n{hidden}'),
                        (f'a: b\r\n\r\n{hidden}', 'c'), ('a\r\nx-user-id', 'spoof'), ('a\n', 'b'), ('a b', 'c'), ('a:b', 'c'), ('a: b', 'c'), ('', 'b'), ('X-Upper', 'b'), ('a\0', 'b'), ('a\xe9', 'b'), (':a', 'b'),
                        (' a', 'b'), ('a(', 'b'), ('host', f'x\r\n\r\n{hidden}'), ('host', 'y'), ('host', 'user@x')):
        yield f'h2 field {name[:20]!r}: {value[:20]!r}', [*_head(path, 'GET'), (name, value)], None, None, REFUSED
    yield 'h2 two hosts', [*_head(path, 'GET'), ('host', 'x'), ('host', 'x')], None, None, REFUSED
    yield 'h2 a pseudo-header behind a field', [*_head(path, 'GET')[:3], ('a', 'b'), (':path', path)], None, None, REFUSED
    yield 'h2 two paths', [*_head(path, 'GET'), (':path', f'{path}/smuggled')], None, None, REFUSED
    yield 'h2 two methods', [*_head(path, 'GET'), (':method', 'POST')], None, None, REFUSED
    yield 'h2 two authorities', [*_head(path, 'GET'), (':authority', 'y')], None, None, REFUSED
    yield 'h2 :status', [*_head(path, 'GET'), (':status', '200')], None, None, REFUSED
    yield 'h2 :protocol and GET', [*_head(path, 'GET'), (':protocol', 'websocket')], None, None, REFUSED
    yield 'h2 :protocol and CONNECT, and a request behind it', [*_head(path, 'CONNECT'), (':protocol', 'websocket'), ('sec-websocket-version', '13')], hidden, None, REFUSED
    yield 'h2 CONNECT', [(':method', 'CONNECT'), (':authority', 'x:80')], hidden, None, REFUSED
    yield 'h2 CONNECT with a path', _head(path, 'CONNECT'), hidden, None, REFUSED
    yield 'h2 te: trailers', [*_head(path, 'GET'), ('te', 'trailers')], None, None, [('GET', '', '')]
    yield 'h2 host and authority', [*_head(path, 'GET'), ('host', 'x')], None, None, [('GET', '', '')]
    yield 'h2 host alone', [*_head(path, 'GET', authority=None), ('host', 'x')], None, None, [('GET', '', '')]


def _targets(path):
    hidden = smuggled(path)
    for target in (f'{path} HTTP/1.1\r\nhost: x\r\n\r\n{hidden}', f'{path}\r\nx: y', f'{path}\nx: y', f'{path} x', f'{path}\0', '', path[1:], '*', f'http://x{path}', f'//x{path}', f'{path}//x', f'{path}/%0d%0a', f'{path}/%2f..',
                   f'{path}\\x', f'{path}/../../..', f'{path}\t', f'{path}?a b', f'{path}?a\r\nb'):
        yield f'h2 path {target.replace(path, "/…")[:30]!r}', _head(target, 'GET'), None, None, REFUSED
    for authority in ('user@x', 'user:password@x', f'x\r\n\r\n{hidden}', 'x\r\na: b', 'x y', 'x/y', 'x#', 'x?', 'x:80@y', 'x,y', 'x:1:2', '', 'x\0', 'x\\y', ' x', '[::1'):
        yield f'h2 authority {authority[:20]!r}', _head(path, 'GET', authority=authority), None, None, REFUSED
    for method in (f'GET {path}/smuggled HTTP/1.1\r\nhost: x\r\n\r\nGET', 'GET ', ' GET', 'GE\nT', 'GET\0', '', 'G@T', 'TRACE', 'CONNECT'):
        yield f'h2 method {method[:10]!r}', _head(path, method), None, None, REFUSED
    # The gateway knows its scheme by itself: this one goes nowhere.
    yield 'h2 an empty scheme', _head(path, 'GET', scheme=''), None, None, [('GET', '', '')]
    for scheme in ('http://evil.test/ HTTP/1.1\r\nx: y\r\n\r\n', 'http\r\n', 'ht tp'):
        yield f'h2 scheme {scheme[:10]!r}', _head(path, 'GET', scheme=scheme), None, None, REFUSED
    for missing in ('method', 'path', 'authority'):
        yield f'h2 no :{missing}', _head(path, **{missing: None}) if missing != 'path' else _head(None), None, None, REFUSED


def _trailers(path):
    for name in ('content-length', 'transfer-encoding', 'host', 'x-user-id', 'x_user_id', 'authorization', 'connection', 'te'):
        yield f'h2 trailer {name}', _head(path), 'hello', [(name, 'spoof')], BROKEN if name in ('transfer-encoding', 'connection', 'te') else [('POST', '', 'hello')]
    # Malformed (RFC 9113 §8.1); taken out like the trailers that are not.
    for name, value in ((':path', '/x'), (':status', '200')):
        yield f'h2 trailer {name}', _head(path), 'hello', [(name, value)], [('POST', '', 'hello')]
    for name, value in (('a', 'b\r\nc: d'), ('A', 'b'), ('a\r\nb', 'c')):
        yield f'h2 trailer {name!r}: {value!r}', _head(path), 'hello', [(name, value)], BROKEN
