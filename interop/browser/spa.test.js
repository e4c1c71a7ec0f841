'use strict';
// examples/spa-memory in Chromium: where its tokens are not, one renewal for all tabs, one retry, one logout. Time is Playwright's.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { AxeBuilder } = require('@axe-core/playwright');
const { serve } = require('./static.js');
const { CARNET, server, startWith, stop } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 60_000 }, body);
const FOLDER = path.join(__dirname, '../../examples/spa-memory');
/** Past the moment of renewal, a minute before the 15 minutes are over. */
const TO_RENEWAL = '14:01';
const sites = {};

before(async () => {
  const addresses = () => ({ 'http://127.0.0.1:8080': server.issuer, 'http://127.0.0.1:8081': server.demo.api });
  sites.app = await serve(FOLDER, addresses);
  sites.stranger = await serve(FOLDER, addresses);
  await startWith(['--app-origin', sites.app.origin]);
});
after(async () => {
  await stop();
  for (const site of Object.values(sites)) site.close();
});

/** A browser that counts what its tabs ask for, and looks into every address for tokens. */
async function browse({ origin = sites.app.origin, ...options } = {}) {
  const context = await server.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.clock.install();
  const asked = [];
  context.on('request', (request) => {
    assert.doesNotMatch(request.url(), TOKEN, 'a token is in an address');
    if (request.method() !== 'OPTIONS') asked.push(request);
  });
  const count = (end) => asked.filter((request) => new URL(request.url()).pathname === end).length;
  const tab = async () => {
    const page = await context.newPage();
    await page.goto(origin);
    await page.waitForSelector('#checking', { state: 'hidden' });
    return page;
  };
  /** The tokens that calls of the API have carried. */
  const carried = async (end) => {
    const calls = asked.filter((request) => request.url().endsWith(end));
    return Promise.all(calls.map((request) => request.headerValue('authorization')));
  };
  return { context, count, carried, tab, close: () => context.close() };
}

const TOKEN = /eyJ|carnet_rt/;

async function logIn(page) {
  await page.fill('[name=email]', server.demo.email);
  await page.fill('[name=password]', server.demo.password);
  await page.click('#login button');
  await page.waitForSelector('#account');
}

/** The API's answer to a button. */
async function call(page, button) {
  const reply = page.waitForResponse((response) => response.url().startsWith(`${server.demo.api}/api/`) && response.status() === 200);
  await page.click(button);
  await reply;
  await page.waitForFunction(() => document.getElementById('answer').textContent.startsWith('200'));
  return page.textContent('#answer');
}

const renewals = (page) => page.locator('#renewals li').count();
const renewed = (page, times) => page.waitForFunction((n) => document.querySelectorAll('#renewals li').length === n, times);
const told = async (page, words) => {
  await page.waitForFunction((text) => document.getElementById('problem').textContent.includes(text), words);
};

/** Everything that a script can read and that outlives the page, or stands in its address. */
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
  assert.doesNotMatch(await page.content(), TOKEN, 'a token is in the document');
  for (const cookie of await page.context().cookies()) assert.equal(cookie.httpOnly, true, cookie.name);
}

test('tokens are nowhere but in memory: through login, calls, renewal, reload and a second tab', async () => {
  const { context, count, tab, close } = await browse();
  const page = await tab();
  await nothingIsKept(page);
  await logIn(page);
  assert.match(await call(page, '#profile'), /alice@example\.com/);
  await nothingIsKept(page);
  await context.clock.fastForward(TO_RENEWAL);
  await renewed(page, 2);
  await nothingIsKept(page);
  await page.reload();
  await page.waitForSelector('#account');
  assert.equal(await page.textContent('#who'), 'Alice Example');
  await nothingIsKept(page);
  const second = await tab();
  await second.waitForSelector('#account');
  for (const one of [page, second]) await nothingIsKept(one);
  assert.equal(count('/auth/login'), 1);
  await close();
});

