// oidc-client-ts in Chromium, over https as out there: a browser app without a server, its redirects through our pages, its silent
// renewals, its logout.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { EMAIL, PASSWORD, command, flows, server, start, stop } from './support.js';

const flow = flows('oidc-client-ts');
const LIBRARY = path.join(path.dirname(createRequire(import.meta.url).resolve('oidc-client-ts')), '../browser/oidc-client-ts.min.js');
/** May refresh; may not, so that it renews by a frame. */
const [REFRESHING, FRAMING] = ['spa', 'spa-frame'];
let site;
let browser;

before(async () => {
  await start({ tls: true });
  site = await serve();
  for (const [id, grants] of [[REFRESHING, ['authorization_code', 'refresh_token']], [FRAMING, ['authorization_code']]]) {
    const redirects = [site.origin, site.elsewhere].flatMap((origin) => [`${origin}/callback`, `${origin}/silent`]);
    command('client', 'add', id, '--public', '--name', id, '--scope', 'openid profile email read:orders', ...list('--grant-type', grants),
      ...list('--redirect-uri', redirects), '--post-logout-redirect-uri', `${site.origin}/goodbye`);
  }
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1'] });
});
after(async () => {
  await browser?.close();
  site?.listener.close();
  await stop();
});

const list = (name, values) => values.flatMap((value) => [name, value]);

