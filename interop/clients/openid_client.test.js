// openid-client 6, a certified relying party for Node, in every flow that the server offers.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import * as client from 'openid-client';
import { API, Browser, CALLBACK, EMAIL, LEGACY, NATIVE_CALLBACK, flows, formPost, initialAccessToken, server, start, stop } from './support.js';

const flow = flows('openid-client');
const SCOPE = 'openid profile email offline_access read:orders';

before(start);
after(stop);

/** How each registered client proves who it is. */
const proof = {
  basic: () => client.ClientSecretBasic(server.secret),
  post: () => client.ClientSecretPost(server.secret),
  key: () => client.PrivateKeyJwt(server.key),
  app: () => client.None(),
  television: () => client.None(),
  orders: () => client.ClientSecretBasic(server.secret),
  odd: () => client.ClientSecretBasic(server.oddSecret),
};

/** Signatures are checked even where TLS would make up for it. */
function discover(id, { auth = proof[id](), algorithm = 'oidc', metadata } = {}) {
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
  return client.discovery(new URL(server.issuer), id, metadata, auth, { execute, algorithm });
}

/** Asks for a code, and gives what is needed to redeem it. */
async function ask(config, more = {}, browser = new Browser(), answer = { decision: 'allow' }, build = client.buildAuthorizationUrl) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
  const url = await build(config, {
    redirect_uri: CALLBACK,
    scope: 'openid profile email read:orders',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  });
  return { checks, browser, at: await browser.through(url, answer) };
}

async function logIn(id = 'basic', more = {}, browser = new Browser()) {
  const config = await discover(id);
  const { checks, at } = await ask(config, more, browser);
  return { config, browser, checks, at, tokens: await client.authorizationCodeGrant(config, at.url, checks) };
}

const refused = (error, status = 400) => (thrown) => {
  assert.equal(thrown.error, error, thrown.stack);
  assert.equal(thrown.status, status);
  return true;
};

for (const algorithm of ['oidc', 'oauth2']) {
  flow('discovery', `the server is discovered by ${algorithm}`, async () => {
    const found = (await discover('basic', { algorithm })).serverMetadata();
    assert.equal(found.issuer, server.issuer);
    assert.ok(found.supportsPKCE());
    assert.deepEqual(found.response_types_supported, ['code']);
  });
}

for (const [id, alg, callback] of [
  ['basic', 'RS256', CALLBACK],
  ['post', 'Ed25519', CALLBACK],
  ['key', 'ES256', CALLBACK],
  ['app', 'RS256', NATIVE_CALLBACK],
]) {
  flow(id === 'app' ? 'public client' : 'code + PKCE', `a code buys client ${id} an ID token by ${alg} that holds`, async () => {
    const { tokens } = await logIn(id, { redirect_uri: callback, max_age: '600' });
    const header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url'));
    assert.equal(header.alg, alg);
    const claims = tokens.claims();
    assert.equal(claims.iss, server.issuer);
    assert.equal(claims.aud, id);
    assert.ok(claims.nonce && claims.auth_time && claims.sub);
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.scope.split(' ').sort().join(' '), 'email openid profile read:orders');
  });
}

for (const [id, callback] of [
  ['basic', CALLBACK],
  ['post', CALLBACK],
  ['key', CALLBACK],
  ['app', NATIVE_CALLBACK],
]) {
  flow('pushed request', `client ${id} pushes its request, and the browser carries a reference`, async () => {
    const config = await discover(id);
    const push = async (...request) => {
      const url = await client.buildAuthorizationUrlWithPAR(...request);
      assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
      return url;
    };
    const { checks, at } = await ask(config, { redirect_uri: callback }, undefined, undefined, push);
    const tokens = await client.authorizationCodeGrant(config, at.url, checks);
    assert.equal(tokens.claims().aud, id);
  });
}

