'use strict';
// examples/spa behind `carnet gateway` in Chromium: no token reaches a script, a storage or an address.
const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { AxeBuilder } = require('@axe-core/playwright');
const { serve } = require('./static.js');
const { CARNET, server, startWith, stop } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 60_000 }, body);
const EXAMPLE = path.join(__dirname, '../../examples/spa');
const TOKEN = /eyJ|carnet_rt/;
const own = { folder: '', origin: '', files: null, gateway: null };

const freePort = () =>
  new Promise((resolve) => {
    const taken = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = taken.address();
      taken.close(() => resolve(port));
    });
  });

before(async () => {
  await startWith(['--access-ttl', '20s']);
  own.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-bff-'));
  // A frame that goes by way of the issuer: the example itself has none.
  const frames = () => ({ "connect-src 'self';": `connect-src 'self'; frame-src 'self' ${server.issuer};` });
  own.files = await serve(path.join(EXAMPLE, 'public'), frames);
  own.origin = `http://127.0.0.1:${await freePort()}`;
  const add = ['client', 'add', 'spa', '--json', '--config', path.join(server.demo.folder, 'carnet.toml'), '--id-token-claims', 'full'];
  const scope = 'openid profile email offline_access read:data read:profile';
  add.push('--scope', scope, '--redirect-uri', `${own.origin}/bff/callback`, '--redirect-uri', `${own.origin}/bff/silent-login/callback`, '--post-logout-redirect-uri', `${own.origin}/bff/logout/callback`);
  const { secret, client_secret } = JSON.parse(execFileSync(CARNET, add));
  const write = (name, text) => fs.writeFileSync(path.join(own.folder, name), text, { mode: 0o600 });
  write('client.secret', secret ?? client_secret);
  write('bff.key', randomBytes(48).toString('base64'));
  const addresses = {
    'http://127.0.0.1:8088': own.origin,
    '127.0.0.1:8088': new URL(own.origin).host,
    'http://127.0.0.1:8080': server.issuer,
    'http://127.0.0.1:8081': server.demo.api,
    'http://127.0.0.1:8000': own.files.origin,
  };
  let text = fs.readFileSync(path.join(EXAMPLE, 'gateway.toml'), 'utf8');
  for (const [from, to] of Object.entries(addresses)) text = text.replaceAll(from, to);
  write('gateway.toml', text.replace('[bff]', '[bff]\nsilent_login = true'));
  own.gateway = spawn(CARNET, ['gateway', '--config', path.join(own.folder, 'gateway.toml')], { stdio: 'inherit' });
  for (let answers = false; !answers; ) answers = await fetch(own.origin).then(() => true, () => new Promise((resolve) => setTimeout(resolve, 50, false)));
});
after(async () => {
  own.gateway?.kill('SIGTERM');
  own.files?.close();
  await stop();
  fs.rmSync(own.folder, { recursive: true, force: true });
});

/** A browser in which every address, every body and every header that a script may read is searched for tokens. */
async function browse() {
  const context = await server.browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(10_000);
  const troubles = [];
  const seen = { bodies: 0, hints: 0 };
  const look = (text, where) => TOKEN.test(text) && troubles.push(`a token is in ${where}: ${text.slice(0, 200)}`);
  context.on('request', (request) => {
    const url = new URL(request.url());
    // What RP-initiated logout asks for: it goes to the issuer, by a redirect of a window, after the session has ended.
    if (url.origin === server.issuer && url.pathname.endsWith('/logout') && url.searchParams.has('id_token_hint')) {
      assert.ok(request.isNavigationRequest());
      url.searchParams.delete('id_token_hint');
      seen.hints += 1;
    }
    look(url.href, 'an address');
    look(request.postData() ?? '', 'a form');
    if (url.origin === own.origin) look(JSON.stringify(request.headers()), 'a request');
  });
  const reading = [];
  context.on('response', (response) => {
    if (new URL(response.url()).origin !== own.origin) return;
    const { location, ...readable } = response.headers();
    if (!new URL(response.url()).pathname.startsWith('/bff/logout')) look(location ?? '', 'a redirect');
    look(JSON.stringify(readable), `the headers of ${response.url()}`);
    const read = response.text().then(
      (text) => {
        seen.bodies += 1;
        look(text, `the body of ${response.url()}`);
      },
      () => {}, // A redirect has none.
    );
    reading.push(read);
  });
  const page = await context.newPage();
  page.on('console', (message) => look(message.text(), 'the console'));
  page.on('pageerror', (error) => troubles.push(error.message));
  // The body of a page that was left is not to be had any more; asking for it ends with the context.
  const close = async () => {
    await context.close();
    await Promise.all(reading);
    assert.deepEqual(troubles, []);
  };
  return { context, page, seen, close };
}

async function logIn(page) {
  await page.goto(own.origin);
  await page.click('#login');
  await page.fill('#username', server.demo.email);
  await page.fill('#password', server.demo.password);
  await page.click('#login-submit');
  // Whether it may is asked once.
  await page.waitForSelector('#consent-allow, #in:not([hidden])');
  if (await page.locator('#consent-allow').count()) await page.click('#consent-allow');
  await page.waitForURL(`${own.origin}/`);
  await page.waitForSelector('#in:not([hidden])');
}

