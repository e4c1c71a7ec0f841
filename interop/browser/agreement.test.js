'use strict';
// The page and `carnet jwt` judge alike: accepted or refused, by the same stable code, with the same findings.
//
// They differ on purpose in this alone:
// - ES256K and ML-DSA are not in WebCrypto: the page says that it cannot check them (`page: 'untold'` in the cases).
// - The page has one field for keys: with an HMAC token in front of it, whatever is no JWK is taken for the secret (`--secret-file`).
// - White space around a pasted key is not looked at; in a file it is.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test, before, after } = require('node:test');
const { CARNET, CLAIMS, encode, hmac, now, open, start, stop } = require('./support.js');
const cases = require('./agreement-cases.js');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-agreement-'));
let page, troubles;

before(async () => {
  await start();
  ({ page, troubles } = await open('jwt'));
});

after(async () => {
  await stop();
  fs.rmSync(folder, { recursive: true });
});

/** What the command line says: `valid`, or the code of its refusal. */
function byCommand({ token, key, option }) {
  const file = path.join(folder, 'key');
  fs.writeFileSync(file, key, { mode: 0o600 });
  const { stdout, stderr } = spawnSync(CARNET, ['jwt', 'verify', '--json', option, file], { input: token, encoding: 'utf8' });
  if (stdout) return JSON.parse(stdout).valid ? 'valid' : JSON.parse(stdout).error.code;
  return JSON.parse(stderr.trim().split('\n').at(-1)).error.code;
}

/** What the page says: `valid`, `untold`, or the code of its refusal. */
async function byPage({ token, key }) {
  await page.evaluate(([token, key]) => {
    for (const [id, value] of [['key', ''], ['token', token], ['key', key]]) {
      const field = document.getElementById(id);
      field.value = value;
      field.dispatchEvent(new Event('input'));
    }
  }, [token, key]);
  await page.waitForFunction(() => document.getElementById('verdict').hidden === false);
  const { outcome, code } = await page.$eval('#verdict', (verdict) => ({ ...verdict.dataset }));
  return code || outcome;
}

test('no two cases have one name, and there are enough of them', () => {
  assert.ok(cases.length >= 60, `${cases.length}`);
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
});

for (const one of cases) {
  test(`verify: ${one.name} (${one.expected})`, { timeout: 30_000 }, async () => {
    const given = { ...one, token: typeof one.token === 'function' ? one.token() : one.token };
    assert.equal(byCommand(given), one.expected, 'on the command line');
    assert.equal(await byPage(given), one.page ?? one.expected, 'on the page');
  });
}

const HEADER = { alg: 'HS256', typ: 'JWT' };
const unsigned = (header, claims) => `${encode(header)}.${encode(claims)}.${encode(Buffer.alloc(32))}`;
const whole = unsigned(HEADER, CLAIMS);
const guessable = `${encode(HEADER)}.${encode(CLAIMS)}`;