flow('pushed request', 'what is wrong with a pushed request is told at once', async () => {
  const config = await discover('basic');
  const push = (more) => client.buildAuthorizationUrlWithPAR(config, { redirect_uri: CALLBACK, scope: 'openid', ...more });
  await assert.rejects(push({}), refused('invalid_request'));
  await assert.rejects(push({ scope: 'openid write:everything', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }), refused('invalid_scope'));
});

flow('claims', 'a claim that is asked for by name is told where it was asked for', async () => {
  const claims = JSON.stringify({ id_token: { email: { essential: true }, acr: null }, userinfo: { name: null } });
  const { config, tokens } = await logIn('basic', { scope: 'openid', claims });
  const told = tokens.claims();
  assert.deepEqual([told.email, told.name, told.acr], [EMAIL, undefined, 'urn:carnet:acr:password']);
  assert.deepEqual(await client.fetchUserInfo(config, tokens.access_token, told.sub), { sub: told.sub, name: 'Alice' });
});

flow('ID token', 'an ID token with another nonce than was sent is noticed', async () => {
  const config = await discover('basic');
  const { checks, at } = await ask(config);
  const attempt = client.authorizationCodeGrant(config, at.url, { ...checks, expectedNonce: 'another' });
  await assert.rejects(attempt, (thrown) => /"nonce"/.test(thrown.cause.message));
});

flow('ID token', 'an ID token by another algorithm than the client is registered with is noticed', async () => {
  const config = await discover('key', { metadata: { id_token_signed_response_alg: 'RS256' } });
  const { checks, at } = await ask(config);
  await assert.rejects(client.authorizationCodeGrant(config, at.url, checks), (thrown) => /"alg"/.test(thrown.cause.message));
});

flow('form_post', 'an answer that comes as a form buys tokens', async () => {
  const config = await discover('basic');
  const { checks, at } = await ask(config, { response_mode: 'form_post' });
  const tokens = await client.authorizationCodeGrant(config, formPost(at, CALLBACK), checks);
  assert.ok(tokens.claims().sub);
});

flow('refresh', 'a refresh brings new tokens, and the old refresh token dies', async () => {
  const { config, tokens } = await logIn('basic', { scope: SCOPE });
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  assert.notEqual(next.access_token, tokens.access_token);
  assert.equal(next.claims().sub, tokens.claims().sub);
  assert.equal(next.claims().auth_time, tokens.claims().auth_time);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
  // Whoever shows an old one may be a thief: nobody goes on.
  await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), refused('invalid_grant'));
});

for (const id of ['post', 'key', 'app']) {
  flow('refresh', `client ${id} refreshes, with less than it was allowed when it asks for less`, async () => {
    const { config, tokens } = await logIn(id, id === 'app' ? { redirect_uri: NATIVE_CALLBACK } : {});
    const next = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'read:orders' });
    assert.equal(next.scope, 'read:orders');
  });
}

flow('userinfo', 'userinfo tells of the user whom the ID token names', async () => {
  const { config, tokens } = await logIn();
  const { sub } = tokens.claims();
  const told = await client.fetchUserInfo(config, tokens.access_token, sub);
  assert.equal(told.email, EMAIL);
  assert.equal(told.email_verified, true);
  assert.equal(told.name, 'Alice');
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'somebody else'));
});

for (const [id, callback] of [
  ['app', NATIVE_CALLBACK],
  ['basic', CALLBACK],
]) {
  flow('DPoP', `tokens of client ${id} are bound to its key: code, userinfo and refresh`, async () => {
    const config = await discover(id);
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const jkt = await DPoP.calculateThumbprint();
    const { checks, at } = await ask(config, { redirect_uri: callback, dpop_jkt: jkt });
    const tokens = await client.authorizationCodeGrant(config, at.url, checks, undefined, { DPoP });
    const bound = (body) => JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url')).cnf?.jkt;
    assert.equal(tokens.token_type, 'dpop');
    assert.equal(bound(tokens), jkt);
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).email, EMAIL);
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub), { status: 401 });
    const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair('Ed25519'));
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub, { DPoP: other }), { status: 401 });
    // A public client has nothing but its key; another proves who it is, and may change keys.
    const taken = client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: other });
    if (id === 'app') await assert.rejects(taken, refused('invalid_grant'));
    else assert.equal(bound(await taken), await other.calculateThumbprint());
    if (id === 'app') assert.equal(bound(await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })), jkt);
  });
}

