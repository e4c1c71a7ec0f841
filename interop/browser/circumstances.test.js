'use strict';
// The tools where something is missing: the server, https, or the key set that was asked for.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { CLAIMS, encode, hmac, now, open, pair, PAGES, SAMPLE, server, spki, start, stop, token } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 60_000 }, body);

before(start);
after(stop);

/** The page as a file, opened without a network. */
async function openSaved(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-page-'));
  const answer = await fetch(`${server.issuer}/tools/${name}`);
  fs.writeFileSync(path.join(folder, 'page.html'), await answer.text());
  const context = await server.browser.newContext({ offline: true });
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  await page.goto(`file://${folder}/page.html`);
  const close = async () => {
    await context.close();
    fs.rmSync(folder, { recursive: true });
  };
  return { page, policy: answer.headers.get('content-security-policy'), troubles, close };
}

test('a saved page keeps its policy, and says what it cannot do', async () => {
  for (const name of PAGES) {
    const { page, policy, troubles, close } = await openSaved(name);
    const own = await page.getAttribute('meta[http-equiv=Content-Security-Policy]', 'content');
    assert.equal(`${own}; frame-ancestors 'none'`, policy);
    assert.deepEqual(troubles, []);
    assert.equal(await page.evaluate(() => fetch('data:,x').then(() => 'asked', () => 'refused')), 'refused');
    assert.deepEqual(await page.$$eval('a[href^="/"]', (links) => links.map((link) => link.href)), []);
    assert.match(await page.textContent('nav'), /the other tools are where it came from/);
    if (name === 'jwt') {
      assert.match(await page.textContent('#fetch-form'), /A saved page cannot fetch key sets/);
      assert.equal(await page.$('#jwks-url'), null);
    }
    await close();
  }
});

test('a saved page works without a network, and the keyboard is enough', async () => {
  const { page, close } = await openSaved('jwt');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the tool');
  await page.focus('#token');
  await page.keyboard.insertText(SAMPLE);
  assert.match(await page.textContent('#findings'), /claims.exp has passed/);
  const { publicKey, sign } = pair('ES256');
  await page.fill('#token', token({ alg: 'ES256' }, CLAIMS, sign));
  await page.fill('#key', spki(publicKey));
  await page.waitForSelector('#verdict[data-outcome=valid]');
  await close();
});

/** A server for key sets that do not come. */
function strangeServer() {
  const answers = {
    '/status': (response) => response.writeHead(400).end('{}'),
    '/hangs': () => {},
    '/endless': (response) => {
      const more = () => response.destroyed || (response.write(' '.repeat(65536)), setTimeout(more, 1));
      more();
    },
    '/elsewhere': (response) => response.writeHead(302, { location: '/keys' }).end(),
    '/html': (response) => response.end('<!doctype html>'),
    '/json': (response) => response.end('{"jwks_uri":"x"}'),
  };
  return http.createServer((request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    answers[request.url](response);
  });
}

test('a key set that does not come is told plainly, and soon', async () => {
  const strange = strangeServer();
  await new Promise((ready) => strange.listen(0, '127.0.0.1', ready));
  const at = (where) => `http://127.0.0.1:${strange.address().port}${where}`;
  const { page, asked, close } = await open('jwt');
  const told = async (address, words) => {
    await page.evaluate(() => (document.getElementById('fetch-form').noValidate = true));
    await page.fill('#jwks-url', address);
    await page.click('text=Fetch the keys');
    await page.waitForFunction((words) => document.getElementById('verdict').textContent.includes(words), words, { timeout: 8000 });
    assert.equal(await page.getAttribute('#verdict', 'data-outcome'), 'refused', address);
    assert.equal(await page.$('iframe'), null, address);
  };
  const before = asked.length;
  await told('http://keys.test/jwks.json', 'Give an https address');
  await told('javascript:alert(1)', 'Give an https address');
  await told('file:///etc/passwd', 'Give an https address');
  await told('https://alice:secret@keys.test/', 'a name or a password');
  await told('https://keys.test;script-src/', 'characters that no host has');
  await told('keys', 'This is no address');
  assert.equal(asked.length, before);
  await told(at('/status'), 'The address answers 400');
  await told(at('/hangs'), 'does not answer whole within 5 seconds');
  await told(at('/endless'), 'larger than 1 MiB');
  await told(at('/elsewhere'), 'sends elsewhere');
  await told(at('/html'), 'but not with JSON');
  await told(at('/json'), 'no key set');
  // What comes late does not take the place of what was typed.
  await page.fill('#jwks-url', at('/hangs'));
  await page.click('text=Fetch the keys');
  await page.fill('#key', 'typed');
  assert.equal(await page.$('iframe'), null);
  await close();
  strange.closeAllConnections();
  strange.close();
});

