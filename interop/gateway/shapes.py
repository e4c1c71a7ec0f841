"""Requests in HTTP/1.1 that two programs could read in two ways, and some that only look like it. Each hides a request for `…/smuggled`."""
from dataclasses import dataclass

REFUSED = 'refused'
"""Answered by the gateway, and no byte goes on."""
BROKEN = 'broken'
"""The body is wrong: a backend sees at most a request that does not end."""


@dataclass
class Shape:
    name: str
    pieces: list
    verdict: object
    """REFUSED, BROKEN, or the requests that a backend sees: method, what follows the path, body."""
    heads: tuple = ()
    """Which of the answers have no body, since HEAD was asked."""
    unless: bool = False
    """Whether it may be refused as well."""


def shapes(path, path_of_nobody):
    """All of them, for a path that a backend answers and one that the gateway does."""
    return [*_lengths(path), *_codings(path), *_chunks(path), *_heads(path), *_waiting(path, path_of_nobody), *_honest(path)]


def smuggled(path):
    return f'GET {path}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'


def _post(path, fields, body='', target=''):
    return f'POST {path}{target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{body}'.encode('latin-1')


def _lengths(path):
    hidden = smuggled(path)
    for value in ('+5', '-5', '0x5', '5,5', '5, 6', '5 5', '5;', '5\0', '', '\uff15', '1e1', '5.0', '18446744073709551621', '9223372036854775808', '5\x0b', '"5"'):
        value = value.encode().decode('latin-1')
        yield Shape(f'Content-Length: {value!r}', [_post(path, f'Content-Length: {value}\r\n', 'hello' + hidden)], REFUSED)
    for fields in ('Content-Length : 5', 'Content-Length\t: 5', ' Content-Length: 5', 'Content-Length: 5\r\nContent-Length: 5', 'Content-Length: 5\r\nContent-Length: 6',
                   'Content-Length: 5\r\ncontent-length: 0', 'Content-Length:\r\n 5', 'A: b\rContent-Length: 5', 'A: b\nContent-Length: 5', 'Content-Length: 5\n'):
        yield Shape(f'{fields!r}', [_post(path, f'{fields}\r\n', 'hello' + hidden)], REFUSED)
    # One length, and beside it what only a careless server takes for one.
    for fields in ('Content-Length: 5\r\nContent_Length: 99', 'Content_Length: 0\r\nContent-Length: 5', 'Content.Length: 0\r\nContent-Length: 5', 'Content-Length:\t5 ',
                   'Content-Length: 5\r\nConnection: Content-Length', 'Content-Length: 5\r\nConnection: keep-alive, content-length, host'):
        yield Shape(f'{fields!r}', [_post(path, f'{fields}\r\n', 'hello')], [('POST', '', 'hello')])
    yield Shape('Content-Length: 0005', [_post(path, 'Content-Length: 0005\r\n', 'hello')], [('POST', '', 'hello')], unless=True)
    yield Shape('Content-Length: 0 and a request behind it', [_post(path, 'Content-Length: 0\r\n', hidden)], [('POST', '', ''), ('GET', '/smuggled', '')])
    for method in ('GET', 'DELETE', 'OPTIONS'):
        text = f'{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}'
        yield Shape(f'{method} with a body that looks like a request', [text.encode()], [(method, '', hidden)])
    text = f'HEAD {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}'
    yield Shape('HEAD with a body that looks like a request', [text.encode()], [('HEAD', '', hidden)], heads=(0,))


CODINGS = ['chunked', 'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked, identity',
           'Transfer-Encoding: identity, chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
           'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked;q=1', 'Transfer-Encoding: ,chunked', 'Transfer-Encoding: chunked,', 'Transfer-Encoding: "chunked"',
           "Transfer-Encoding: 'chunked'", 'Transfer-Encoding: chunk', 'Transfer-Encoding:', 'Transfer-Encoding: \xa0chunked', 'Transfer-Encoding: \x0bchunked', 'Transfer-Encoding: \x0cchunked',
           'Transfer-Encoding: chunked\0', 'Transfer-Encoding: \0chunked', 'Transfer-Encoding:\r\n chunked', 'Transfer-Encoding:\n chunked', 'Transfer-Encoding\r\n: chunked', 'Transfer-Encoding\n: chunked',
           'A: b\rTransfer-Encoding: chunked', 'A: b\nTransfer-Encoding: chunked', 'A: b\r\n\tTransfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked gzip',
           'Transfer-Encoding: x chunked', 'Transfer-Encoding: chunked\x0b', 'Transfer-Encoding: chunked\r', '\0Transfer-Encoding: chunked', 'Transfer-Encoding\0: chunked', '"Transfer-Encoding": chunked',
           'Transfer-Encoding: chunked\r\nContent-Length', 'Transfer\xadEncoding: chunked', '(Transfer-Encoding): chunked']
