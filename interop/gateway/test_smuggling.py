"""Requests that programs read in different ways, against three that do: no backend sees a request that was not sent on purpose, and nobody
gets another's answer."""
import itertools
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import shapes
import shapes_h2
import support
from shapes import BROKEN, REFUSED
from wire import Conversation, Streams, pseudo

BACKENDS = ('nginx', 'node', 'gunicorn')
CANARIES = 2
NUMBERS = itertools.count(1)
RESULTS = {}


def setUpModule():
    global GATEWAY
    ports = support.backends()
    routes = ''.join(f'[[upstreams]]\nname = "{name}"\nurls = ["http://127.0.0.1:{ports[name]}"]\nanswer_timeout = "3s"\n'
                     f'[[routes]]\npath = "/{name}"\npublic = true\nupstream = "{name}"\n' for name in BACKENDS)
    GATEWAY = support.gateway(routes)


def tearDownModule():
    support.stop()
    print('\n')
    for what, counts in RESULTS.items():
        print(f'{what}: ' + ', '.join(f'{name} {shapes} shapes, {canaries} canaries, {desyncs} desyncs' for name, (shapes, canaries, desyncs) in counts.items()))


class Watch:
    """One backend while shapes are sent through the gateway to it."""

    def __init__(self, backend):
        self.backend = backend
        self.before = len(support.seen(backend))
        self.expected, self.faults, self.canaries = {}, [], 0

    def path(self):
        return f'/{self.backend}/{next(NUMBERS)}'

    def note(self, path, name, verdict):
        self.expected[path] = (name, verdict)

    def check(self, name, condition, what):
        if not condition:
            self.faults.append(f'{self.backend}: {name}: {what}')

    def canary(self, name):
        """What anybody asks next is answered, with the answer to it, whatever connection it takes."""
        for _ in range(CANARIES):
            path = self.path()
            self.canaries += 1
            self.note(path, f'the canary behind {name}', [('GET', '', '')])
            with Conversation(GATEWAY) as canary:
                answer = canary.ask(path)
            self.check(name, answer and answer.status == 200 and answer.seen == f'GET {path}', f'the next client got {answer}')

    def finish(self):
        """Of every path the backend saw what it may have seen, and of no other path anything."""
        time.sleep(0.5)
        found = {path: [] for path in self.expected}
        for entry in support.seen(self.backend)[self.before:]:
            path = entry.get('target', '')
            for own in ('', '/smuggled'):
                if path.removesuffix(own) in found and path.endswith(own):
                    found[path.removesuffix(own)].append((entry['method'], own, entry['body'], entry.get('complete', entry.get('status', 200) < 400)))
                    break
            else:
                self.faults.append(f'{self.backend} saw {entry}')
        for path, (name, verdict) in self.expected.items():
            whole = [(method, own, body) for method, own, body, complete in found[path] if complete]
            broken = [entry for entry in found[path] if not entry[3]]
            if verdict == REFUSED:
                self.check(name, not found[path], f'forwarded as {found[path]}')
            elif verdict == BROKEN:
                self.check(name, not whole and len(broken) < 2 and all(own == '' for _, own, _, _ in broken), f'seen as {found[path]}')
            else:
                either = verdict if isinstance(verdict, tuple) else (verdict,)
                # What may be refused may be so after its head has gone: the service hears that it is broken off, and nothing of what was hidden in it.
                cut = [] in either and len(found[path]) == 1 and all(entry[1:3] == ('', '') for entry in broken)
                self.check(name, (not broken or cut) and whole in either, f'seen as {found[path]} instead of {verdict}')


def _note_result(what, watch, shapes):
    RESULTS.setdefault(what, {})[watch.backend] = (shapes, watch.canaries, len(watch.faults))


