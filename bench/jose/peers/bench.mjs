// npm `jose` and `fast-jwt`: the same keys, claims and checks, and a figure a line.
import { readFileSync } from 'node:fs';
import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { SignJWT, jwtVerify } from 'jose';
import { createSigner, createVerifier } from 'fast-jwt';

const ROUNDS = 9;
const TURN = 60e6; // nanoseconds

async function turn(action) {
  for (let batch = 1; ; batch *= 2) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < batch; n++) await action();
    const taken = Number(process.hrtime.bigint() - start);
    if (taken >= TURN) return taken / batch;
  }
}

function turnSync(action) {
  for (let batch = 1; ; batch *= 2) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < batch; n++) action();
    const taken = Number(process.hrtime.bigint() - start);
    if (taken >= TURN) return taken / batch;
  }
}

const work = [];
for (const m of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const secret = m.secret && createSecretKey(Buffer.from(m.secret, 'base64'));
  let privateKey, publicKey;
  try {
    privateKey = secret ?? createPrivateKey(m.private_pem);
    publicKey = secret ?? createPublicKey(m.public_pem);
  } catch {
    continue; // this runtime does not know the algorithm
  }
  const jose = () => new SignJWT(m.claims).setProtectedHeader({ alg: m.algorithm, typ: 'JWT', kid: 'k1' }).sign(privateKey);
  const options = { algorithms: [m.algorithm], issuer: m.issuer, audience: m.audience };
  try {
    const token = await jose();
    await jwtVerify(token, publicKey, options);
    work.push(['jose (npm)', m.algorithm, 'verify', turn, () => jwtVerify(token, publicKey, options)]);
    work.push(['jose (npm)', m.algorithm, 'sign', turn, jose]);
  } catch {}
  try {
    const algorithm = m.algorithm === 'Ed25519' ? 'EdDSA' : m.algorithm;
    const sign = createSigner({ key: secret ? secret.export() : m.private_pem, algorithm, kid: 'k1' });
    const verify = createVerifier({
      key: secret ? secret.export() : m.public_pem, algorithms: [algorithm], allowedIss: m.issuer, allowedAud: m.audience, cache: false,
    });
    const token = sign(m.claims);
    verify(token);
    work.push(['fast-jwt (npm)', m.algorithm, 'verify', turnSync, () => verify(token)]);
    work.push(['fast-jwt (npm)', m.algorithm, 'sign', turnSync, () => sign(m.claims)]);
  } catch {}
}
const times = work.map(() => []);
for (let round = 0; round < ROUNDS; round++) {
  for (const [at, [, , , turnOf, action]] of work.entries()) times[at].push(await turnOf(action));
}
for (const [at, [name, algorithm, operation]] of work.entries()) {
  const sorted = times[at].sort((a, b) => a - b);
  console.log(JSON.stringify({ name, algorithm, operation, nanoseconds: sorted[sorted.length >> 1] }));
}
