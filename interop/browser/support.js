'use strict';
// One server and one browser for a file of tests; tokens and keys by Node's own cryptography.
const crypto = require('node:crypto');
const { spawn } = require('node:child_process');
const { chromium } = require('playwright-core');

/** The token that the articles show; what stands for its signature is no base64url. */
const SAMPLE =
  'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhdXRoLmV4YW1wbGUuY29tIiwic3ViIjoiMTIzNDU2Nzg5MCIsImF1ZCI6ImFwaS5leGFtcGxlLmNvbSIsImV4cCI6MTcxNjIzOTAyMiwiaWF0IjoxNzE2MjM1NDIyLCJqdGkiOiJhMWIyYzNkNCIsInJvbGUiOiJhZG1pbiIsImVtYWlsIjoiYWxpY2VAZXhhbXBsZS5jb20ifQ.signature_placeholder';
const PAGES = ['jwt', 'hash', 'password', 'keys'];
const CARNET = process.env.CARNET_BIN;
const server = { issuer: '', demo: null, browser: null, process: null };

const start = () => startWith([]);

/** With further arguments for `carnet demo`. */
async function startWith(more) {
  server.process = spawn(CARNET, ['demo', '--json', '--port', '0', '--api-port', '0', ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  for await (const piece of server.process.stdout) {
    out += piece;
    try {
      server.demo = JSON.parse(out);
      server.issuer = server.demo.issuer;
      break;
    } catch {
      // Not whole yet.
    }
  }
  // A name that is neither https nor localhost, for pages without cryptography.
  const args = ['--no-sandbox', '--host-resolver-rules=MAP carnet.test 127.0.0.1'];
  server.browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

async function stop() {
  await server.browser?.close();
  server.process?.kill('SIGTERM');
}

/** A page of its own; everything that it asks for is written down, and nothing may go wrong in it. */
async function open(name, { origin = server.issuer, ...options } = {}) {
  const context = await server.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const asked = [];
  const troubles = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  await page.goto(`${origin}/tools/${name}`);
  return { page, asked, troubles, close: () => context.close() };
}

/** Base64url of bytes, of text as it is, or of JSON. */
function encode(value) {
  return Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString('base64url');
}

const now = Math.floor(Date.now() / 1000);
const CLAIMS = { iss: 'https://as.test', sub: 'alice', aud: 'https://api.test', iat: now - 60, exp: now + 840 };

function token(header, claims, sign) {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${sign(Buffer.from(signed)).toString('base64url')}`;
}

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', ES256K: 'secp256k1' };

/** A new key pair and how it signs as a JWS has it. */
function pair(alg, rsa = {}) {
  const made = CURVES[alg]
    ? crypto.generateKeyPairSync('ec', { namedCurve: CURVES[alg] })
    : /^Ed/.test(alg)
      ? crypto.generateKeyPairSync('ed25519')
      : crypto.generateKeyPairSync('rsa', { modulusLength: 2048, ...rsa });
  return { ...made, sign: signer(alg, made.privateKey) };
}

function signer(alg, key) {
  const size = Number(alg.slice(2, 5));
  const options = CURVES[alg]
    ? { dsaEncoding: 'ieee-p1363' }
    : alg.startsWith('PS')
      ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: size / 8 }
      : {};
  return (bytes) => crypto.sign(/^Ed/.test(alg) ? null : `sha${size}`, bytes, { key, ...options });
}

const hmac = (alg, secret) => (bytes) => crypto.createHmac(`sha${alg.slice(2)}`, secret).update(bytes).digest();
const spki = (key) => key.export({ type: 'spki', format: 'pem' });

module.exports = { CARNET, CLAIMS, encode, hmac, now, open, pair, PAGES, SAMPLE, server, signer, spki, start, startWith, stop, token };