"""The first is no field at all: a line without a colon."""
PLAIN = ['Transfer-Encoding: chunked', 'transfer-encoding:chunked', 'TRANSFER-ENCODING:\tCHUNKED ']
OTHERS = ['Transfer_Encoding: chunked', 'Transfer.Encoding: chunked', 'X-Transfer-Encoding: chunked', 'Content-Encoding: chunked', 'Transfer-Encodin: chunked']


def _codings(path):
    hidden = smuggled(path)
    body = f'0\r\n\r\n{hidden}'
    chunks = f'{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n'
    for fields in CODINGS:
        yield Shape(f'TE: {fields!r}', [_post(path, f'{fields}\r\n', body)], REFUSED)
    for fields in CODINGS + PLAIN:
        # CL.TE: who believes the length takes all of it for the body; TE.CL: who believes it finds a request behind the first line.
        yield Shape(f'CL.TE: {fields!r}', [_post(path, f'Content-Length: {len(body)}\r\n{fields}\r\n', body)], REFUSED)
        yield Shape(f'TE.CL: {fields!r}', [_post(path, f'{fields}\r\nContent-Length: {chunks.index("GET")}\r\n', chunks)], REFUSED)
    for fields in PLAIN:
        yield Shape(f'TE: {fields!r}', [_post(path, f'{fields}\r\n', chunks)], [('POST', '', hidden)])
        yield Shape(f'HTTP/1.0, TE: {fields!r}', [_post(path, f'{fields}\r\n', body).replace(b'HTTP/1.1', b'HTTP/1.0', 1)], REFUSED)
    for fields in OTHERS:
        yield Shape(f'CL and {fields!r}', [_post(path, f'Content-Length: {len(body)}\r\n{fields}\r\n', body)], [('POST', '', body)])
    yield Shape('Connection: Transfer-Encoding', [_post(path, 'Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n', chunks)], [('POST', '', hidden)])
    yield Shape('Connection: close, TE, Transfer-Encoding', [_post(path, 'Connection: close, TE, Transfer-Encoding\r\nTE: chunked\r\nTransfer-Encoding: chunked\r\n', chunks)], [('POST', '', hidden)])
    for method in ('GET', 'DELETE'):
        text = _post(path, 'Transfer-Encoding: chunked\r\n', chunks).replace(b'POST', method.encode(), 1)
        yield Shape(f'{method} in chunks', [text], [(method, '', hidden)])


