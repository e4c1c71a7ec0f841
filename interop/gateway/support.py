"""The gateway, what stands behind it and in front of it, and an issuer: started once, ended with the tests."""
import atexit
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix='carnet-gateway-'))
FOLDER.chmod(0o711)
"""nginx, started by root, works as another user."""
RUNNING = []


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def write(name, text, mode=0o644):
    file = FOLDER / name
    file.write_text(text)
    file.chmod(mode)
    return file


def start(name, words, port, **environment):
    child = subprocess.Popen([str(word) for word in words], cwd=FOLDER, env={**os.environ, 'HOME': str(FOLDER), **environment})
    RUNNING.append(child)
    for _ in range(400):
        if child.poll() is not None:
            raise RuntimeError(f'{name} ended with {child.returncode}')
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return child
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f'{name} does not listen')


def stop():
    """Ends everything; the next module of tests begins with an empty folder."""
    for child in RUNNING:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in RUNNING:
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    RUNNING.clear()
    for left in FOLDER.iterdir():
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


@atexit.register
def clean_up():
    stop()
    FOLDER.rmdir()


def serve(handle):
    """Listens, and gives each connection to `handle` in a thread of its own. Returns the port."""
    listener = socket.create_server(('127.0.0.1', 0))

    def welcome():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=welcome, daemon=True).start()
    return listener.getsockname()[1]


def backends(forward_auth='', chosen=None):
    """nginx, Node, gunicorn, and PHP behind nginx; their ports. Some may be chosen, since the proxies in front, which are nginx too, must know them."""
    ports = {name: free_port() for name in ('nginx', 'node', 'gunicorn', 'php', 'php_cgi')} | (chosen or {})
    conf = (HERE / 'backends/nginx.conf').read_text()
    for name, value in {**ports, 'folder': FOLDER, 'here': HERE, 'forward_auth': forward_auth}.items():
        conf = conf.replace(f'{{{name}}}', str(value))
    for name in ('nginx', 'node', 'gunicorn'):
        write(f'{name}.seen', '')
    start('nginx', ['nginx', '-p', FOLDER, '-e', 'stderr', '-c', write('nginx.conf', conf)], ports['nginx'])
    start('node', ['node', HERE / 'backends/server.js'], ports['node'], PORT=str(ports['node']), SEEN=str(FOLDER / 'node.seen'))
    words = ['--worker-class', 'gthread', '--threads', '32', '--keep-alive', '75', '--header-map', 'dangerous', '--strip-header-spaces',
             '--permit-obsolete-folding', '--permit-unconventional-http-method', '--permit-unconventional-http-version', '--log-level', 'warning',
             '--error-logfile', FOLDER / 'gunicorn.log', '--no-control-socket', '--chdir', HERE / 'backends', '--bind', f"127.0.0.1:{ports['gunicorn']}", 'app:app']
    start('gunicorn', ['gunicorn', *words], ports['gunicorn'], SEEN=str(FOLDER / 'gunicorn.seen'))
    start('php', ['php-cgi', '-b', f"127.0.0.1:{ports['php_cgi']}"], ports['php_cgi'], PHP_FCGI_CHILDREN='4', PHP_FCGI_MAX_REQUESTS='0')
    return ports


def gateway(text):
    """The binary with this configuration, on a free port."""
    port = free_port()
    file = write('gateway.toml', f'{text}\n[listen]\naddress = "127.0.0.1:{port}"\n[log]\nlevel = "error"\naccess = false\n')
    start('carnet', [os.environ['CARNET_BIN'], 'gateway', '--config', file], port)
    return port


def seen(name):
    """What a backend was asked, in order."""
    lines = (FOLDER / f'{name}.seen').read_text(errors='replace').splitlines()
    return [json.loads(line, strict=False) for line in lines]