flow('DPoP', 'a code for one key is not redeemed with another', async () => {
  const config = await discover('basic');
  const [mine, other] = await Promise.all(['ES256', 'ES256'].map(async (alg) => client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg))));
  const { checks, at } = await ask(config, { dpop_jkt: await mine.calculateThumbprint() });
  await assert.rejects(client.authorizationCodeGrant(config, at.url, checks, undefined, { DPoP: other }), refused('invalid_grant'));
});

flow('revocation', 'a revoked refresh token takes its access token along', async () => {
  const { config, tokens } = await logIn();
  await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
  const call = client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  await assert.rejects(call, (thrown) => thrown.cause[0].parameters.error === 'invalid_token');
});

for (const id of ['post', 'key', 'app']) {
  flow('revocation', `client ${id} gives an access token back`, async () => {
    const { config, tokens } = await logIn(id, id === 'app' ? { redirect_uri: NATIVE_CALLBACK } : {});
    await client.tokenRevocation(config, tokens.access_token);
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub), { status: 401 });
  });
}

for (const [id, method] of [
  ['basic', 'client_secret_basic'],
  ['post', 'client_secret_post'],
  ['key', 'private_key_jwt'],
]) {
  flow(`client credentials, ${method}`, `a service gets a token by ${method}`, async () => {
    const granted = await client.clientCredentialsGrant(await discover(id), { scope: 'read:orders', resource: LEGACY });
    assert.equal(granted.scope, 'read:orders');
    assert.equal(granted.refresh_token, undefined);
    assert.ok(granted.expiresIn() > 0);
  });
}

flow('client credentials, client_secret_basic', 'a secret of colons, plus, percent and é arrives as it is', async () => {
  const granted = await client.clientCredentialsGrant(await discover('odd'));
  assert.equal(granted.scope, 'read:orders');
});

flow('errors', 'a wrong secret, and the secret in another place than registered, are invalid_client', async () => {
  const wrong = await discover('basic', { auth: client.ClientSecretBasic('wrong') });
  const challenge = (thrown) => thrown.status === 401 && thrown.cause[0].scheme === 'basic';
  await assert.rejects(client.clientCredentialsGrant(wrong), challenge);
  const elsewhere = await discover('basic', { auth: client.ClientSecretPost(server.secret) });
  await assert.rejects(client.clientCredentialsGrant(elsewhere), { status: 401 });
});

flow('errors', 'a scope and a resource that are not allowed are refused by name', async () => {
  const config = await discover('basic');
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'write:everything' }), refused('invalid_scope'));
  await assert.rejects(client.clientCredentialsGrant(config, { resource: 'https://elsewhere.example.com' }), refused('invalid_target'));
});

flow('errors', 'whoever refuses at the consent page sends access_denied', async () => {
  const config = await discover('basic');
  const { checks, at } = await ask(config, {}, new Browser(), { decision: 'deny' });
  await assert.rejects(client.authorizationCodeGrant(config, at.url, checks), { error: 'access_denied' });
});

flow('prompt=none', 'a silent login works once the person has logged in and is to be remembered, and not before', async () => {
  const config = await discover('basic');
  const browser = new Browser();
  const silently = async () => {
    const { checks, at } = await ask(config, { prompt: 'none' }, browser);
    return client.authorizationCodeGrant(config, at.url, checks);
  };
  await assert.rejects(silently(), { error: 'login_required' });
  await ask(config, {}, browser);
  await assert.rejects(silently(), { error: 'consent_required' });
  await ask(config, {}, browser, { decision: 'allow', remember: 'yes' });
  assert.ok((await silently()).claims().sub);
});

