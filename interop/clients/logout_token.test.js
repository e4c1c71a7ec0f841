// jose 6: the logout token that a client is sent, checked as OpenID Connect Back-Channel Logout §2.6 has it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { after, before } from 'node:test';
import * as jose from 'jose';
import * as client from 'openid-client';
import { Browser, CALLBACK, flows, server, start, stop } from './support.js';

const flow = flows('jose');
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

before(start);
after(stop);

/** A client that listens: what it is sent, one by one. */
async function listen() {
  const sent = [];
  const waiting = [];
  const listener = http.createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    response.writeHead(200, { 'cache-control': 'no-store' }).end();
    const told = { method: request.method, type: request.headers['content-type'], body: new URLSearchParams(body) };
    if (waiting.length) waiting.shift()(told);
    else sent.push(told);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const next = () => (sent.length ? Promise.resolve(sent.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { uri: `http://127.0.0.1:${listener.address().port}/logout`, next, close: () => listener.close() };
}

flow('back-channel logout', 'a client is told within two seconds, by a token that holds', async () => {
  const listener = await listen();
  const env = { ...process.env, CARNET__ISSUER: server.issuer };
  const config = ['--config', path.join(server.folder, 'carnet.toml')];
  const told = ['--backchannel-logout-uri', listener.uri, '--backchannel-logout-session-required'];
  const scope = ['--scope', 'openid profile email'];
  execFileSync(process.env.CARNET_BIN, ['client', 'add', 'listener', '--public', '--redirect-uri', CALLBACK, ...told, ...scope, ...config], { env, stdio: 'pipe' });
  const execute = [client.allowInsecureRequests];
  const relying = await client.discovery(new URL(server.issuer), 'listener', undefined, client.None(), { execute });
  const { backchannel_logout_supported, backchannel_logout_session_supported, jwks_uri } = relying.serverMetadata();
  assert.ok(backchannel_logout_supported && backchannel_logout_session_supported);
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(relying, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const browser = new Browser();
  const at = await browser.through(url);
  const tokens = await client.authorizationCodeGrant(relying, at.url, { pkceCodeVerifier });
  await browser.open(client.buildEndSessionUrl(relying, { id_token_hint: tokens.id_token }));
  const ended = Date.now();
  const { method, type, body } = await listener.next();
  assert.ok(Date.now() - ended < 2_000);
  assert.equal(method, 'POST');
  assert.equal(type, 'application/x-www-form-urlencoded');
  const keys = jose.createRemoteJWKSet(new URL(jwks_uri));
  const { payload, protectedHeader } = await jose.jwtVerify(body.get('logout_token'), keys, {
    typ: 'logout+jwt',
    issuer: server.issuer,
    audience: 'listener',
    maxTokenAge: '2m',
    requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub', 'sid'],
  });
  assert.equal(protectedHeader.alg, jose.decodeProtectedHeader(tokens.id_token).alg);
  assert.deepEqual(payload.events, { [EVENT]: {} });
  assert.equal(payload.sid, tokens.claims().sid);
  assert.equal(payload.sub, tokens.claims().sub);
  assert.equal(payload.nonce, undefined);
  listener.close();
});
