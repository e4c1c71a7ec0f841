// Log in, call, be refused without / with a tampered / with an expired token, refresh by cookie, retry, log out.
// Twice: by an exported public.pem (RS256), and by a secret that one API shares with the server (HS256).
const assert = require('node:assert/strict');
const { spawn, execFileSync } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { guardedApi } = require('./api');

const CARNET = process.env.CARNET_BIN;
const EMAIL = 'alice@example.com';
const PASSWORD = 'a long enough passphrase';
const PUBLIC = 'https://api.example.com';
const SHARED = 'https://legacy.example.com';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-mission-'));
const config = path.join(folder, 'carnet.toml');
const started = [];
let issuer;
const apis = {};

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const carnet = (args, input = '') => execFileSync(CARNET, [...args, '--config', config], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, condition) {
  for (let i = 0; i < 300; i += 1) {
    if (await condition()) return;
    await pause(50);
  }
  assert.fail(`${what}: not within 15 s`);
}

before(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  const secret = randomBytes(48).toString('base64url');
  fs.writeFileSync(path.join(folder, 'legacy.secret'), secret, { mode: 0o600 });
  fs.writeFileSync(config, `
issuer = "${issuer}"
[listen]
address = "127.0.0.1:${port}"
[keys]
algorithms = ["ES256", "RS256"]
[tokens]
access_ttl = "3s"
[tokens.claims]
email = "email"
role = "role"
[log]
level = "error"
[[resources]]
audience = "${PUBLIC}"
signing = "RS256"
[[resources]]
audience = "${SHARED}"
signing = "HS256"
secret_file = "legacy.secret"
`);
  const server = spawn(CARNET, ['serve', '--config', config], { stdio: 'inherit' });
  started.push(() => server.kill());
  await until('the server is ready', () => fetch(`${issuer}/health/ready`).then((r) => r.ok, () => false));
  carnet(['role', 'add', 'admin', '--permission', 'read:orders']);
  carnet(['user', 'add', EMAIL, '--password-stdin', '--role', 'admin'], PASSWORD);

  const pem = path.join(folder, 'public.pem');
  fs.writeFileSync(pem, carnet(['key', 'export', '--algorithm', 'RS256']));
  apis[PUBLIC] = await listen({ key: fs.readFileSync(pem), algorithms: ['RS256'], issuer, audience: PUBLIC });
  apis[SHARED] = await listen({ key: secret, algorithms: ['HS256'], issuer, audience: SHARED });
});

after(() => {
  started.forEach((stop) => stop());
  fs.rmSync(folder, { recursive: true });
});

function listen(options) {
  return new Promise((resolve) => {
    const server = guardedApi(options).listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
    started.push(() => server.close());
  });
}

async function logIn(audience) {
  const reply = await fetch(`${issuer}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: EMAIL, password: PASSWORD, audience }),
  });
  assert.equal(reply.status, 200);
  return session(reply);
}

async function session(reply) {
  const line = reply.headers.getSetCookie().find((cookie) => cookie.startsWith('refresh_token='));
  assert.match(line, /HttpOnly/);
  assert.match(line, /SameSite=Strict/);
  return { cookie: line.split(';')[0], ...(await reply.json()) };
}

const refresh = (cookie) => fetch(`${issuer}/auth/refresh`, { method: 'POST', headers: { Cookie: cookie } });
const call = (audience, token, where = '/api/data') => fetch(`${apis[audience]}${where}`, {
  headers: token ? { Authorization: `Bearer ${token}` } : {},
});

for (const audience of [PUBLIC, SHARED]) {
  test(`the whole path at ${audience}`, async () => {
    const first = await logIn(audience);
    assert.equal(first.token_type, 'Bearer');
    assert.equal((await call(audience, first.access_token)).status, 200);
    const profile = await (await call(audience, first.access_token, '/api/user/profile')).json();
    assert.equal(profile.email, EMAIL);
    assert.equal(profile.role, 'admin');

    assert.equal((await call(audience)).status, 401);
    const [header, payload, signature] = first.access_token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    const forged = Buffer.from(JSON.stringify({ ...claims, role: 'root' })).toString('base64url');
    assert.equal((await call(audience, `${header}.${forged}.${signature}`)).status, 401);
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    assert.equal((await call(audience, `${none}.${payload}.`)).status, 401);

    await until('the token expires', async () => {
      const reply = await call(audience, first.access_token);
      return reply.status === 401 && (await reply.json()).error === 'Token expired';
    });
    const reply = await refresh(first.cookie);
    assert.equal(reply.status, 200);
    const second = await session(reply);
    assert.equal((await call(audience, second.access_token)).status, 200);

    const out = await fetch(`${issuer}/auth/logout`, { method: 'POST', headers: { Cookie: second.cookie } });
    assert.equal(out.status, 204);
    assert.equal((await refresh(second.cookie)).status, 401);
  });
}

test('a token of one API opens no other', async () => {
  const shared = await logIn(SHARED);
  assert.equal((await call(PUBLIC, shared.access_token)).status, 401);
  const own = await logIn(PUBLIC);
  assert.equal((await call(SHARED, own.access_token)).status, 401);
});
