# A WSGI app that tells what it was asked. gunicorn, told to be as lenient as it can be, makes HTTP_X_USER_ID of X-User-ID and of X_User_ID.
import json
import os


def app(environ, start):
    announced = environ.get('CONTENT_LENGTH')
    try:
        body = environ['wsgi.input'].read()
        complete = not announced or len(body) == int(announced)
    except Exception:
        body, complete = b'', False
    seen = {'method': environ['REQUEST_METHOD'], 'target': environ['RAW_URI'], 'body': body.decode('latin-1'), 'complete': complete}
    with open(os.environ['SEEN'], 'a') as file:
        file.write(json.dumps(seen) + '\n')
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    answer = json.dumps({'seen': f"{seen['method']} {seen['target']}", 'environ': told}).encode()
    start('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(answer)))])
    return [answer]