test('a page that did not come by https says what it cannot do', async () => {
  const origin = `http://carnet.test:${new URL(server.issuer).port}`;
  const told = {};
  for (const name of PAGES) {
    const { page, troubles, close } = await open(name, { origin });
    assert.equal(await page.evaluate(() => Boolean(crypto.subtle)), false);
    told[name] = await page.textContent('#no-crypto');
    assert.ok(await page.isVisible('#no-crypto'), name);
    assert.match(told[name], /could have changed this page/);
    if (name === 'jwt') {
      await page.fill('#token', token({ alg: 'HS256' }, CLAIMS, hmac('HS256', 'x')));
      await page.fill('#key', 'x'.repeat(32));
      assert.match(await page.textContent('#verdict'), /no cryptography/);
      assert.equal(await page.getAttribute('#verdict', 'data-outcome'), 'untold');
    }
    if (name === 'keys') {
      await page.click('#make');
      assert.match(await page.textContent('#trouble'), /no cryptography/);
    }
    if (name === 'password') assert.equal((await page.textContent('#passwords')).length, 64);
    assert.deepEqual(troubles, []);
    await close();
  }
  for (const name of ['jwt', 'hash', 'keys']) assert.match(told[name], /no cryptography/);
  assert.doesNotMatch(told.password, /no cryptography/);
});

/** What the page says of the token that it shows. */
const told = (page) =>
  page.evaluate(() => ({
    stamp: document.getElementById('stamp').textContent,
    codes: [...document.querySelectorAll('#findings li')].map((item) => item.dataset.code).filter((code) => code !== 'type_missing'),
    verdict: document.getElementById('verdict').dataset.code || document.getElementById('verdict').dataset.outcome,
    life: document.querySelector('svg.life').getAttribute('aria-label').split(' ')[0],
    ends: document.querySelector('#explained [data-time=exp]')?.firstChild.data.split(' · ')[1],
  }));

/** The decoder at a time that stands still, with this token and its key. */
async function openAt(time, claims) {
  const opened = await open('jwt');
  const { publicKey, sign } = pair('ES256');
  await opened.page.clock.install({ time: (time - 1) * 1000 });
  await opened.page.reload();
  await opened.page.clock.pauseAt(time * 1000);
  await opened.page.fill('#key', spki(publicKey));
  await opened.page.fill('#token', token({ alg: 'ES256' }, claims, sign));
  await opened.page.waitForSelector('#verdict:not([hidden])');
  return opened;
}

