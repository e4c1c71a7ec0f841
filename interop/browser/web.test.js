'use strict';
// examples/server-rendered in Chromium: tokens that no script sees, pages that go on across the expiry, forms that only the app can send, links from outside.
// The app is at localhost and its issuer at 127.0.0.1: for a browser these are two sites. Tokens live for five seconds.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { test: plain, before, after } = require('node:test');
const { AxeBuilder } = require('@axe-core/playwright');
const { CARNET, server, startWith, stop } = require('./support.js');

const test = (name, body) => plain(name, { timeout: 90_000 }, body);
const APP = process.env.SERVER_RENDERED_BIN ?? path.join(path.dirname(CARNET), 'server-rendered');
const LIFE = 5;
const apps = [];
let origin;
let stranger;

before(async () => {
  origin = `http://localhost:${await freePort()}`;
  await startWith(['--access-ttl', `${LIFE}s`, '--web-origin', origin]);
  await run({ ORIGIN: origin });
  stranger = await outside();
});
after(async () => {
  for (const app of apps) app.kill('SIGTERM');
  stranger?.close();
  await stop();
});

/** The app, until it answers. */
async function run(env) {
  const { issuer, demo } = server;
  const app = spawn(APP, { env: { ...process.env, ISSUER: issuer, CLIENT_SECRET_FILE: demo.web_secret_file, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
  apps.push(app);
  for (;;) {
    assert.equal(app.exitCode, null, 'the app stopped');
    if (await fetch(env.ORIGIN).then((reply) => reply.ok, () => false)) return app;
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function freePort() {
  const listener = net.createServer().listen(0);
  await new Promise((done) => listener.once('listening', done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

/** Another site: a page with a link to the app, and forms that post there. */
async function outside() {
  const page = () => `<!doctype html><title>Elsewhere</title><a id="link" href="${origin}/notes">Notes</a>
    <form id="add" method="post" action="${origin}/notes"><input name="text" value="forged"></form>
    <form id="logout" method="post" action="${origin}/auth/logout"></form>`;
  const listener = http.createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(page()));
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  return { url: `http://carnet.test:${listener.address().port}/`, close: () => listener.close() };
}

async function browse() {
  const context = await server.browser.newContext();
  const page = await context.newPage();
  return { context, page, close: () => context.close() };
}

/** From wherever the app has sent us: login, and consent when it is asked for. */
async function logIn(page) {
  await page.fill('[name=username]', server.demo.email);
  await page.fill('[name=password]', server.demo.password);
  await page.click('button[name=decision][value=login]');
  await page.waitForSelector('#consent-allow, #who');
  if (await page.isVisible('#consent-allow')) {
    await page.check('#consent-remember');
    await page.click('#consent-allow');
  }
  await page.waitForSelector('#who');
}

async function cookie(context, what) {
  return (await context.cookies(origin)).find(({ name }) => name === `notes_${what}`);
}

/** Until the access token that the browser has now is over. Its cookie lives a minute longer. */
async function expiry(context) {
  const { expires } = await cookie(context, 'access');
  const left = (expires - 60) * 1000 - Date.now();
  assert.ok(left < LIFE * 1000 + 1000, 'short-lived');
  await new Promise((done) => setTimeout(done, Math.max(left, 0) + 1000));
}

async function nothingToRead(page) {
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.doesNotMatch(await page.content(), /eyJ|carnet_rt/);
  for (const one of await page.context().cookies(origin)) assert.ok(one.httpOnly, one.name);
}

async function add(page, text) {
  await page.fill('[name=text]', text);
  await page.click('#add button');
  await page.waitForSelector(`#notes li:has-text("${text}")`);
}

/** The status that a form of the other site is answered with. */
async function forge(page, form) {
  const answered = page.waitForNavigation();
  await page.evaluate((id) => document.getElementById(id).submit(), form);
  return (await answered).status();
}

test('a login, a form, the expiry, and on without a login; then a logout', async () => {
  const { context, page, close } = await browse();
  await page.goto(`${origin}/notes`);
  assert.equal(new URL(page.url()).origin, server.issuer);
  await logIn(page);
  assert.equal(page.url(), `${origin}/notes`, 'where it was begun');
  assert.equal(await page.textContent('#who'), server.demo.email);
  for (const what of ['access', 'refresh']) {
    const { sameSite, httpOnly, path: at } = await cookie(context, what);
    assert.deepEqual([sameSite, httpOnly, at], ['Strict', true, '/']);
  }
  await nothingToRead(page);
  await add(page, 'before the expiry');

  const [access, refresh] = [await cookie(context, 'access'), await cookie(context, 'refresh')];
  await expiry(context);
  const visited = [];
  page.on('framenavigated', (frame) => visited.push(new URL(frame.url()).origin));
  // The form was loaded before; what it sends crosses the expiry.
  await add(page, 'across the expiry');
  assert.notEqual((await cookie(context, 'access')).value, access.value);
  assert.notEqual((await cookie(context, 'refresh')).value, refresh.value);
  assert.deepEqual([...new Set(visited)], [origin], 'nobody was sent to a login');
  await nothingToRead(page);

  await page.click('#logout button');
  await page.waitForURL(`${origin}/`);
  assert.ok(await page.isVisible('#nobody'));
  assert.deepEqual((await context.cookies(origin)).filter(({ name }) => name.startsWith('notes_')), []);
  // The login at the issuer is over as well.
  await page.goto(`${origin}/notes`);
  await page.waitForSelector('[name=password]');
  await close();
});

test('two tabs at once across the expiry, several times, stay logged in', async () => {
  const { context, page, close } = await browse();
  await page.goto(`${origin}/notes`);
  await logIn(page);
  const second = await context.newPage();
  await second.goto(`${origin}/notes`);
  for (let round = 0; round < 2; round += 1) {
    await expiry(context);
    await Promise.all([page.reload(), second.reload()]);
    for (const tab of [page, second]) assert.equal(await tab.textContent('#who'), server.demo.email);
  }
  await Promise.all([add(page, 'of one'), add(second, 'of the other')]);
  await close();
});

test('two processes of the app at once across the expiry log nobody out', async () => {
  const port = await freePort();
  // Another process behind the same name: the same origin in all it says, a port of its own to listen on.
  const proxy = await run({ ORIGIN: origin, LISTEN: `127.0.0.1:${port}` });
  const { context, page, close } = await browse();
  await page.goto(`${origin}/notes`);
  await logIn(page);
  for (let round = 0; round < 2; round += 1) {
    await expiry(context);
    const cookies = (await context.cookies(origin)).map(({ name, value }) => `${name}=${value}`).join('; ');
    const other = fetch(`http://127.0.0.1:${port}/notes`, { headers: { cookie: cookies, accept: 'text/html' }, redirect: 'manual' });
    const [reply] = await Promise.all([other, page.reload()]);
    assert.equal(reply.status, 200);
    assert.equal(await page.textContent('#who'), server.demo.email);
  }
  proxy.kill('SIGTERM');
  await close();
});

test('a form on another site changes nothing and logs nobody out', async () => {
  const { page, close } = await browse();
  await page.goto(`${origin}/notes`);
  await logIn(page);
  for (const form of ['add', 'logout']) {
    await page.goto(stranger.url);
    assert.equal(await forge(page, form), 403);
  }
  await page.goto(`${origin}/notes`);
  assert.equal(await page.textContent('#who'), server.demo.email);
  assert.doesNotMatch(await page.textContent('#notes'), /forged/);
  // Nor does a form of the app itself without its proof.
  await page.evaluate(() => document.querySelector('#add [name=_csrf]').remove());
  await page.fill('[name=text]', 'forged');
  const [reply] = await Promise.all([page.waitForNavigation(), page.click('#add button')]);
  assert.equal(reply.status(), 403);
  await close();
});

test('what was written when the login had ended is sent again after the next one', async () => {
  const { context, page, close } = await browse();
  await page.goto(`${origin}/notes`);
  await logIn(page);
  await page.fill('[name=text]', 'written for an hour');
  const other = await context.newPage();
  await other.goto(`${origin}/notes`);
  await other.click('#logout button');
  await other.waitForURL(`${origin}/`);
  const [reply] = await Promise.all([page.waitForNavigation(), page.click('#add button')]);
  assert.equal(reply.status(), 401);
  const [login] = await Promise.all([context.waitForEvent('page'), page.click('a')]);
  await logIn(login);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('[name=text]')?.value === 'written for an hour');
  await page.click('#add button');
  await page.waitForSelector('#notes li:has-text("written for an hour")');
  await close();
});

test('a link on another site: strict cookies ask for a click, lax ones let it through', async () => {
  const { page, close } = await browse();
  await page.goto(`${origin}/notes`);
  await logIn(page);
  await page.goto(stranger.url);
  await page.click('#link');
  await page.waitForSelector('text=A link on another site leads to this page.');
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id }) => id), []);
  await page.click('text=Continue');
  assert.equal(await page.textContent('#who'), server.demo.email);
  await close();

  apps[0].kill('SIGTERM');
  await new Promise((done) => apps[0].once('exit', done));
  await run({ ORIGIN: origin, LINKS_FROM_OUTSIDE: '1' });
  const other = await browse();
  await other.page.goto(`${origin}/notes`);
  await logIn(other.page);
  assert.equal((await cookie(other.context, 'refresh')).sameSite, 'Lax');
  await other.page.goto(stranger.url);
  await other.page.click('#link');
  assert.equal(await other.page.textContent('#who'), server.demo.email);
  // And a form from there is refused all the same.
  await other.page.goto(stranger.url);
  assert.equal(await forge(other.page, 'add'), 403);
  await other.close();
});