/** The app: the library, and a page that is every address of it. Which client it is, it reads from a cookie of its own. */
async function serve() {
  const app = (issuer) => `
    const client_id = /client=([^;]+)/.exec(document.cookie)[1];
    const at = (path) => location.origin + path;
    window.manager = new oidc.UserManager({
      authority: ${JSON.stringify(issuer)}, client_id, scope: 'openid profile email read:orders', loadUserInfo: true,
      redirect_uri: at('/callback'), silent_redirect_uri: at('/silent'), post_logout_redirect_uri: at('/goodbye'),
    });
    const fail = (error) => { window.failed = String(error); };
    if (location.pathname === '/callback') manager.signinRedirectCallback().then((user) => { window.user = user; }, fail);
    if (location.pathname === '/silent') manager.signinSilentCallback();
    if (location.pathname === '/goodbye') manager.signoutRedirectCallback().then(() => { window.gone = true; }, fail);`;
  const listener = https.createServer(server.tls, (request, response) => {
    const { pathname } = new URL(request.url, 'https://app.test');
    const send = (type, body) => response.writeHead(200, { 'content-type': type }).end(body);
    if (pathname === '/oidc-client-ts.js') return send('text/javascript', fs.readFileSync(LIBRARY));
    if (pathname === '/app.js') return send('text/javascript', app(server.issuer));
    return send('text/html', '<!doctype html><title>App</title><link rel="icon" href="data:,"><script src="/oidc-client-ts.js"></script><script src="/app.js"></script>');
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  // The server is auth.carnet.test: the one app is on its site, the other is not.
  return { listener, origin: `https://app.carnet.test:${port}`, elsewhere: `https://app.elsewhere.test:${port}` };
}

async function visit(client, { origin = site.origin } = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(10_000);
  await context.addCookies([{ name: 'client', value: client, url: origin }]);
  await context.clock.install();
  const page = await context.newPage();
  await page.goto(origin);
  return { context, page };
}

/** Through the login and the consent page, as far as they come, back to the app; what the library made of it. */
async function signIn(page) {
  await page.evaluate(() => void manager.signinRedirect());
  await page.waitForSelector('#username');
  await page.fill('#username', EMAIL);
  await page.fill('#password', PASSWORD);
  await page.click('#login-submit');
  await page.waitForURL((url) => url.pathname === '/callback' || url.pathname === '/consent');
  if (new URL(page.url()).pathname === '/consent') {
    // Remembered, for nobody is asked in a frame.
    await page.check('#consent-remember');
    await page.click('#consent-allow');
  }
  await page.waitForFunction(() => window.user || window.failed);
  assert.equal(await page.evaluate(() => window.failed), undefined);
  return page.evaluate(() => manager.getUser());
}

/** A silent login: the user, or the error that the library throws. */
const silently = (page) => page.evaluate(() => manager.signinSilent().catch(({ error, message }) => ({ error: error ?? message })));

flow('public client', 'a browser app signs in by code and PKCE through our pages', async () => {
  const { context, page } = await visit(REFRESHING);
  const asked = page.waitForRequest((request) => request.url().startsWith(`${server.issuer}/oauth/authorize`));
  const user = await signIn(page);
  const query = new URL((await asked).url()).searchParams;
  assert.deepEqual([query.get('response_type'), query.get('code_challenge_method')], ['code', 'S256']);
  assert.ok(user.access_token && user.id_token && user.refresh_token);
  assert.equal(user.token_type, 'Bearer');
  await context.close();
});

flow('userinfo', 'the profile is what userinfo and the ID token say together', async () => {
  const { context, page } = await visit(REFRESHING);
  const { profile } = await signIn(page);
  assert.deepEqual([profile.email, profile.name, profile.email_verified], [EMAIL, 'Alice', true]);
  assert.equal(profile.aud, REFRESHING);
  await context.close();
});

flow('refresh', 'a silent renewal takes the refresh token, and the one after that the next', async () => {
  const { context, page } = await visit(REFRESHING);
  const tokens = [await signIn(page), await silently(page), await silently(page)];
  assert.equal(new Set(tokens.map((user) => user.refresh_token)).size, 3);
  assert.equal(new Set(tokens.map((user) => user.access_token)).size, 3);
  assert.equal(new Set(tokens.map((user) => user.profile.sub)).size, 1);
  await context.close();
});

flow('refresh', 'the library renews by itself before the token ends', async () => {
  const { context, page } = await visit(REFRESHING);
  const was = await signIn(page);
  const renewed = page.evaluate(() => new Promise((resolve) => manager.events.addUserLoaded(resolve)));
  await context.clock.fastForward('14:30');
  assert.notEqual((await renewed).access_token, was.access_token);
  await context.close();
});

flow('prompt=none', 'a frame renews without a refresh token where the app is of the same site', async () => {
  const { context, page } = await visit(FRAMING);
  const was = await signIn(page);
  assert.equal(was.refresh_token, undefined);
  const framed = page.waitForRequest((request) => request.url().includes('prompt=none') && request.frame() !== page.mainFrame());
  const next = await silently(page);
  await framed;
  assert.equal(next.error, undefined);
  assert.notEqual(next.access_token, was.access_token);
  assert.equal(next.profile.sub, was.profile.sub);
  await context.close();
});

flow('prompt=none', 'a frame without a login is told login_required, and no page of ours appears in it', async () => {
  const { context, page } = await visit(FRAMING);
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  assert.deepEqual(await silently(page), { error: 'login_required' });
  const pages = asked.filter(({ origin }) => origin === server.issuer).map(({ pathname }) => pathname);
  assert.deepEqual(pages.filter((path) => path !== '/.well-known/openid-configuration'), ['/oauth/authorize']);
  await context.close();
});

flow('prompt=none', 'of another site, a frame finds no login, for its cookies stay away; a refresh token renews there too', async () => {
  const framing = await visit(FRAMING, { origin: site.elsewhere });
  await signIn(framing.page);
  assert.deepEqual(await silently(framing.page), { error: 'login_required' });
  await framing.context.close();
  const refreshing = await visit(REFRESHING, { origin: site.elsewhere });
  const was = await signIn(refreshing.page);
  assert.notEqual((await silently(refreshing.page)).access_token, was.access_token);
  await refreshing.context.close();
});

flow('revocation', 'the library gives its tokens back, and userinfo knows them no more', async () => {
  const { context, page } = await visit(REFRESHING);
  const { access_token: token } = await signIn(page);
  const headers = { authorization: `Bearer ${token}` };
  const ask = () => page.evaluate(async ([url, options]) => (await fetch(url, options)).status, [`${server.issuer}/userinfo`, { headers }]);
  assert.equal(await ask(), 200);
  await page.evaluate(() => manager.revokeTokens(['access_token', 'refresh_token']));
  assert.equal(await ask(), 401);
  await context.close();
});

flow('logout', 'end_session_endpoint ends the login and leads back to the app', async () => {
  const { context, page } = await visit(FRAMING);
  await signIn(page);
  assert.equal((await silently(page)).error, undefined);
  await page.evaluate(() => void manager.signoutRedirect({ state: 'bye' }));
  await page.waitForURL(/\/goodbye\?state=/);
  await page.waitForFunction(() => window.gone || window.failed);
  assert.equal(await page.evaluate(() => window.failed), undefined);
  assert.equal(await page.evaluate(() => manager.getUser()), null);
  assert.deepEqual(await silently(page), { error: 'login_required' });
  await context.close();
});

flow('errors', 'whoever refuses comes back, and the library throws', async () => {
  const { context, page } = await visit(REFRESHING);
  await page.evaluate(() => void manager.signinRedirect());
  await page.click('#login-cancel');
  await page.waitForFunction(() => window.failed);
  assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
  await context.close();
});
