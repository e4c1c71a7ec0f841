'use strict';
// The keys and texts of keys that the cases of agreement.test.js are made with.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { CARNET, CLAIMS, pair, spki } = require('./support.js');

const SECRET = 'a secret that is as long as the longest of the three hashes, and longer';
const KEYS = { ES256: pair('ES256'), ES384: pair('ES384'), ES512: pair('ES512'), ES256K: pair('ES256K'), Ed25519: pair('Ed25519'), RS256: pair('RS256') };
const SMALL = pair('RS256', { modulusLength: 1024 });
const EXPONENT_3 = pair('RS256', { publicExponent: 3 });

/** The public JWK, with these members besides. */
const jwk = (name, more = {}) => ({ ...KEYS[name].publicKey.export({ format: 'jwk' }), ...more });
const set = (...keys) => JSON.stringify({ keys });
const pem = (name) => spki(KEYS[name].publicKey);
const privatePem = (name, type) => KEYS[name].privateKey.export({ type, format: 'pem' });
const padded = (number) => Buffer.concat([Buffer.alloc(3), Buffer.from(number, 'base64url')]).toString('base64url');

/** A modulus of 2,048 bits that is a power of 65537, and so one modulo every prime: the fingerprint of ROCA. */
const ROCA = Buffer.from((65537n ** 128n).toString(16).padStart(514, '0'), 'hex').toString('base64url');

/** Points of Ed25519 under which one signature fits many messages. */
const SMALL_ORDER = {
  'order 1': Buffer.from(`01${'00'.repeat(31)}`, 'hex'),
  'order 8': Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85', 'hex'),
};

function openssl(...args) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-agreement-'));
  const file = path.join(folder, 'key.pem');
  fs.writeFileSync(file, privatePem('RS256', 'pkcs8'), { mode: 0o600 });
  const out = execFileSync('openssl', args.map((arg) => (arg === 'KEY' ? file : arg)), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  fs.rmSync(folder, { recursive: true });
  return out;
}

const CERTIFICATE = openssl('req', '-x509', '-key', 'KEY', '-subj', '/CN=carnet.test', '-days', '1');
const ENCRYPTED = openssl('pkey', '-in', 'KEY', '-aes256', '-passout', 'pass:carnet');
const SSH = `ssh-rsa ${Buffer.from('\0\0\0\x07ssh-rsa then some bytes that stand for the key').toString('base64')} alice@carnet`;

/** A token and its public key, of an algorithm that neither Node nor browsers have: made on the command line. */
function byCarnet(alg) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-agreement-'));
  const [secret, open] = ['key.jwk', 'public.jwk'].map((name) => path.join(folder, name));
  execFileSync(CARNET, ['jwk', 'generate', '--algorithm', alg, '--out', secret, '--public-out', open], { stdio: 'ignore' });
  const token = execFileSync(CARNET, ['jwt', 'sign', '--key', secret, '--claims', '-'], { input: JSON.stringify(CLAIMS), encoding: 'utf8' });
  const key = fs.readFileSync(open, 'utf8');
  fs.rmSync(folder, { recursive: true });
  return { token: token.trim(), key };
}


module.exports = { byCarnet, CERTIFICATE, ENCRYPTED, EXPONENT_3, jwk, KEYS, padded, pem, privatePem, ROCA, SECRET, set, SMALL, SMALL_ORDER, SSH };
