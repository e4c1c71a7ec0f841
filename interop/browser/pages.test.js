'use strict';
// The way of a person through the pages, in the browser that they do it with: two widths, light and dark, two languages, no script.
const assert = require('node:assert/strict');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { AxeBuilder } = require('@axe-core/playwright');
const { server, start, stop } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 60_000 }, body);
const WIDTHS = [390, 1280];
const SCHEMES = ['light', 'dark'];

before(start);
after(stop);

/** A browser without cookies, at the front door. */
async function visit(options = {}) {
  const context = await server.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => message.type() === 'error' && !message.location().url.endsWith('/favicon.ico') && troubles.push(message.text()));
  await page.goto(server.demo.browser);
  return { page, troubles, close: () => context.close() };
}

async function logIn(page, password = server.demo.password) {
  await page.fill('#username', server.demo.email);
  await page.fill('#password', password);
  await page.click('#login-submit');
}

/** The app's part: the code that came back, for tokens. */
function redeem(back) {
  const verifier = { client_id: 'my-app-client-id', code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' };
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: new URL(back).searchParams.get('code'), ...verifier });
  return fetch(`${server.issuer}/oauth/token`, { method: 'POST', body });
}

/** What a reader of the page would stumble over; and a picture of it. */
async function look(page, name) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html}`), []);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(width, 0, `${name} scrolls sideways`);
  if (process.env.PICTURES) await page.screenshot({ path: path.join(process.env.PICTURES, `${name}.png`), fullPage: true });
}

test('a person logs in, allows, and comes back with a code that buys tokens', async () => {
  const { page, troubles, close } = await visit();
  await logIn(page);
  await page.click('#consent-allow');
  await page.waitForURL(/\/callback\?/);
  const back = new URL(page.url());
  assert.equal(back.searchParams.get('iss'), server.issuer);
  assert.equal(back.searchParams.get('state'), 'xyz');
  const answer = await redeem(page.url());
  assert.equal(answer.status, 200);
  assert.ok((await answer.json()).id_token);
  assert.deepEqual(troubles, []);
  await close();
});

test('everything works without script and by keyboard alone', async () => {
  const { page, close } = await visit({ javaScriptEnabled: false });
  await page.focus('#username');
  await page.keyboard.type(server.demo.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(server.demo.password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#consent-allow');
  await page.focus('#consent-allow');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/callback\?code=/);
  await close();
});

test('a person ends a session in another browser, and takes access back from an app, without script', async () => {
  const { page, close } = await visit({ javaScriptEnabled: false });
  const elsewhere = await visit({ javaScriptEnabled: false });
  await logIn(elsewhere.page);
  await elsewhere.page.waitForSelector('#consent-allow');
  await page.goto(`${server.issuer}/account/sessions`);
  await logIn(page);
  await page.waitForURL(/\/account\/sessions/);
  await page.click('#end-others');
  await page.click('#account-confirm');
  await page.waitForURL(/\/account\/sessions/);
  assert.equal(await page.locator('.end').count(), 0);
  await elsewhere.page.goto(`${server.issuer}/account/sessions`);
  await elsewhere.page.waitForSelector('#login-submit');
  await page.goto(server.demo.browser);
  await page.click('#consent-allow');
  await page.waitForURL(/\/callback\?code=/);
  await redeem(page.url());
  await page.goto(`${server.issuer}/account/apps`);
  await page.click('.end');
  await page.click('#account-confirm');
  await page.waitForURL(/\/account\/apps/);
  assert.equal(await page.locator('.end').count(), 0);
  await elsewhere.close();
  await close();
});

test('whoever refuses goes back without a code, from the login and from the consent page', async () => {
  const { page, close } = await visit();
  await page.click('#login-cancel');
  await page.waitForURL(/error=access_denied/);
  await page.goto(server.demo.browser);
  await logIn(page);
  await page.click('#consent-deny');
  await page.waitForURL(/error=access_denied/);
  await close();
});

test('an answer as a form is posted to the app by itself', async () => {
  const context = await server.browser.newContext();
  const page = await context.newPage();
  const posted = page.waitForRequest((request) => request.method() === 'POST');
  const url = new URL(server.demo.browser);
  url.searchParams.set('response_mode', 'form_post');
  url.searchParams.set('prompt', 'none');
  page.goto(url.href).catch(() => {});
  const request = await posted;
  assert.equal(request.url(), `${server.demo.api}/callback`);
  const fields = new URLSearchParams(request.postData());
  assert.deepEqual([fields.get('error'), fields.get('state'), fields.get('iss')], ['login_required', 'xyz', server.issuer]);
  await context.close();
});

for (const width of WIDTHS) {
  for (const colorScheme of SCHEMES) {
    for (const locale of ['en', 'de']) {
      const name = (what) => `${what}-${width}-${colorScheme}-${locale}`;
      test(`pages at ${width} pixels, ${colorScheme}, ${locale}, have nothing to stumble over`, async () => {
        const { page, close } = await visit({ viewport: { width, height: 900 }, colorScheme, locale });
        assert.equal(await page.getAttribute('html', 'lang'), locale);
        await look(page, name('login'));
        await logIn(page, 'wrong');
        await page.waitForSelector('#login-error');
        await look(page, name('login-refused'));
        await logIn(page);
        await page.waitForSelector('#consent-allow');
        await look(page, name('consent'));
        await page.goto(`${server.demo.browser}&prompt=select_account`);
        await look(page, name('account'));
        await page.click('#account-continue');
        await page.click('#consent-allow');
        await page.waitForURL(/\/callback\?/);
        await redeem(page.url());
        const elsewhere = await visit({ locale });
        await logIn(elsewhere.page);
        await elsewhere.page.waitForSelector('#consent-allow');
        await page.goto(`${server.issuer}/account/sessions`);
        await look(page, name('sessions'));
        await page.click('.end >> nth=0');
        await look(page, name('session-end'));
        await page.click('#account-confirm');
        await page.waitForURL(/\/account\/sessions/);
        await page.goto(`${server.issuer}/account/apps`);
        await look(page, name('apps'));
        await page.click('.end >> nth=0');
        await look(page, name('app-withdraw'));
        await elsewhere.close();
        await page.goto(`${server.issuer}/logout`);
        await look(page, name('logout'));
        await page.click('#logout-confirm');
        await look(page, name('logged-out'));
        await page.goto(`${server.issuer}/oauth/authorize?client_id=nobody`);
        await page.waitForSelector('#oidc-error');
        await look(page, name('error'));
        await page.goto(server.demo.browser.replace('response_type=code', 'response_type=token'));
        const help = new URL(page.url()).searchParams.get('error_uri');
        await page.goto(help);
        await look(page, name('implicit'));
        await close();
      });
    }
  }
}

/** What a command line asks for, as `carnet login` does. */
async function deviceCodes() {
  const reply = await fetch(`${server.issuer}/oauth/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'my-cli-client-id', scope: 'openid email offline_access read:data' }),
  });
  assert.equal(reply.status, 200);
  return reply.json();
}