def converse(watch, shape, path):
    """Sends a shape, and reads what comes back."""
    with Conversation(GATEWAY, 0.4) as client:
        client.send(*shape.pieces)
        if shape.verdict == BROKEN:
            answer = client.answer()
            watch.check(shape.name, answer is None or answer.status in (400, 408, 502), f'answered {answer}')
        elif shape.verdict == REFUSED:
            answer = client.answer()
            watch.check(shape.name, answer and answer.status in (400, 401, 404, 405, 505) or answer is None and client.closed, f'answered {answer}')
            second = client.answer() if answer and not client.closed else None
            watch.check(shape.name, second is None, f'answered twice: {second}')
        else:
            client.patience = 3
            for at, (method, own, _) in enumerate(shape.verdict):
                answer = client.answer(at in shape.heads)
                if shape.unless and answer and answer.status == 400:
                    break
                whole = answer and answer.status == 200 and (at in shape.heads or answer.seen == f'{method} {path}{own}')
                watch.check(shape.name, whole, f'answered {answer}')
            client.patience = 0.05
            if shape.name != 'Expect, and a request instead of the body':
                watch.check(shape.name, not client.buffer and (client.closed or not client.more()) or client.closed, f'and more: {client.buffer!r}')


def send_h1(watch):
    count = len(shapes.shapes('/', '/nobody'))
    for at in range(count):
        path = watch.path()
        shape = shapes.shapes(path, f'/nobody{path}')[at]
        watch.note(path, shape.name, (shape.verdict, []) if shape.unless else shape.verdict)
        converse(watch, shape, path)
        watch.canary(shape.name)
    watch.finish()
    _note_result('HTTP/1.1', watch, count)


def send_h2(watch):
    count = len(shapes_h2.shapes('/'))
    for at in range(count):
        path = watch.path()
        name, fields, body, trailers, verdict = shapes_h2.shapes(path)[at]
        watch.note(path, name, verdict)
        with Streams(GATEWAY, 3 if isinstance(verdict, list) else 1) as client:
            client.headers([(name.encode('latin-1'), value.encode('latin-1')) for name, value in fields], body is None)
            if body is not None:
                client.data(body.encode('latin-1'), trailers is None)
            if trailers:
                client.headers([(name.encode('latin-1'), value.encode('latin-1')) for name, value in trailers], True)
            answer = client.answer()
        if isinstance(verdict, list):
            method, own, _ = verdict[0]
            watch.check(name, answer and answer.status == 200 and answer.seen == f'{method} {path}{own}', f'answered {answer}')
        elif not isinstance(verdict, tuple):
            watch.check(name, answer is None or answer.status in (400, 404, 405, 408, 501, 502), f'answered {answer}')
        watch.canary(name)
    watch.finish()
    _note_result('HTTP/2', watch, count)


class Smuggling(unittest.TestCase):
    def everywhere(self, send):
        watches = [Watch(name) for name in BACKENDS]
        with ThreadPoolExecutor() as pool:
            list(pool.map(send, watches))
        faults = [fault for watch in watches for fault in watch.faults]
        # gunicorn names what is no request in its log alone.
        log = support.FOLDER / 'gunicorn.log'
        faults += [line for line in log.read_text().splitlines() if 'Invalid' in line]
        self.assertEqual(faults, [], '\n' + '\n'.join(faults))

    def test_no_request_of_http_1_1_is_read_in_two_ways(self):
        self.everywhere(send_h1)

    def test_no_request_of_http_2_becomes_another_in_http_1_1(self):
        self.everywhere(send_h2)

    def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(self):
        for backend in BACKENDS:
            watch = Watch(backend)
            for body in (b'', b'hel', b'GET /smuggled HTTP/1.1\r\n'):
                path = watch.path()
                watch.note(path, 'a client that left', BROKEN)
                with Conversation(GATEWAY) as client:
                    client.send(f'POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n'.encode() + body)
                    time.sleep(0.05)
                watch.canary('a client that left')
                path = watch.path()
                watch.note(path, 'a stream that was reset', BROKEN)
                with Streams(GATEWAY) as client:
                    client.headers(pseudo(path, 'POST'), False)
                    client.data(body, False)
                    time.sleep(0.05)
                watch.canary('a stream that was reset')
            watch.finish()
            self.assertEqual(watch.faults, [])
