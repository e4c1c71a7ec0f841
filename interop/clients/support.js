// One server for a file of tests, and the way of a person through its pages: what a browser does, with fetch and a cookie jar.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as jose from 'jose';

const CARNET = process.env.CARNET_BIN;
export const EMAIL = 'alice@example.com';
export const PASSWORD = 'a long enough passphrase';
export const API = 'https://api.example.com';
export const LEGACY = 'https://legacy.example.com';
export const CALLBACK = 'https://shop.example.com/callback';
export const NATIVE_CALLBACK = 'http://127.0.0.1:4711/callback';

export const server = { issuer: '', secret: '', oddSecret: 'a+b %41:c&d=é, and as long as it has to be', apiSecret: '', key: null, folder: '', process: null, settings: null, tls: null };

/** A test of one cell of the matrix, noted down in the file MATRIX when that is set. */
export const flows = (client) => (flow, name, body) =>
  test(name, { timeout: 60_000 }, async () => {
    let outcome = 'FAILED';
    try {
      await body();
      outcome = 'ok';
    } finally {
      if (process.env.MATRIX) fs.appendFileSync(process.env.MATRIX, `${client}\t${flow}\t${outcome}\n`);
    }
  });

/** With `tls`, under a name that only a browser knows that was told so, and with a certificate that nobody trusts. */
export async function start({ tls } = {}) {
  server.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-clients-'));
  await configure();
  const port = await freePort();
  server.issuer = tls ? `https://auth.carnet.test:${port}` : `http://127.0.0.1:${port}`;
  const env = { ...process.env, CARNET__ISSUER: server.issuer, CARNET__LISTEN__ADDRESS: `127.0.0.1:${port}` };
  if (tls) Object.assign(env, certify());
  server.settings = { env, config: ['--config', path.join(server.folder, 'carnet.toml')] };
  server.process = spawn(CARNET, ['serve', ...server.settings.config], { env, stdio: 'inherit' });
  await ready();
  const add = ['user', 'add', EMAIL, '--password-stdin', '--name', 'Alice', '--email-verified'];
  run(add, { input: PASSWORD });
}

/** A command of the operator beside the running server. */
export const command = (...words) => run(words);
/** What lets one client register itself. */
export const initialAccessToken = (name) => JSON.parse(command('client', 'token', 'add', name, '--json')).initial_access_token;
const run = (words, more) =>
  execFileSync(CARNET, [...words, ...server.settings.config], { env: server.settings.env, stdio: 'pipe', ...more });

export async function stop() {
  if (server.process?.exitCode === null) {
    server.process.kill('SIGTERM');
    await once(server.process, 'exit');
  }
  fs.rmSync(server.folder, { recursive: true, force: true });
}

/** The configuration, and the secrets and the public key that it names. */
async function configure() {
  const write = (name, text) => fs.writeFileSync(path.join(server.folder, name), text, { mode: 0o600 });
  server.secret = randomBytes(32).toString('base64url');
  server.apiSecret = randomBytes(32).toString('base64url');
  const { privateKey, publicKey } = await jose.generateKeyPair('ES256', { extractable: true });
  server.key = { key: privateKey, kid: 'client-1' };
  write('carnet.toml', fs.readFileSync(new URL('carnet.toml', import.meta.url)));
  write('client.secret', server.secret);
  write('odd.secret', server.oddSecret);
  write('api.secret', server.apiSecret);
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: server.key.kid, alg: 'ES256', use: 'sig' };
  write('client.jwks.json', JSON.stringify({ keys: [jwk] }));
}

const freePort = () =>
  new Promise((resolve) => {
    const socket = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });

/** Key and certificate in the server's folder, and the settings that name them. */
function certify() {
  const [key, certificate] = ['tls.key', 'tls.pem'].map((name) => path.join(server.folder, name));
  const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=carnet.test -addext subjectAltName=DNS:*.carnet.test';
  execFileSync('openssl', [...make.split(' '), '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  server.tls = { key: fs.readFileSync(key), cert: fs.readFileSync(certificate) };
  return { CARNET__LISTEN__TLS_KEY_FILE: key, CARNET__LISTEN__TLS_CERTIFICATE_FILE: certificate };
}

async function ready() {
  for (let i = 0; i < 300; i += 1) {
    assert.equal(server.process.exitCode, null, 'the server has stopped');
    if (await isReady()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the server is not ready after 15 s');
}

const isReady = () =>
  new Promise((resolve) => {
    const { protocol, port, host } = new URL(server.issuer);
    const options = { host: '127.0.0.1', port, path: '/health/ready', headers: { host }, rejectUnauthorized: false };
    const request = (protocol === 'https:' ? https : http).get(options, (reply) => resolve(reply.resume().statusCode === 200));
    request.on('error', () => resolve(false));
  });

/** A browser without script: cookies, redirects, and the buttons of forms. */
export class Browser {
  #cookies = new Map();

  /** Goes where the address leads, and stops at a page or where the server sends it to somebody else. */
  async open(address, form) {
    let [url, body] = [new URL(address), form];
    for (let hops = 0; hops < 10; hops += 1) {
      if (url.origin !== server.issuer) return { url };
      const reply = await this.#ask(url, body);
      if (reply.status < 300 || reply.status > 399) return { url, status: reply.status, html: await reply.text() };
      [url, body] = [new URL(reply.headers.get('location'), url), undefined];
    }
    return assert.fail(`too many redirects, the last to ${url}`);
  }

  async #ask(url, body) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    // A browser says from where a form comes.
    const headers = { ...(cookie && { cookie }), ...(body && { origin: server.issuer }) };
    const reply = await fetch(url, { method: body ? 'POST' : 'GET', headers, body, redirect: 'manual' });
    for (const line of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/;\s*max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return reply;
  }

  /** Logs in and answers the consent page, when it is asked. Ends where the answer is sent, or at the page that is not one of these. */
  async through(address, answer = { decision: 'allow' }) {
    let at = await this.open(address);
    if (at.html?.includes('id="login-submit"')) {
      at = await this.press(at, { username: EMAIL, password: PASSWORD, decision: 'login' });
    }
    if (at.html?.includes('id="consent-allow"')) at = await this.press(at, answer);
    return at;
  }

  /** Types the code that a device shows, logs in and decides. */
  async connect(address, userCode, decision = 'allow') {
    let at = await this.press(await this.open(address), { user_code: userCode });
    if (at.html.includes('id="login-submit"')) at = await this.press(at, { username: EMAIL, password: PASSWORD, decision: 'login' });
    assert.match(at.html, /id="device-allow"/);
    return this.press(at, { decision });
  }

  press(at, typed) {
    const { action, fields } = formOf(at.html);
    return this.open(new URL(action, at.url), new URLSearchParams({ ...fields, ...typed }));
  }
}

/** Where the form of a page goes, and its hidden fields. */
export function formOf(html) {
  const [form] = /<form[\s\S]*?<\/form>/.exec(html) ?? assert.fail(`no form: ${html}`);
  const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  const fields = Object.fromEntries(hidden.map(([, name, value]) => [plain(name), plain(value)]));
  return { action: plain(/action="([^"]*)"/.exec(form)[1]), fields };
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"' };
const plain = (html) =>
  html.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex, decimal, name) =>
    name ? NAMED[name] : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)),
  );

/** What a page with response_mode=form_post makes the browser send to the client. */
export function formPost(at, callback) {
  const { action, fields } = formOf(at.html);
  assert.equal(action, callback);
  return new Request(action, { method: 'POST', body: new URLSearchParams(fields) });
}
