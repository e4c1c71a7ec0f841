"""A service that answers badly: the client gets one whole answer or an error, and whoever asks next gets their own."""
import itertools
import time
import unittest

import support
from answers import Service
from wire import Conversation, Streams, pseudo

NUMBERS = itertools.count(1)
RESULTS = {}


def setUpModule():
    global GATEWAY, SERVICE
    SERVICE = Service()
    port = support.serve(SERVICE.attend)
    GATEWAY = support.gateway(f'[headers]\nown_cookies = ["own"]\n[[upstreams]]\nname = "evil"\nurls = ["http://127.0.0.1:{port}"]\nanswer_timeout = "3s"\neject_after = 1000000\n'
                              '[[routes]]\npath = "/"\npublic = true\nupstream = "evil"\n')


def tearDownModule():
    support.stop()
    print('\n')
    for version, (shapes, canaries, poisoned) in RESULTS.items():
        print(f'answers to {version}: {shapes} shapes, {canaries} canaries, {poisoned} poisoned')


class Answers(unittest.TestCase):
    def setUp(self):
        self.faults, self.canaries, self.sent = [], 0, set()
        self.before = len(SERVICE.seen)

    def send(self, method):
        target = f'/canary/{next(NUMBERS)}'
        self.sent.add(f'{method} {target}')
        return target

    def canary(self, name, client=None):
        self.canaries += 1
        target = self.send('GET')
        if client:
            answer = client.ask(target)
        elif self.canaries % 2:
            with Conversation(GATEWAY) as other:
                answer = other.ask(target)
        else:
            with Streams(GATEWAY) as other:
                answer = other.ask(pseudo(target))
        if not answer or answer.status != 200 or answer.seen != f'GET {target}' or answer.all('x-poison'):
            self.faults.append(f'{name}: the next client got {answer}')

    def judge(self, shape, answer):
        name = shape.name
        if answer is None:
            # A stream that is reset, or a connection that ends, is no answer that could be mistaken for one.
            if shape.statuses == (200,):
                self.faults.append(f'{name}: no answer')
            return
        told = f'{answer.headers}{answer.body}'
        if answer.status not in shape.statuses:
            self.faults.append(f'{name}: {answer}')
        if answer.status in (200, 204, 304, 413) and (answer.whole if shape.body is None else not answer.whole or answer.body != shape.body):
            self.faults.append(f'{name}: taken for whole: {answer}' if shape.body is None else f'{name}: {answer}')
        if 'POISON' in told and shape.body is not None or answer.all('x-poison') or answer.all('transfer-encoding') not in ([], ['chunked']):
            self.faults.append(f'{name}: {answer}')

    def finish(self, version):
        # What it makes of bodies that it does not read comes when it comes; nobody gets an answer to it.
        known = ('/evil/', '/early/')
        strangers = [seen for seen in SERVICE.seen[self.before:] if seen not in self.sent and not seen.split(' ')[1].startswith(known)]
        RESULTS[version] = (len(SERVICE.shapes), self.canaries, len(self.faults) + len(strangers))
        self.assertEqual(self.faults, [], '\n' + '\n'.join(self.faults))
        self.assertEqual(strangers, [])

    def test_no_answer_to_http_1_1_poisons_the_next(self):
        for number, shape in enumerate(SERVICE.shapes):
            if shape.early:
                continue
            with Conversation(GATEWAY) as client:
                answer = client.ask(f'/evil/{number}/h1', method=shape.method)
                self.judge(shape, answer)
                time.sleep(0.1 if shape.late else 0)
                if answer and answer.whole and not client.closed and 'close' not in answer.all('connection'):
                    self.canary(f'{shape.name}, the same client', client)
            for _ in range(2):
                self.canary(shape.name)
        self.finish('HTTP/1.1')

    def test_no_answer_to_http_2_poisons_the_next(self):
        for number, shape in enumerate(SERVICE.shapes):
            if shape.early:
                continue
            with Streams(GATEWAY) as client:
                self.judge(shape, client.ask(pseudo(f'/evil/{number}/h2', shape.method)))
                time.sleep(0.1 if shape.late else 0)
                target = self.send('GET')
                answer = client.ask(pseudo(target))
                if not answer or answer.seen != f'GET {target}':
                    self.faults.append(f'{shape.name}: the same client got {answer}')
            for _ in range(2):
                self.canary(shape.name)
        self.finish('HTTP/2')

    def test_a_service_that_does_not_read_bodies_answers_nobody_else_for_them(self):
        hidden = b'GET /early/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
        for number, shape in [pair for pair in enumerate(SERVICE.shapes) if pair[1].early] * 10:
            for fields, last in ((b'Content-Length: %d\r\n' % len(hidden), hidden), (b'Transfer-Encoding: chunked\r\n', b'%x\r\n%s\r\n0\r\n\r\n' % (len(hidden), hidden))):
                with Conversation(GATEWAY) as client:
                    client.send(b'POST /evil/%d/early HTTP/1.1\r\nHost: x\r\n%s\r\n' % (number, fields))
                    self.judge(shape, client.answer())
                    client.send(last)
                    for _ in range(3):
                        self.canary(shape.name)
        RESULTS['a service that does not read bodies'] = (30, self.canaries, len(self.faults))
        self.assertEqual(self.faults, [], '\n' + '\n'.join(self.faults))