flow('replayed code', 'a code buys tokens once, and the second time costs those of the first', async () => {
  const { config, at, checks, tokens } = await logIn();
  await assert.rejects(client.authorizationCodeGrant(config, at.url, checks), refused('invalid_grant'));
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
});

flow('code + PKCE', 'a code with another verifier buys nothing', async () => {
  const config = await discover('basic');
  const { checks, at } = await ask(config);
  const attempt = client.authorizationCodeGrant(config, at.url, { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() });
  await assert.rejects(attempt, refused('invalid_grant'));
});

flow('introspection', 'a resource server asks whether a token is active, before and after it is revoked', async () => {
  const { config, tokens } = await logIn();
  const api = await discover('orders-api', { auth: client.ClientSecretBasic(server.apiSecret) });
  const told = await client.tokenIntrospection(api, tokens.access_token);
  assert.equal(told.active, true);
  assert.equal(told.client_id, 'basic');
  assert.equal(told.sub, tokens.claims().sub);
  assert.ok([told.aud].flat().includes(API));
  await client.tokenRevocation(config, tokens.access_token);
  assert.deepEqual(await client.tokenIntrospection(api, tokens.access_token), { active: false });
});

flow('logout', 'the end-session URL ends the login and leads back to the client', async () => {
  const { config, browser, tokens } = await logIn();
  const back = 'https://shop.example.com/goodbye';
  const url = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: back, state: 'bye' });
  const { url: at } = await browser.open(url);
  assert.equal(at.href, `${back}?state=bye`);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
  const silent = await ask(config, { prompt: 'none' }, browser);
  await assert.rejects(client.authorizationCodeGrant(config, silent.at.url, silent.checks), { error: 'login_required' });
});

flow('device flow', 'a device gets tokens once its user has allowed it', async () => {
  const config = await discover('television');
  const asked = await client.initiateDeviceAuthorization(config, { scope: 'openid email read:orders' });
  await new Browser().connect(asked.verification_uri_complete, asked.user_code);
  const tokens = await client.pollDeviceAuthorizationGrant(config, asked);
  const told = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  assert.equal(told.email, EMAIL);
  assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token)).access_token);
});

flow('device flow', 'a device that is refused is told so', async () => {
  const config = await discover('television');
  const asked = await client.initiateDeviceAuthorization(config, {});
  await new Browser().connect(asked.verification_uri, asked.user_code.toLowerCase(), 'deny');
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, asked), refused('access_denied'));
});

flow('token exchange', 'an API gets a token for the next one, for the same user', async () => {
  const { tokens } = await logIn();
  const config = await discover('orders');
  const type = 'urn:ietf:params:oauth:token-type:access_token';
  const exchanged = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: tokens.access_token,
    subject_token_type: type,
    audience: LEGACY,
  });
  assert.equal(exchanged.issued_token_type, type);
  const claims = JSON.parse(Buffer.from(exchanged.access_token.split('.')[1], 'base64url'));
  assert.deepEqual([claims.sub, claims.aud, claims.act], [tokens.claims().sub, LEGACY, { sub: 'orders' }]);
});

flow('dynamic registration', 'a client registers itself, logs a person in and renews its tokens', async () => {
  // What openid-client does with a secret when it is not told otherwise.
  const method = { token_endpoint_auth_method: 'client_secret_post' };
  const metadata = { client_name: 'Registered', redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'], ...method };
  const options = { initialAccessToken: initialAccessToken('openid-client'), execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] };
  const config = await client.dynamicClientRegistration(new URL(server.issuer), metadata, undefined, options);
  assert.equal(config.clientMetadata().client_name, 'Registered');
  const { checks, at } = await ask(config);
  const tokens = await client.authorizationCodeGrant(config, at.url, checks);
  assert.equal(tokens.claims().aud, config.clientMetadata().client_id);
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal((await client.fetchUserInfo(config, renewed.access_token, tokens.claims().sub)).email, EMAIL);
});