def _chunks(path):
    hidden = smuggled(path)
    head = 'Transfer-Encoding: chunked\r\n'
    for body in ('5 \r\nhello\r\n0\r\n\r\n', ' 5\r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n', '+5\r\nhello\r\n0\r\n\r\n', '-1\r\nhello\r\n0\r\n\r\n', '5\nhello\r\n0\r\n\r\n', '5\rhello\r\n0\r\n\r\n',
                 '5\r\nhello0\r\n\r\n', '5\r\nhelloX\r\n0\r\n\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello\r0\r\n\r\n', '5\r\nhell\r\n0\r\n\r\n', '10000000000000005\r\nhello\r\n0\r\n\r\n',
                 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n', '00000000000000000005\r\nhello\r\n0\r\n\r\n', '5;a\nhello\r\n0\r\n\r\n', '5;a\rb\r\nhello\r\n0\r\n\r\n', '5;a\0b\r\nhello\r\n0\r\n\r\n',
                 f'5;{"a" * 300}\r\nhello\r\n0\r\n\r\n', ';a\r\nhello\r\n0\r\n\r\n', '\r\n5\r\nhello\r\n0\r\n\r\n', '5,5\r\nhello\r\n0\r\n\r\n', '5_\r\nhello\r\n0\r\n\r\n', '5\x0b\r\nhello\r\n0\r\n\r\n',
                 '5;a="b\r\nc"\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n0\n\r\n', '5\r\nhello\r\n0\r\nX: y\n\r\n', '5\r\nhello\r\n0\r\n folded\r\n\r\n', '5\r\nhello\r\n0\r\nX: y\r\r\n\r\n',
                 '5\r\nhello\r\n0\r\n\n', '5\r\nhello\r\n0\r\n\rX', '5\r\nhello\r\n\r\n', '5\r\nhello\r\ng\r\n', f'2\nxx{len(hidden):x}\r\n', '5;\nxx\r\n'):
        yield Shape(f'chunks: {body[:60]!r}', [_post(path, head, body + hidden)], BROKEN)
    for body in ('5;a=b\r\nhello\r\n0\r\n\r\n', '5;a="b;c"\r\nhello\r\n0;d\r\n\r\n', '005\r\nhello\r\n000\r\n\r\n', f'5;{hidden[:20]}\r\nhello\r\n0\r\n\r\n',
                 '5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: evil\r\nX-User-ID: spoof\r\n\r\n'):
        yield Shape(f'chunks: {body[:60]!r}', [_post(path, head, body)], [('POST', '', 'hello')])
    found = _post(path, head)
    yield Shape('chunks, byte by byte', [found, *(bytes([byte]) for byte in b'5\r\nhello\r\n0\r\n\r\n')], [('POST', '', 'hello')])
    yield Shape('chunks and a request behind them', [found + b'5\r\nhello\r\n0\r\n\r\n' + hidden.encode()], [('POST', '', 'hello'), ('GET', '/smuggled', '')])
    yield Shape('a body that breaks off', [_post(path, f'Content-Length: {len(hidden) + 10}\r\n', hidden)], BROKEN)
    yield Shape('a chunk that breaks off', [found + f'{len(hidden) + 10:x}\r\n{hidden}'.encode()], BROKEN)
    yield Shape('chunks that break off between two', [found + f'{len(hidden):x}\r\n{hidden}\r\n'.encode()], BROKEN)


def _heads(path):
    hidden = smuggled(path)

    def head(text, name=None):
        return Shape(name or f'{text.replace(path, "/…")!r}', [f'{text}{hidden}'.encode('latin-1')], REFUSED)

    for fields in ('Host: x\r\nHost: y', 'Host: x\r\nhost: x', 'Host: x, y', 'Host: ', 'Host: x y', 'Host: x@y', 'Host: user:password@x', 'Host: x/path', 'Host: x#', 'Host: x?y', 'Host: x:1:2', 'Host: x:80a',
                   'Host: [::1', 'A: b', 'Host : x', 'Host: x\r\n folded: 1', 'Host: x\r\nA: b\r\n\tfolded', ' Host: x', '\tHost: x', 'Host: x\r\n: b', 'Host: x\r\nA', 'Host: x\r\nA B: c', 'Host: x\r\nA\tB: c',
                   'Host: x\r\nA: b\0c', 'Host: x\r\nA: b\rc', 'Host: x\r\nA: b\x7fc', 'Host: x\r\nA: b\x01c', 'Host: x\r\nA\0B: c', 'Host: x\r\nA(b): c', 'Host: x\r\nA: b\nX-User-ID: spoof', 'Host: x\r\nX-User-ID : spoof',
                   'Host: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5', 'Host: x\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked', 'Host: x\r\nA: b\r\r', 'Host: \xff', 'Host: x\r\n\xe9: y'):
        yield head(f'GET {path} HTTP/1.1\r\n{fields}\r\n\r\n')
    for line in (f'GET {path}', f'GET {path} HTTP/1.2', f'GET {path} HTTP/2.0', f'GET {path} HTTP/1.1 ', f'GET {path} http/1.1', f'GET {path} HTTP/1.1x', f'GET {path} HTTP/1.01', f'GET  {path} HTTP/1.1',
                 f'GET {path}  HTTP/1.1', f'GET\t{path} HTTP/1.1', f' GET {path} HTTP/1.1', f'GET {path}\tHTTP/1.1', f'GET {path} x HTTP/1.1', f'GET\0 {path} HTTP/1.1', f'G@T {path} HTTP/1.1', f'GET {path}\0 HTTP/1.1',
                 f'GET {path}#/x HTTP/1.1', f'GET {path}\r HTTP/1.1', f'GET http://x{path} HTTP/1.1', f'GET http://evil.test{path} HTTP/1.1', f'GET //x{path} HTTP/1.1', f'GET {path}//x HTTP/1.1', f'GET {path}/%00 HTTP/1.1',
                 f'GET {path}/%0d%0aX:y HTTP/1.1', f'GET {path}\\x HTTP/1.1', f'GET {path}/../../.. HTTP/1.1', f'GET {path[1:]} HTTP/1.1', 'OPTIONS * HTTP/1.1', 'CONNECT x:80 HTTP/1.1', f'CONNECT {path} HTTP/1.1',
                 'GET  HTTP/1.1', f'GET {path} HTTP/1.1\r', f'GET {path}?a\x0bb HTTP/1.1', 'PRI * HTTP/2.0', f'\0GET {path} HTTP/1.1'):
        yield head(f'{line}\r\nHost: x\r\n\r\n')
    for text in (f'GET {path} HTTP/1.1\nHost: x\n\n', f'GET {path} HTTP/1.1\r\nHost: x\n\r\n', f'GET {path} HTTP/1.1\r\nHost: x\r\n\n', f'GET {path} HTTP/1.1\r\nHost: x\r\n\r', f'GET {path} HTTP/1.1\rHost: x\r\r'):
        yield head(text)


