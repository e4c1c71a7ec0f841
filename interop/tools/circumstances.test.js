'use strict';
// The tools where something is missing: the server, https, or the key set that was asked for.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { CLAIMS, hmac, open, pair, PAGES, SAMPLE, server, spki, start, stop, token } = require('./support.js');

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
