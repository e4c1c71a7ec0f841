// What an API or a client in Node does with our tokens and our JWKS, by the two libraries that most of them use.
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { after, before } from 'node:test';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import * as client from 'openid-client';
import { API, Browser, CALLBACK, LEGACY, flows, server, start, stop } from './support.js';

let jwks;
const tokens = {};

before(async () => {
  await start();
  for (const id of ['basic', 'post', 'key']) tokens[id] = (await logIn(id)).id_token;
  for (const audience of [API, LEGACY]) tokens[audience] = (await logIn('basic', audience)).access_token;
  jwks = await (await fetch(`${server.issuer}/.well-known/jwks.json`)).json();
});
after(stop);

async function logIn(id, resource = API) {
  const auth = { basic: client.ClientSecretBasic, post: client.ClientSecretPost, key: () => client.PrivateKeyJwt(server.key) }[id](server.secret);
  const config = await client.discovery(new URL(server.issuer), id, undefined, auth, { execute: [client.allowInsecureRequests] });
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid email read:orders',
    resource,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const at = await new Browser().through(url);
  return client.authorizationCodeGrant(config, at.url, { pkceCodeVerifier });
}

/** By jose, as its documentation says. */
function byJose(token, audience, options = {}) {
  const keys = jose.createRemoteJWKSet(new URL(`${server.issuer}/.well-known/jwks.json`));
  return jose.jwtVerify(token, keys, { issuer: server.issuer, audience, ...options });
}

/** By jsonwebtoken, with the key of the JWKS that the header names. */
function byJsonwebtoken(token, audience, algorithms) {
  const key = ({ kid }, done) => {
    const found = jwks.keys.find((jwk) => jwk.kid === kid);
    done(found ? null : new Error('no such key'), found && createPublicKey({ key: found, format: 'jwk' }));
  };
  return new Promise((resolve, reject) => {
    const checks = { issuer: server.issuer, audience, algorithms, complete: true };
    jsonwebtoken.verify(token, key, checks, (error, verified) => (error ? reject(error) : resolve(verified)));
  });
}

/** The same claims with one more, under the signature of before. */
function forge(token) {
  const [header, payload, signature] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), scope: 'openid write:everything' };
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

const withJose = flows('jose');
const withJsonwebtoken = flows('jsonwebtoken');

for (const [audience, alg] of [[API, 'ES256'], [LEGACY, 'RS256']]) {
  withJose('access token', `jose verifies an access token by ${alg}`, async () => {
    const requiredClaims = ['exp', 'iat', 'jti', 'sub', 'client_id'];
    const { payload } = await byJose(tokens[audience], audience, { typ: 'at+jwt', algorithms: [alg], requiredClaims });
    assert.equal(payload.client_id, 'basic');
  });
  withJsonwebtoken('access token', `jsonwebtoken verifies an access token by ${alg}`, async () => {
    const { header, payload } = await byJsonwebtoken(tokens[audience], audience, [alg]);
    assert.deepEqual([header.typ, payload.client_id], ['at+jwt', 'basic']);
  });
}

for (const [id, alg] of [['basic', 'RS256'], ['key', 'ES256'], ['post', 'Ed25519']]) {
  withJose('ID token', `jose verifies an ID token by ${alg}`, async () => {
    const { payload, protectedHeader } = await byJose(tokens[id], id, { algorithms: [alg], maxTokenAge: '5m' });
    assert.equal(protectedHeader.alg, alg);
    assert.deepEqual(payload.amr, ['pwd']);
  });
  // jsonwebtoken knows no EdDSA.
  if (alg === 'Ed25519') continue;
  withJsonwebtoken('ID token', `jsonwebtoken verifies an ID token by ${alg}`, async () => {
    const { payload } = await byJsonwebtoken(tokens[id], id, [alg]);
    assert.ok(payload.sub);
  });
}

withJose('refusals', 'jose refuses another audience, another type and forged claims', async () => {
  await assert.rejects(byJose(tokens[API], LEGACY), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim: 'aud' });
  await assert.rejects(byJose(tokens.basic, 'basic', { typ: 'at+jwt' }), { claim: 'typ' });
  await assert.rejects(byJose(forge(tokens[API]), API), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
});

withJsonwebtoken('refusals', 'jsonwebtoken refuses another audience, another algorithm and forged claims', async () => {
  await assert.rejects(byJsonwebtoken(tokens[API], LEGACY, ['ES256']), /audience invalid/);
  await assert.rejects(byJsonwebtoken(tokens[API], API, ['RS256']), /algorithm/);
  await assert.rejects(byJsonwebtoken(forge(tokens[API]), API, ['ES256']), /invalid signature/);
});

withJose('JWKS', 'the JWKS has public members alone, and every key says what it is for', async () => {
  assert.equal(jwks.keys.length, 3);
  for (const { kid, alg, use, ...jwk } of jwks.keys) {
    assert.ok(kid && alg);
    assert.equal(use, 'sig');
    const secret = Object.keys(jwk).filter((member) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(member));
    assert.deepEqual(secret, []);
    assert.equal(await jose.calculateJwkThumbprint(jwk), kid);
  }
});