test('a token is renewed before it ends, also when the tab slept past its end', async () => {
  const { context, count, tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  const asked = count('/auth/refresh');
  await context.clock.fastForward('13:00');
  assert.equal(count('/auth/refresh'), asked, 'not before the last minute');
  await context.clock.fastForward('01:01');
  await renewed(page, 2);
  assert.match(await page.textContent('#expiry'), /^1[45]:/);
  // Asleep: hours go by, and no timer has fired.
  await context.clock.setSystemTime(Date.now() + 5 * 3_600_000);
  assert.equal(await renewals(page), 2);
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await renewed(page, 3);
  assert.equal(count('/auth/refresh'), asked + 2);
  await close();
});

test('two tabs whose token ends at once renew it once, and go on with the same token', async () => {
  const { context, count, carried, tab, close } = await browse();
  const first = await tab();
  await logIn(first);
  const second = await tab();
  const asked = count('/auth/refresh');
  const had = [await renewals(first), await renewals(second)];
  // One is on its way while the other wants the same.
  const gate = await held(context, 1);
  await context.clock.fastForward(TO_RENEWAL);
  await gate.reached;
  await first.waitForFunction(async () => (await navigator.locks.query()).pending.length === 1);
  gate.open();
  await renewed(first, had[0] + 1);
  await renewed(second, had[1] + 1);
  assert.equal(count('/auth/refresh'), asked + 1);
  await call(first, '#profile');
  await call(second, '#profile');
  const [one, other] = await carried('/api/user/profile');
  assert.equal(one, other);
  assert.equal(count('/auth/refresh'), asked + 1);
  await close();
});

test('where there are no locks, tabs that renew at once both stay logged in', async () => {
  const { context, count, tab, close } = await browse();
  await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
  const tabs = [await tab()];
  await logIn(tabs[0]);
  tabs.push(await tab());
  const asked = count('/auth/refresh');
  const answers = tabs.map((page) => page.waitForResponse('**/auth/refresh'));
  // Both questions leave with the same cookie.
  const gate = await held(context, 2);
  await context.clock.fastForward(TO_RENEWAL);
  await gate.reached;
  gate.open();
  for (const answer of answers) assert.equal((await answer).status(), 200);
  assert.equal(count('/auth/refresh'), asked + 2);
  for (const page of tabs) assert.match(await call(page, '#profile'), /alice@example\.com/);
  await close();
});

test('a token that was taken back is renewed at the 401, and the call is sent once more', async () => {
  const { count, carried, tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  const asked = count('/auth/refresh');
  await call(page, '#profile');
  const [bearer] = await carried('/api/user/profile');
  const { jti } = JSON.parse(Buffer.from(bearer.split('.')[1], 'base64url'));
  execFileSync(CARNET, ['revoke', '--jti', jti, '--config', path.join(server.demo.folder, 'carnet.toml')]);
  assert.match(await call(page, '#data'), /what only callers with a token see/);
  assert.deepEqual([count('/api/data'), count('/auth/refresh')], [2, asked + 1]);
  await close();
});

test('a call that is refused again and again is sent twice, not more', async () => {
  const { count, tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  const asked = count('/auth/refresh');
  const headers = { 'access-control-allow-origin': '*' };
  await page.route('**/api/data', (route) =>
    route.request().method() === 'OPTIONS' ? route.continue() : route.fulfill({ status: 401, headers, json: { code: 'token_invalid' } }),
  );
  await page.click('#data');
  await page.waitForFunction(() => document.getElementById('answer').textContent.startsWith('401'));
  assert.deepEqual([count('/api/data'), count('/auth/refresh')], [2, asked + 1]);
  await close();
});

test('a logout in one tab is one in all tabs, at once and for good', async () => {
  const { carried, context, tab, close } = await browse();
  const first = await tab();
  await logIn(first);
  const second = await tab();
  await call(second, '#profile');
  await first.click('#logout');
  await first.waitForSelector('#login');
  assert.equal(await first.isVisible('#problem'), false);
  await second.waitForSelector('#login');
  await told(second, 'logged out in another tab');
  assert.equal(await second.textContent('#answer'), '', 'what the user has seen is gone');
  const [bearer] = await carried('/api/user/profile');
  const reply = await fetch(`${server.demo.api}/api/user/profile`, { headers: { authorization: bearer } });
  assert.equal(reply.status, 401);
  assert.deepEqual((await context.cookies()).filter(({ name }) => name === 'refresh_token'), []);
  for (const page of [first, second]) {
    await page.reload();
    await page.waitForSelector('#login');
    await nothingIsKept(page);
  }
  // And a login in one is a login in both.
  await logIn(first);
  await second.waitForSelector('#account');
  await close();
});

test('a logout on all devices ends the login of another browser', async () => {
  const [here, there] = [await browse(), await browse()];
  const pages = [await here.tab(), await there.tab()];
  for (const page of pages) await logIn(page);
  await pages[0].click('#everywhere');
  await pages[0].waitForSelector('#login');
  await pages[1].click('#profile');
  await told(pages[1], 'Your login has ended');
  await pages[1].waitForSelector('#login');
  for (const { close } of [here, there]) await close();
});

test('offline, a page says so, stays logged in, and goes on when the network is back', async () => {
  const { context, tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  await context.setOffline(true);
  await context.clock.fastForward(TO_RENEWAL);
  await told(page, 'cannot be reached');
  await page.click('#logout');
  await told(page, 'cannot be reached');
  assert.equal(await page.isVisible('#account'), true, 'a logout that did not happen is not shown as one');
  await context.setOffline(false);
  await renewed(page, 2);
  await page.waitForSelector('#problem', { state: 'hidden' });
  await close();
});

test('a stolen refresh token that was used ends the login, and the page says what has happened', async () => {
  const { context, tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  let stolen = (await context.cookies(`${server.issuer}/auth`)).find(({ name }) => name === 'refresh_token').value;
  for (let i = 0; i < 2; i += 1) {
    const reply = await fetch(`${server.issuer}/auth/refresh`, { method: 'POST', headers: { cookie: `refresh_token=${stolen}` } });
    assert.equal(reply.status, 200);
    [, stolen] = /refresh_token=([^;]+)/.exec(reply.headers.get('set-cookie'));
  }
  await context.clock.fastForward(TO_RENEWAL);
  await told(page, 'used a copy of your login');
  await page.waitForSelector('#login');
  await close();
});

test('a wrong password and an origin that is not listed are told in words', async () => {
  const listed = await browse();
  const page = await listed.tab();
  await page.fill('[name=email]', server.demo.email);
  await page.fill('[name=password]', 'wrong');
  await page.click('#login button');
  await told(page, 'password is wrong');
  await listed.close();
  const { context, close } = await browse();
  const stranger = await context.newPage();
  await stranger.goto(sites.stranger.origin);
  await told(stranger, `does not list this page's origin, ${sites.stranger.origin}`);
  await close();
});

test('the token goes to the API and to nobody else', async () => {
  const { tab, close } = await browse();
  const page = await tab();
  await logIn(page);
  const refused = await page.evaluate(async (api) => {
    const { Session } = await import('/session.js');
    const session = new Session({ issuer: location.origin, api });
    return session.fetch('https://elsewhere.example.com/api/data').catch((error) => error.message);
  }, server.demo.api);
  assert.equal(refused, 'the token is not for https://elsewhere.example.com');
  await close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`the page has nothing to stumble over, ${colorScheme}`, async () => {
    const { tab, close } = await browse({ colorScheme, viewport: { width: 390, height: 900 } });
    const page = await tab();
    const look = async (name) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html}`), []);
      const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(width, 0, `${name} scrolls sideways`);
      if (process.env.PICTURES) await page.screenshot({ path: path.join(process.env.PICTURES, `spa-${name}-${colorScheme}.png`), fullPage: true });
    };
    await look('out');
    await logIn(page);
    await call(page, '#profile');
    await look('in');
    await close();
  });
}

/** Holds up what is asked of /auth/refresh; `reached` when so many wait. */
async function held(context, many) {
  const [reached, opened] = [deferred(), deferred()];
  let waiting = 0;
  await context.route('**/auth/refresh', async (route) => {
    waiting += 1;
    if (waiting === many) reached.resolve();
    await opened.promise;
    await route.continue();
  });
  return { reached: reached.promise, open: opened.resolve };
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