def _waiting(path, path_of_nobody):
    hidden = smuggled(path)
    for expect in ('100-continue', '100-Continue', '100-continue, x', 'y 100-continue', '200-ok'):
        yield Shape(f'Expect: {expect}', [_post(path, f'Expect: {expect}\r\nContent-Length: {len(hidden)}\r\n', hidden)], [('POST', '', hidden)])
    yield Shape('Expect and chunks', [_post(path, 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n'), f'{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n'.encode()], [('POST', '', hidden)])
    yield Shape('Expect without a body', [_post(path, 'Expect: 100-continue\r\n', hidden)], [('POST', '', ''), ('GET', '/smuggled', '')])
    yield Shape('Expect, and a request instead of the body', [_post(path, 'Expect: 100-continue\r\nContent-Length: 5\r\n'), hidden.encode()], [('POST', '', 'GET /')])
    # The gateway answers these itself, before it has read the body: the body stays one.
    for fields in ('', 'Expect: 100-continue\r\n'):
        for what, body in ((f'Content-Length: {len(hidden)}\r\n', hidden), ('Transfer-Encoding: chunked\r\n', f'{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n')):
            yield Shape(f'an answer before the body, {fields!r} {what[:8]}', [_post(path_of_nobody, f'{fields}{what}'), body.encode()], REFUSED)
            yield Shape(f'an answer before the body, in one piece, {fields!r} {what[:8]}', [_post(path_of_nobody, f'{fields}{what}', body)], REFUSED)


def _honest(path):
    hidden = smuggled(path)
    get = f'GET {path} HTTP/1.1\r\nHost: x\r\n\r\n'
    yield Shape('TRACE', [get.replace('GET', 'TRACE').encode()], REFUSED)
    yield Shape('an empty line first', [f'\r\n{get}'.encode()], [('GET', '', '')])
    yield Shape('two requests in one piece', [f'{get}{hidden}'.encode()], [('GET', '', ''), ('GET', '/smuggled', '')])
    yield Shape('HEAD, and GET behind it', [f'{get.replace("GET", "HEAD")}{hidden}'.encode()], [('HEAD', '', ''), ('GET', '/smuggled', '')], heads=(0,))
    yield Shape('POST with a body that looks like a request', [_post(path, f'Content-Length: {len(hidden)}\r\n', hidden)], [('POST', '', hidden)])
    yield Shape('a body that comes late', [_post(path, f'Content-Length: {len(hidden)}\r\n'), hidden[:9].encode(), hidden[9:].encode()], [('POST', '', hidden)])
    yield Shape('a head in two pieces', [get[:20].encode(), get[20:].encode()], [('GET', '', '')])
    yield Shape('an upgrade that is not taken up', [_post(path, 'Connection: upgrade\r\nUpgrade: h2c\r\n', hidden).replace(b'POST', b'GET', 1)], [('GET', '', ''), ('GET', '/smuggled', '')], unless=True)