async function poll({ device_code }) {
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const body = new URLSearchParams({ grant_type, client_id: 'my-cli-client-id', device_code });
  return (await fetch(`${server.issuer}/oauth/token`, { method: 'POST', body })).json();
}

for (const width of WIDTHS) {
  for (const colorScheme of SCHEMES) {
    test(`a device is connected from its link at ${width} pixels, ${colorScheme}`, async () => {
      const { page, troubles, close } = await visit({ viewport: { width, height: 900 }, colorScheme });
      const codes = await deviceCodes();
      await page.goto(codes.verification_uri_complete);
      assert.equal(await page.inputValue('#user-code'), codes.user_code);
      await look(page, `device-${width}-${colorScheme}`);
      await page.fill('#user-code', 'BBBB-BBBB');
      await page.click('#device-submit');
      assert.match(await page.title(), /^Error:/);
      await look(page, `device-error-${width}-${colorScheme}`);
      troubles.length = 0; // The console names the 400.
      await page.fill('#user-code', codes.user_code.toLowerCase());
      await page.keyboard.press('Enter');
      await logIn(page);
      await look(page, `device-confirm-${width}-${colorScheme}`);
      assert.match(await page.textContent('main'), new RegExp(codes.user_code));
      await page.click(width === WIDTHS[0] ? '#device-deny' : '#device-allow');
      await look(page, `device-done-${width}-${colorScheme}`);
      const answer = await poll(codes);
      if (width === WIDTHS[0]) assert.equal(answer.error, 'access_denied');
      else assert.ok(answer.access_token);
      assert.deepEqual(troubles, []);
      await close();
    });
  }
}