async function call(page, button, path_) {
  const [reply] = await Promise.all([page.waitForResponse((response) => response.url().endsWith(path_)), page.click(button)]);
  assert.equal(reply.status(), 200);
  await page.waitForFunction(() => document.getElementById('answer').textContent.startsWith('200'));
  return page.textContent('#answer');
}

/** Everything that a script can read. */
async function nothingIsKept(page) {
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    cookies: document.cookie,
    address: location.href.slice(location.origin.length),
    history: history.state,
    name: window.name,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
  const nothing = { local: {}, session: {}, databases: [], caches: [], cookies: '', address: '/', history: null, name: '', workers: 0 };
  assert.deepEqual(kept, nothing);
  assert.doesNotMatch(await page.content(), TOKEN);
  const entries = await page.evaluate(() => JSON.stringify(performance.getEntries()));
  assert.doesNotMatch(entries, TOKEN);
}

test('no token reaches a script, a storage or an address: login, calls, renewal, reload, logout', async () => {
  const { context, page, seen, close } = await browse();
  await logIn(page);
  await nothingIsKept(page);
  assert.match(await call(page, '#profile', '/api/user/profile'), /alice@example\.com/);
  // The access token lives for 20 seconds: by then the gateway has another, and the page has noticed nothing.
  await page.waitForTimeout(21_000);
  assert.match(await call(page, '#data', '/api/data'), /200/);
  await page.reload();
  await page.waitForSelector('#in:not([hidden])');
  await nothingIsKept(page);
  const cookies = (await context.cookies(own.origin)).filter((cookie) => cookie.name.startsWith('bff'));
  for (const cookie of cookies) assert.equal(cookie.httpOnly, true, cookie.name);
  const session = cookies.find((cookie) => cookie.name === 'bff');
  assert.deepEqual([session.value.length, session.sameSite], [43, 'Strict']);
  await page.click('#logout');
  await page.waitForURL((url) => url.origin === own.origin && !url.pathname.startsWith('/bff'));
  await page.waitForSelector('#out:not([hidden])');
  await nothingIsKept(page);
  await close();
  assert.equal(seen.hints, 1);
  assert.ok(seen.bodies > 10, `${seen.bodies} bodies`);
});

/** What a frame of the app hears of the issuer. */
const askSilently = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.hidden = true;
        addEventListener('message', function heard({ origin, source, data }) {
          if (origin !== location.origin || source !== frame.contentWindow) return;
          removeEventListener('message', heard);
          frame.remove();
          resolve(data);
        });
        frame.src = '/bff/silent-login';
        document.body.append(frame);
      }),
  );

test('a frame logs in whoever is logged in at the issuer, and shows nothing', async () => {
  const { context, page, close } = await browse();
  await logIn(page);
  await context.clearCookies({ name: 'bff' });
  await page.reload();
  await page.waitForSelector('#out:not([hidden])');
  assert.deepEqual(await askSilently(page), { source: 'bff-silent-login', isLoggedIn: true });
  await page.reload();
  await page.waitForSelector('#in:not([hidden])');
  await nothingIsKept(page);
  await context.clearCookies();
  assert.deepEqual(await askSilently(page), { source: 'bff-silent-login', isLoggedIn: false });
  await page.reload();
  await page.waitForSelector('#out:not([hidden])');
  await close();
});

test('a new login in the same browser ends the session that was there', async () => {
  const { context, page, close } = await browse();
  await logIn(page);
  const value = async () => (await context.cookies(own.origin)).find((cookie) => cookie.name === 'bff').value;
  const old = await value();
  await page.goto(`${own.origin}/bff/login?returnUrl=/`);
  await page.waitForSelector('#in:not([hidden])');
  assert.notEqual(await value(), old);
  const reply = await fetch(`${own.origin}/bff/user`, { headers: { 'X-CSRF': '1', cookie: `bff=${old}` } });
  assert.equal(reply.status, 401);
  await close();
});

test('a page of another site can neither call nor read', async () => {
  const { page, context, close } = await browse();
  await logIn(page);
  const stranger = await context.newPage();
  // A page without a policy of its own.
  await stranger.goto(`${own.files.origin}/style.css`);
  const outcomes = await stranger.evaluate(async (target) => {
    const tries = [
      fetch(`${target}/api/data`, { credentials: 'include' }),
      fetch(`${target}/api/data`, { credentials: 'include', headers: { 'X-CSRF': '1' } }),
      fetch(`${target}/bff/user`, { credentials: 'include', mode: 'no-cors' }),
      fetch(`${target}/bff/logout`, { credentials: 'include', method: 'POST' }),
    ];
    return Promise.all(tries.map((one) => one.then((reply) => reply.type, () => 'refused')));
  }, own.origin);
  assert.deepEqual(outcomes, ['refused', 'refused', 'opaque', 'refused']);
  await call(page, '#data', '/api/data');
  await close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`the page is for everybody (${colorScheme})`, async () => {
    const { page, close } = await browse();
    await page.emulateMedia({ colorScheme });
    await logIn(page);
    const { violations } = await new AxeBuilder({ page }).analyze();
    assert.deepEqual(violations.map((violation) => violation.id), []);
    await close();
  });
}
