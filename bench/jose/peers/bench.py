"""PyPI `PyJWT`: the same keys, claims and checks, and a figure a line."""

import base64
import json
import sys
import time

import jwt

ROUNDS = 9
TURN = 0.06  # seconds


def turn(action):
    batch = 1
    while True:
        start = time.perf_counter()
        for _ in range(batch):
            action()
        taken = time.perf_counter() - start
        if taken >= TURN:
            return taken / batch
        batch *= 2


def pair(material):
    """What it signs with, what it checks with, and its word for the algorithm."""
    algorithm = {"Ed25519": "EdDSA"}.get(material["algorithm"], material["algorithm"])
    handler = jwt.get_algorithm_by_name(algorithm)
    if material["secret"]:
        secret = base64.b64decode(material["secret"])
        return secret, secret, algorithm
    private = handler.prepare_key(material["private_pem"])
    return private, handler.prepare_key(material["public_pem"]), algorithm


work = []
for material in json.load(open(sys.argv[1])):
    try:
        private, public, algorithm = pair(material)
        claims, headers = material["claims"], {"kid": "k1"}
        token = jwt.encode(claims, private, algorithm, headers=headers)
        checks = {"issuer": material["issuer"], "audience": material["audience"], "algorithms": [algorithm]}
        jwt.decode(token, public, **checks)
    except Exception:
        continue  # it does not know the algorithm
    work.append((material["algorithm"], "verify", lambda t=token, k=public, c=checks: jwt.decode(t, k, **c)))
    work.append(
        (material["algorithm"], "sign", lambda c=claims, k=private, a=algorithm, h=headers: jwt.encode(c, k, a, headers=h))
    )
times = [[] for _ in work]
for _ in range(ROUNDS):
    for at, (_, _, action) in enumerate(work):
        times[at].append(turn(action))
for (algorithm, operation, _), taken in zip(work, times):
    median = sorted(taken)[len(taken) // 2]
    print(json.dumps({"name": "PyJWT (PyPI)", "algorithm": algorithm, "operation": operation, "nanoseconds": median * 1e9}))