/** Tokens to explain. */
const TEXTS = {
  whole,
  'nothing in it': unsigned({}, {}),
  'an access token without its claims': unsigned({ alg: 'RS256', typ: 'at+jwt' }, {}),
  'a proof': unsigned({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty: 'EC' } }, { jti: 'x' }),
  'none': unsigned({ alg: 'NONE', typ: 'JWT' }, CLAIMS),
  'weak and unknown': unsigned({ alg: 'RS1', typ: 'JWT' }, CLAIMS),
  'unknown': unsigned({ alg: 'constructor' }, CLAIMS),
  'every pointer': unsigned({ ...HEADER, jku: '', x5u: '', x5c: [], jwk: { d: '' }, crit: [], b64: false, zip: 'DEF' }, CLAIMS),
  'kid as a path': unsigned({ ...HEADER, kid: '../../dev/null' }, CLAIMS),
  'kid as an address': unsigned({ ...HEADER, kid: 'https://evil.test' }, CLAIMS),
  'kid as a query': unsigned({ ...HEADER, kid: "x' OR 1=1" }, CLAIMS),
  'kid for a shell': unsigned({ ...HEADER, kid: 'a|b' }, CLAIMS),
  'kid that is a number': unsigned({ ...HEADER, kid: 1 }, CLAIMS),
  'kid that is long': unsigned({ ...HEADER, kid: 'k'.repeat(129) }, CLAIMS),
  'a signature that is missing': `${guessable}.`,
  'a signature of another length': `${guessable}.AAAA`,
  'an RSA signature that is short': unsigned({ alg: 'RS256', typ: 'JWT' }, CLAIMS),
  'a secret that is guessed': `${guessable}.${encode(hmac('HS256', 'secret')(guessable))}`,
  'a secret that is empty': `${guessable}.${encode(hmac('HS256', '')(guessable))}`,
  'wrong types': unsigned(HEADER, { iss: 1, sub: [], jti: null, exp: 'soon', nbf: {}, iat: true, aud: [1] }),
  'header members of wrong types': unsigned({ alg: 'ES256', typ: 5, cty: [1], jku: 1, x5u: {}, x5t: [], 'x5t#S256': 1, x5c: 'a', jwk: 'a', kid: 1 }, CLAIMS),
  'an alg that is no text': unsigned({ alg: 5, typ: 'JWT' }, CLAIMS),
  'for everybody': unsigned(HEADER, { ...CLAIMS, aud: ['*'] }),
  'milliseconds': unsigned(HEADER, { ...CLAIMS, exp: CLAIMS.exp * 1000, iat: CLAIMS.iat * 1000 }),
  'exp beyond all numbers': unsigned(HEADER, '{"exp":1e400,"sub":"alice"}'),
  'exp far away': unsigned(HEADER, { ...CLAIMS, exp: 1e300, iat: -1e300 }),
  'expired, and to come': unsigned(HEADER, { ...CLAIMS, exp: now - 100, nbf: now + 1000, iat: now + 500 }),
  'a long life': unsigned(HEADER, { ...CLAIMS, exp: now + 1e7 }),
  'half a day': unsigned(HEADER, { ...CLAIMS, exp: now + 40_000 }),
  'a life of a day': unsigned(HEADER, { ...CLAIMS, exp: CLAIMS.iat + 86_400 }),
  'a life of more than a day': unsigned(HEADER, { ...CLAIMS, exp: CLAIMS.iat + 86_401 }),
  'a life of centuries': unsigned(HEADER, { ...CLAIMS, exp: 9_999_999_999 }),
  'a life without a beginning': unsigned(HEADER, { aud: 'a', exp: 9_999_999_999 }),
  'ten months without a beginning': unsigned(HEADER, { aud: 'a', exp: now + 300 * 86_400 }),
  'a beginning before 1970': unsigned(HEADER, { ...CLAIMS, iat: -1, nbf: -1 }),
  'padding behind the header': `${encode('{"alg":"HS256"} ')}==.${encode(CLAIMS)}.AAAA`,
  'padding behind header and claims': `${encode('{"alg":"HS256"}  ')}=.${encode('{"sub":"a"} ')}=.AAAA`,
  'secrets and people': unsigned(HEADER, { ...CLAIMS, 'Api-Key': 7, mail: 'x', who: 'a@b.test', deep: { card: ['4111 1111 1111 1111'], email_verified: true }, key: 'eyJhbGciOiJIUzI1NiIsInR5cCI6' }),
  'what every object inherits': unsigned(HEADER, '{"constructor":1,"__proto__":{"exp":1,"aud":"x"},"toString":"a"}'),
  'a member twice': unsigned(HEADER, '{"sub":"a","sub":"b","exp":1}'),
  'nested deeply': unsigned(HEADER, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`),
  'large': unsigned(HEADER, { ...CLAIMS, x: 'x'.repeat(5000) }),
  'too large': unsigned({ ...HEADER, x: 'x'.repeat(9000) }, { ...CLAIMS, x: 'x'.repeat(9000) }),
  'encrypted': `${encode({ alg: 'dir', enc: 'A256GCM' })}..iv.text.tag`,
  'one part': encode(HEADER),
  'claims alone': encode(CLAIMS),
  'two parts': guessable,
  'four parts': `${whole}.x`,
  'claims that were cut': `${encode(HEADER)}.${encode(CLAIMS).slice(0, 60)}`,
  'a header that was cut': encode(HEADER).slice(0, 20),
  'a character that is none': `${whole.slice(0, 60)}*${whole.slice(61)}`,
  'a character that is lost': `${whole.slice(0, 80)}${whole.slice(81)}`,
  'padding and plain base64': `${encode(HEADER)}==.${encode({ ...CLAIMS, x: '>>>???' }).replaceAll('-', '+').replaceAll('_', '/')}.AA`,
  'a length that base64url cannot have': `${whole}A`,
};

/** Places and codes of what stands out. */
function foundByCommand(token) {
  const { stdout } = spawnSync(CARNET, ['jwt', 'decode', '--json'], { input: token, encoding: 'utf8' });
  const { findings, header, claims } = JSON.parse(stdout);
  return { found: findings.map(({ level, code, place }) => `${level} ${place} ${code}`).sort(), names: [header, claims].map((part) => Object.keys(part ?? {}).sort()) };
}

async function foundByPage(token) {
  await page.evaluate((token) => {
    const field = document.getElementById('token');
    field.value = token;
    field.dispatchEvent(new Event('input'));
  }, token);
  // A guess at the secret comes a moment later.
  await page.waitForTimeout(60);
  return page.evaluate(() => {
    const words = { 'Wrong: ': 'error', 'Careful: ': 'warning', 'Note: ': 'note' };
    const items = [...document.querySelectorAll('#findings li[data-code]')];
    const found = items.map((item) => `${words[item.firstChild.textContent]} ${item.dataset.place} ${item.dataset.code}`).sort();
    return { found, names: [shown.header, shown.claims].map((part) => Object.keys(part ?? {}).sort()) };
  });
}

for (const [name, token] of Object.entries(TEXTS)) {
  test(`decode: ${name}`, { timeout: 30_000 }, async () => assert.deepEqual(await foundByPage(token), foundByCommand(token)));
}

test('what is around a token is taken away alike', async () => {
  const inner = whole.slice(0, 30);
  const texts = [
    `  ${whole}\r\n`, `\ufeff${whole}`, `\u001b\u202e${whole}\ufffd`, `Bearer ${whole}`, `authorization: bearer   ${whole}`, `Authorization: DPoP ${whole}`,
    `"${whole}",`, `'Bearer ${whole}'`, `“${whole}”`, `\`${whole}\`;`, `Cookie: theme=dark; access_token=${whole}; x=1`, `Cookie: a="${whole}"; b=long.long.long`,
    `Set-Cookie: __Host-session=${whole}; Path=/; HttpOnly`, `access_token=${whole}&token_type=Bearer`, `${inner}\n  ${whole.slice(30)}`,
    JSON.stringify({ token_type: 'Bearer', access_token: whole }), JSON.stringify({ data: { session: whole } }), JSON.stringify({ b: `${whole}x`, a: whole }), `${whole}' \\`,
    'Bearer '.repeat(40) + whole, `${whole}==`, `„${whole}“`,
    `${encode('{ "alg":"ES256"}')}=.e30.AAAA`, `${encode(HEADER)}==`, `theme=dark; eyes=${encode(HEADER)}==.e30.AAAA`, `session=${encode(HEADER)}==.e30.AAAA`,
  ];
  for (const text of texts) {
    const { stdout } = spawnSync(CARNET, ['jwt', 'decode', '--json'], { input: text, encoding: 'utf8' });
    const parts = await page.evaluate((text) => strip(text).split('.').map((part) => new TextEncoder().encode(part).length), text);
    assert.deepEqual(parts, JSON.parse(stdout || '{"size":{"parts":[]}}').size.parts, text);
  }
});

test('nothing went wrong in the page', () => assert.deepEqual(troubles, []));
