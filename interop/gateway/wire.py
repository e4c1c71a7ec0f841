"""HTTP byte by byte: what is sent is what was written, and of what comes back nothing is guessed."""
import json
import socket
import time
from dataclasses import dataclass, field

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, ContinuationFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame


@dataclass
class Answer:
    status: int
    headers: list = field(default_factory=list)
    body: bytes = b''
    whole: bool = True

    def all(self, name):
        return [value for found, value in self.headers if found == name]

    def json(self):
        return json.loads(self.body)

    @property
    def seen(self):
        """What the service says that it was asked."""
        try:
            return self.json()['seen']
        except (ValueError, KeyError, TypeError):
            return None


class Conversation:
    """One connection of HTTP/1.1."""

    def __init__(self, port, patience=3.0):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''
        self.patience = patience
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        for at, piece in enumerate(pieces):
            if at:
                time.sleep(0.02)
            try:
                self.socket.sendall(piece)
            except OSError:
                return

    def more(self, patience=None):
        """Whether more came."""
        self.socket.settimeout(patience or self.patience)
        try:
            piece = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            piece = b''
        self.closed = not piece
        self.buffer += piece
        return bool(piece)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                return None
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                break
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def answer(self, head=False):
        """The next answer that is no 1xx, or None when there is none."""
        while True:
            lines = self._until(b'\r\n\r\n')
            if lines is None:
                return None
            first, *rest = lines.split(b'\r\n')
            version, status, *_ = first.split(b' ')
            if not version.startswith(b'HTTP/1.'):
                raise AssertionError(f'no answer: {lines!r}')
            pairs = [line.split(b':', 1) for line in rest]
            answer = Answer(int(status), [(name.decode().lower(), value.strip().decode('latin-1')) for name, value in pairs])
            if answer.status >= 200 or answer.status == 101:
                break
        lengths, codings = answer.all('content-length'), answer.all('transfer-encoding')
        if len(lengths) > 1 or len(codings) > 1 or lengths and codings:
            raise AssertionError(f'an answer that can be read in two ways: {answer}')
        if head or answer.status in (101, 204, 304):
            return answer
        if codings:
            while size := int(self._until(b'\r\n') or b'0', 16):
                answer.body += self._exactly(size)
                self._exactly(2)
            while trailer := self._until(b'\r\n'):
                answer.headers.append(('trailer', trailer.decode('latin-1')))
            answer.whole = trailer == b''
        elif lengths:
            answer.body = self._exactly(int(lengths[0]))
            answer.whole = len(answer.body) == int(lengths[0])
        else:
            while self.more():
                pass
            answer.body, self.buffer = self.buffer, b''
        return answer

    def ask(self, target, headers=(), method='GET', host='x'):
        """Sends a request without a body, and waits for the answer."""
        lines = [f'{method} {target} HTTP/1.1', f'Host: {host}', *(f'{name}: {value}' for name, value in headers)]
        self.send('\r\n'.join([*lines, '', '']).encode('latin-1'))
        return self.answer(method == 'HEAD')


class Streams:
    """One connection of HTTP/2, on which any frame can be sent."""

    def __init__(self, port, patience=3.0):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.buffer, self.patience, self.stream, self.gone = b'', patience, 1, False
        self.answers, self.ended = {}, {}
        settings = SettingsFrame(0, settings={SettingsFrame.ENABLE_PUSH: 0, SettingsFrame.INITIAL_WINDOW_SIZE: 2**30})
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + settings.serialize())
        self.write(WindowUpdateFrame(0, window_increment=2**30))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, *frames):
        try:
            self.socket.sendall(b''.join(frame.serialize() for frame in frames))
        except OSError:
            self.gone = True

    def headers(self, pairs, end, stream=None):
        stream = stream or self.stream
        # Raw pairs: never indexed, never lower-cased, never checked.
        block = self.encoder.encode(pairs, huffman=False)
        first, rest = block[:16000], [block[at:at + 16000] for at in range(16000, len(block), 16000)]
        frames = [HeadersFrame(stream, first), *(ContinuationFrame(stream, piece) for piece in rest)]
        frames[-1].flags.add('END_HEADERS')
        if end:
            frames[0].flags.add('END_STREAM')
        self.write(*frames)

    def data(self, body, end, stream=None):
        frame = DataFrame(stream or self.stream, body)
        if end:
            frame.flags.add('END_STREAM')
        self.write(frame)

    def ask(self, pairs, body=None):
        """Sends a request on a stream of its own, and waits for the answer; None when the stream was reset."""
        stream, self.stream = self.stream, self.stream + 2
        self.headers(pairs, body is None, stream)
        if body is not None:
            self.data(body, True, stream)
        return self.answer(stream)

    def answer(self, stream=1):
        deadline = time.monotonic() + self.patience
        while stream not in self.ended and not self.gone and time.monotonic() < deadline:
            self._read(deadline - time.monotonic())
        return self.answers.get(stream) if self.ended.get(stream) == 'whole' else None

    def _read(self, patience):
        self.socket.settimeout(max(patience, 0.001))
        try:
            piece = self.socket.recv(65536)
        except TimeoutError:
            return
        except OSError:
            piece = b''
        self.gone = self.gone or not piece
        self.buffer += piece
        while len(self.buffer) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
            if len(self.buffer) < 9 + length:
                return
            frame.parse_body(memoryview(self.buffer[9:9 + length]))
            self.buffer = self.buffer[9 + length:]
            self._take(frame)

    def _take(self, frame):
        stream = frame.stream_id
        if isinstance(frame, SettingsFrame) and 'ACK' not in frame.flags:
            self.write(SettingsFrame(0, flags=['ACK']))
        elif isinstance(frame, PingFrame) and 'ACK' not in frame.flags:
            self.write(PingFrame(0, frame.opaque_data, flags=['ACK']))
        elif isinstance(frame, GoAwayFrame):
            self.gone = self.gone or frame.error_code != 0
        elif isinstance(frame, RstStreamFrame):
            self.ended.setdefault(stream, 'reset')
        elif isinstance(frame, HeadersFrame):
            pairs = [(_text(name), _text(value)) for name, value in self.decoder.decode(bytes(frame.data), raw=True)]
            status = [value for name, value in pairs if name == ':status']
            if status and int(status[0]) >= 200:
                self.answers[stream] = Answer(int(status[0]), [pair for pair in pairs if not pair[0].startswith(':')])
        elif isinstance(frame, DataFrame) and stream in self.answers:
            self.answers[stream].body += frame.data
        if isinstance(frame, (HeadersFrame, DataFrame)) and 'END_STREAM' in frame.flags:
            self.ended.setdefault(stream, 'whole')


def _text(text):
    return text.decode('latin-1') if isinstance(text, bytes) else text


def pseudo(path, method='GET', authority='x', scheme='http'):
    return [(':method', method), (':scheme', scheme), (':authority', authority), (':path', path)]