test('what is said of a token follows the clock', async () => {
  const { page, troubles, close } = await openAt(now, { ...CLAIMS, iat: now, nbf: now + 60, exp: now + 900 });
  const steps = [
    [0, 'Not yet valid', ['not_yet_valid'], 'token_not_yet_valid', '0', 'in 15 minutes'],
    [30, 'Not yet valid', ['not_yet_valid'], 'valid', '3', 'in 14 minutes'],
    [60, 'Not expired', [], 'valid', '7', 'in 14 minutes'],
    [450, 'Not expired', [], 'valid', '50', 'in 7 minutes'],
    [710, 'Not expired', [], 'valid', '79', 'in 3 minutes'],
    [900, 'Expired', ['expired'], 'valid', '100', 'now'],
    [929, 'Expired', ['expired'], 'valid', '100', 'now'],
    [930, 'Expired', ['expired'], 'token_expired', '100', '30 seconds ago'],
    [8580, 'Expired', ['expired'], 'token_expired', '100', '2 hours ago'],
  ];
  let at = 0;
  for (const [second, stamp, codes, verdict, life, ends] of steps) {
    await page.clock.runFor((second - at) * 1000);
    at = second;
    await page.waitForSelector('#verdict:not([hidden])');
    assert.deepEqual(await told(page), { stamp, codes, verdict, life, ends }, `after ${second} seconds`);
  }
  await page.fill('#token', '');
  await page.clock.runFor(9e6);
  assert.deepEqual(troubles, []);
  await close();
});

test('whoever comes back to the page after a sleep reads what is true now', async () => {
  const { page, close } = await openAt(now, { ...CLAIMS, iat: now, exp: now + 900 });
  assert.equal((await told(page)).verdict, 'valid');
  // No timer fires while a machine sleeps.
  await page.clock.setSystemTime((now + 1000) * 1000);
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.waitForSelector('#verdict[data-code=token_expired]');
  assert.equal((await told(page)).stamp, 'Expired');
  await close();
});

test('one timer waits, however far away the moment is', async () => {
  const { page, close } = await open('jwt');
  // A hundredth of this life is a wait that browsers count as negative, and end at once.
  const count = await page.evaluate(async (jwt) => {
    let count = 0;
    const { setTimeout: wait } = globalThis;
    globalThis.setTimeout = (...given) => (count += 1, wait(...given));
    document.getElementById('token').value = jwt;
    document.getElementById('token').dispatchEvent(new Event('input'));
    await new Promise((ready) => wait(ready, 300));
    return count;
  }, token({ alg: 'ES256' }, { ...CLAIMS, exp: now + 3e8 }, () => Buffer.alloc(64)));
  assert.equal(count, 1);
  await close();
});

test('a paste of 1 MB is too large at once, and nothing of it is read', async () => {
  const { page, troubles, close } = await open('jwt');
  const { publicKey, sign } = pair('ES256');
  await page.fill('#key', spki(publicKey));
  const good = token({ alg: 'ES256' }, CLAIMS, sign);
  const texts = { token: `${encode({ alg: 'ES256' })}.${encode({ x: 'x'.repeat(750_000) })}.AAAA`, letters: 'a'.repeat(1e6), invisible: `a${'\u200b'.repeat(1e6)}b` };
  for (const [name, text] of Object.entries(texts)) {
    await page.fill('#token', good);
    await page.waitForSelector('#verdict[data-outcome=valid]');
    const taken = await page.evaluate(async (text) => {
      const before = performance.now();
      document.getElementById('token').value = text;
      document.getElementById('token').dispatchEvent(new Event('input'));
      await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
      return performance.now() - before;
    }, text);
    assert.ok(taken < 2000, `${name}: ${taken} ms`);
    await page.waitForSelector('#verdict[data-code=token_too_large]');
    assert.deepEqual(await page.$$eval('#findings li', (items) => items.map((item) => item.dataset.code)), ['token_too_large']);
    assert.equal(await page.textContent('#stamp'), 'Too large');
    for (const id of ['parts', 'explained-part']) assert.ok(await page.isHidden(`#${id}`), id);
    for (const id of ['header', 'claims']) assert.equal(await page.inputValue(`#${id}`), '', id);
  }
  // What is smaller and cannot be read does not hold the page up either.
  for (const text of ['a'.repeat(199_000), `a${'\u200b'.repeat(190_000)}b`]) {
    const before = Date.now();
    await page.fill('#token', text);
    await page.waitForSelector('[data-code=token_unreadable]');
    assert.ok(Date.now() - before < 3000, `${Date.now() - before} ms`);
  }
  assert.deepEqual(troubles, []);
  await close();
});
