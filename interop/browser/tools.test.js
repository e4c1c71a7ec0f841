'use strict';
// What people do with the tools, in the browser that they do it with.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { AxeBuilder } = require('@axe-core/playwright');
const { CLAIMS, encode, now, open, pair, PAGES, SAMPLE, server, spki, start, stop, token } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 60_000 }, body);

before(start);
after(stop);

for (const name of PAGES) {
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      test(`/tools/${name} is accessible and whole at ${width} px, ${colorScheme}`, async () => {
        const { page, troubles, close } = await open(name, { viewport: { width, height: 900 }, colorScheme });
        if (name === 'jwt') {
          await page.fill('#token', SAMPLE);
          await page.fill('#key', 'too short');
          await page.waitForSelector('#verdict:not([hidden])');
        }
        if (name === 'keys') {
          await page.click('#make');
          await page.waitForSelector('#result:not([hidden])');
        }
        const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
        assert.deepEqual(found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} px too wide`);
        if (process.env.PICTURES) await page.screenshot({ path: path.join(process.env.PICTURES, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        assert.deepEqual(troubles, []);
        await close();
      });
    }
  }
}

test('nothing that is typed leaves the page', async () => {
  for (const name of PAGES) {
    const { page, asked, close } = await open(name);
    for (const field of await page.$$('textarea, input[type=text]')) await field.fill(SAMPLE);
    await page.waitForTimeout(300);
    assert.deepEqual(asked, [`${server.issuer}/tools/${name}`]);
    // And nothing could: the policy of the page forbids it.
    const outcome = await page.evaluate(() => fetch('/health/live').then(() => 'asked', () => 'refused'));
    assert.equal(outcome, 'refused');
    await close();
  }
});

test('the sample of the articles is explained like a colleague would', async () => {
  const { page, close } = await open('jwt');
  await page.fill('#token', `Authorization: Bearer "${SAMPLE.slice(0, 60)}\n${SAMPLE.slice(60)}"`);
  assert.equal(JSON.parse(await page.inputValue('#header')).alg, 'RS256');
  assert.equal(JSON.parse(await page.inputValue('#claims')).sub, '1234567890');
  const findings = await page.textContent('#findings');
  for (const words of ['claims.exp has passed', 'signature has 21 characters, a length that base64url cannot have', 'claims.email is personal data']) assert.ok(findings.includes(words), words);
  assert.equal(await page.textContent('#stamp'), 'Expired');
  assert.match(await page.textContent('#explained'), /2024-05-20 21:03:42 UTC · 2 years ago/);
  assert.equal(await page.getAttribute('svg.life', 'aria-label'), '100 percent of its life of 1 hour are over');
  const colours = await page.$$eval('#parts span', (spans) => spans.map((span) => getComputedStyle(span).color));
  assert.equal(new Set(colours).size, 3);
  const [header, ...rest] = SAMPLE.split('.');
  await page.fill('#token', [`${header}==`, ...rest].join('.'));
  assert.equal(JSON.parse(await page.inputValue('#header')).alg, 'RS256');
  assert.match(await page.textContent('#findings'), /header ends in = signs/);
  await page.fill('#token', 'carnet_rt.4Qm3iBs917W0xxxxxxxxxx.7.AAAA');
  assert.match(await page.textContent('#findings'), /generation 7 of the family 4Qm3iBs917W0xxxxxxxxxx/);
  await close();
});

test('attacks on readers stand out', async () => {
  const { page, close } = await open('jwt');
  const tell = async (header, claims) => {
    await page.fill('#token', `${encode(header)}.${encode(claims)}.AAAA`);
    return page.textContent('#findings');
  };
  assert.match(await tell({ alg: 'nOnE' }, CLAIMS), /header.alg is none: the token is not signed/);
  assert.match(await tell({ alg: 'ES256', jku: 'https://evil.test' }, CLAIMS), /header.jku lets the sender name the key/);
  assert.match(await tell({ alg: 'ES256', kid: '../../dev/null' }, CLAIMS), /header.kid looks like a path/);
  assert.match(await tell({ alg: 'ES256' }, { sub: 'x', password: 'y' }), /claims.password sounds like a secret/);
  assert.match(await tell({ alg: 'ES256' }, { ...CLAIMS, exp: now + 1e7 }), /gives the token 3 months/);
  const markup = await tell({ alg: 'ES256' }, { sub: '<img src=x onerror=document.title=1>' });
  assert.ok(!markup.includes('undefined') && (await page.title()) === 'JWT decoder · Carnet');
  await close();
});

test('signatures are checked with PEM, JWK, JWKS and secret', async () => {
  const { page, close } = await open('jwt');
  const verdict = async (jwt, key) => {
    await page.fill('#token', jwt);
    await page.fill('#key', '');
    await page.fill('#key', key);
    await page.waitForFunction(() => !document.getElementById('verdict').hidden);
    return page.textContent('#verdict');
  };
  for (const alg of ['RS256', 'PS384', 'ES256', 'ES512', 'Ed25519']) {
    const { publicKey, sign } = pair(alg);
    const jwt = token({ alg, kid: 'k1' }, CLAIMS, sign);
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1' };
    for (const key of [publicKey.export({ type: 'spki', format: 'pem' }), JSON.stringify(jwk), JSON.stringify({ keys: [jwk, { ...jwk, kid: 'k2' }] })]) {
      assert.match(await verdict(jwt, key), /The signature verifies/, alg);
    }
    const [head, , signature] = jwt.split('.');
    const changed = [head, encode({ ...CLAIMS, sub: 'mallory' }), signature].join('.');
    assert.match(await verdict(changed, JSON.stringify(jwk)), /does not verify/, alg);
    assert.match(await verdict(jwt, JSON.stringify({ keys: [{ ...jwk, kid: 'k9' }] })), /no key "k1"/, alg);
  }
  const secret = 'a secret that is longer than thirty-two bytes';
  const hs = token({ alg: 'HS256' }, CLAIMS, (bytes) => crypto.createHmac('sha256', secret).update(bytes).digest());
  assert.match(await verdict(hs, secret), /The signature verifies/);
  assert.match(await verdict(hs, 'short'), /shorter than the 32 bytes/);
  const pem = pair('RS256').publicKey.export({ type: 'spki', format: 'pem' });
  const forged = token({ alg: 'HS256' }, CLAIMS, (bytes) => crypto.createHmac('sha256', pem).update(bytes).digest());
  assert.match(await verdict(forged, pem), /not a secret/);
  await close();
});

test('edited claims become a token, signed anew with a shared secret', async () => {
  const { page, close } = await open('jwt');
  const secret = 'a secret that is longer than thirty-two bytes';
  await page.fill('#token', token({ alg: 'HS256' }, CLAIMS, () => Buffer.alloc(32)));
  await page.fill('#key', secret);
  await page.fill('#claims', JSON.stringify({ ...CLAIMS, sub: 'bob' }));
  await page.waitForFunction(() => document.getElementById('verdict').textContent.includes('verifies'));
  const [header, claims, signature] = (await page.inputValue('#token')).split('.');
  assert.equal(JSON.parse(Buffer.from(claims, 'base64url')).sub, 'bob');
  assert.equal(signature, crypto.createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url'));
  await page.fill('#claims', '{ "sub": ');
  assert.equal(await page.textContent('#stamp'), 'No JSON yet');
  await close();
});

test('a key set is fetched from the one address, without the token', async () => {
  const { publicKey, sign } = pair('ES256');
  const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] });
  const seen = [];
  const elsewhere = http.createServer((request, response) => {
    seen.push({ url: request.url, cookie: request.headers.cookie, referer: request.headers.referer });
    response.setHeader('access-control-allow-origin', '*');
    response.end(keys);
  });
  await new Promise((ready) => elsewhere.listen(0, '127.0.0.1', ready));
  const address = `http://127.0.0.1:${elsewhere.address().port}`;
  const { page, asked, close } = await open('jwt');
  const jwt = token({ alg: 'ES256', kid: 'k1' }, CLAIMS, sign);
  await page.fill('#token', jwt);
  await page.fill('#jwks-url', `${address}/jwks.json`);
  await page.click('text=Fetch the keys');
  await page.waitForFunction(() => document.getElementById('verdict').textContent.includes('verifies'));
  assert.deepEqual(seen, [{ url: '/jwks.json', cookie: undefined, referer: undefined }]);
  assert.ok(asked.every((url) => !url.includes(jwt.slice(0, 20))));
  await page.fill('#jwks-url', 'http://127.0.0.1:1/nothing');
  await page.click('text=Fetch the keys');
  await page.waitForFunction(() => document.getElementById('verdict').textContent.includes('cannot be asked'));
  await close();
  elsewhere.close();
});

test('digests are those of the standard, and are compared in every spelling', async () => {
  const { page, close } = await open('hash');
  await page.fill('#text', 'abc');
  const value = async (id, expected) => page.waitForFunction(([id, expected]) => document.getElementById(id)?.textContent.startsWith(expected), [id, expected]);
  await value('sha-256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await value('sha-512', 'ddaf35a193617aba');
  await page.fill('#expected', crypto.createHash('sha384').update('abc').digest('base64'));
  const says = (text) => page.waitForFunction((text) => document.getElementById('stamp').textContent === text, text);
  await says('The same');
  const digest = crypto.createHash('sha256').update('abc').digest('hex');
  for (const line of [`${digest}  file.tar.gz`, `${digest} *file`, `SHA256 (file) = ${digest}`, digest.toUpperCase().replace(/..(?=.)/g, '$&:'), `sha256:${digest}`]) {
    await page.fill('#expected', 'none');
    await says('No digest');
    await page.fill('#expected', line);
    await says('The same');
  }
  // RFC 4231 §4.3.
  await page.fill('#secret', 'Jefe');
  await page.fill('#text', 'what do ya want for nothing?');
  await value('sha-256', '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  await page.waitForFunction(() => document.getElementById('stamp').textContent === 'Another');
  await close();
});

test('passwords are as asked, and what they are worth is told', async () => {
  const { page, close } = await open('password');
  assert.equal((await page.textContent('#passwords')).length, 64);
  const first = await page.textContent('#passwords');
  await page.click('#again');
  assert.notEqual(await page.textContent('#passwords'), first);
  await page.fill('#length', '6');
  for (const id of ['lower', 'upper', 'symbols']) await page.uncheck(`#${id}`);
  assert.match(await page.textContent('#passwords'), /^\d{6}$/);
  assert.match(await page.textContent('#worth'), /out of 10: 19 bits. Weak/);
  await page.uncheck('#digits');
  assert.match(await page.textContent('#worth'), /at least one kind/);
  await close();
});

test('keys that are made fit other programs, and keys of other programs are read', async () => {
  const { page, close } = await open('keys');
  for (const alg of ['ES256', 'ES512', 'Ed25519', 'RS256', 'HS256']) {
    await page.selectOption('#alg', alg);
    await page.click('#make');
    await page.waitForFunction((alg) => document.getElementById('private-jwk').textContent.includes(`"${alg}"`), alg);
    const jwk = JSON.parse(await page.textContent('#private-jwk'));
    if (alg === 'HS256') {
      assert.equal(Buffer.from(jwk.k, 'base64url').length, 32);
      continue;
    }
    const key = crypto.createPrivateKey(await page.textContent('#private-pem'));
    const own = crypto.createPublicKey(key).export({ type: 'spki', format: 'pem' });
    assert.equal((await page.textContent('#public-pem')).trim(), own.trim());
    assert.ok(!(await page.textContent('#public-jwk')).includes('"d"'));
  }
  const { publicKey } = pair('ES256');
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const print = crypto.createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  for (const text of [publicKey.export({ type: 'spki', format: 'pem' }), JSON.stringify({ crv, kty, x, y })]) {
    await page.fill('#given', text);
    await page.waitForFunction((print) => document.getElementById('facts').textContent.includes(print), print);
  }
  await page.fill('#given', 'no key');
  assert.match(await page.textContent('#trouble'), /neither PEM nor JWK/);
  const small = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const short = JSON.stringify({ kty: 'oct', k: 'YWJj', alg: 'HS256' });
  for (const text of [small.export({ type: 'spki', format: 'pem' }), JSON.stringify(small.export({ format: 'jwk' })), short]) {
    await page.fill('#given', text);
    await page.waitForFunction(() => /RFC 7518/.test(document.getElementById('trouble').textContent));
    assert.equal(await page.isVisible('#facts'), false);
    await page.fill('#given', '');
  }
  await close();
});

test('a verdict goes with the first change of token, key or claims, also while a check is running', async () => {
  const { page, close } = await open('jwt');
  const { publicKey, sign } = pair('ES256');
  const good = token({ alg: 'ES256' }, CLAIMS, sign);
  const key = spki(publicKey);
  /** Types, and tells what is said before anything else can happen. */
  const type = (id, value) =>
    page.evaluate(([id, value]) => {
      document.getElementById(id).value = value;
      document.getElementById(id).dispatchEvent(new Event('input'));
      return document.getElementById('verdict').dataset.outcome;
    }, [id, value]);
  const other = spki(pair('ES256').publicKey);
  for (const [id, value, outcome] of [['token', `${good}A`, 'refused'], ['key', other, 'refused'], ['key', '', ''], ['token', '', ''], ['header', '{', ''], ['claims', '{"exp":', '']]) {
    await type('token', good);
    await type('key', key);
    await page.waitForSelector('#verdict[data-outcome=valid]');
    assert.equal(await type(id, value), '', `${id}: ${value}`);
    await page.waitForTimeout(100);
    assert.equal(await page.getAttribute('#verdict', 'data-outcome'), outcome, `${id}: ${value}`);
  }
  // A check that takes its time.
  await page.evaluate(() => {
    const { verify } = SubtleCrypto.prototype;
    const gate = new Promise((open) => (globalThis.openGate = open));
    SubtleCrypto.prototype.verify = async function (...given) {
      await gate;
      return verify.apply(this, given);
    };
  });
  await type('token', good);
  await type('key', key);
  await page.waitForTimeout(100);
  await type('token', 'eyJ');
  await page.evaluate(() => globalThis.openGate());
  await page.waitForTimeout(200);
  assert.notEqual(await page.getAttribute('#verdict', 'data-outcome'), 'valid');
  await close();
});

test('private and encrypted keys are not passed over in silence', async () => {
  const { page, troubles, close } = await open('keys');
  await page.click('#make');
  await page.waitForSelector('#result:not([hidden])');
  assert.match(await page.textContent('#private-warning'), /Whoever has it can sign/);
  const { privateKey } = pair('ES256');
  await page.fill('#given', privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await page.waitForFunction(() => document.getElementById('private-warning').textContent.includes('If it was ever sent'));
  assert.equal(await page.textContent('#stamp'), 'Private');
  const lock = { cipher: 'aes-256-cbc', passphrase: 'carnet' };
  for (const [key, type] of [[privateKey, 'pkcs8'], [pair('RS256').privateKey, 'pkcs1']]) {
    await page.fill('#given', key.export({ type, format: 'pem', ...lock }));
    await page.waitForFunction(() => document.getElementById('trouble').textContent.includes('openssl pkey -in KEY'));
    assert.ok(await page.isHidden('#result'));
  }
  for (const text of ['{"kty":"EC","crv":"constructor"}', '{"kty":"oct","k":"AA","kid":{}}']) {
    await page.fill('#given', text);
    await page.waitForFunction(() => document.getElementById('result').hidden && document.getElementById('trouble').textContent);
  }
  // An algorithm that no browser has: what can be told of its key is told.
  const { n } = pair('RS256').publicKey.export({ format: 'jwk' });
  await page.fill('#given', JSON.stringify({ kty: 'RSA', alg: 'constructor', n, e: 'AQAB' }));
  await page.waitForFunction(() => document.getElementById('facts').textContent.includes('constructor'));
  assert.deepEqual(troubles, []);
  await close();
});

test('no more is drawn than anybody reads', async () => {
  const { page, close } = await open('jwt');
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`mail${at}`, 'a@b.test']));
  await page.fill('#token', `${encode({ alg: 'ES256' })}.${encode(many)}.AAAA`);
  assert.equal((await page.$$('#explained dt')).length, 501);
  assert.match(await page.textContent('#explained'), /The first 500 of 5000 claims are shown/);
  assert.equal((await page.$$('#findings li')).length, 501);
  await close();
});
