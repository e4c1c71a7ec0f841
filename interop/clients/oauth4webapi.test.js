// oauth4webapi, the plain functions below openid-client: every message is checked by itself, and tokens are checked as an API does.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import * as oauth from 'oauth4webapi';
import { API, Browser, CALLBACK, EMAIL, LEGACY, NATIVE_CALLBACK, flows, formPost, initialAccessToken, server, start, stop } from './support.js';

const flow = flows('oauth4webapi');
const HTTP = { [oauth.allowInsecureRequests]: true };
let as;

before(async () => {
  await start();
  as = await discover('oidc');
});
after(stop);

async function discover(algorithm) {
  const issuer = new URL(server.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...HTTP }));
}

const proof = {
  basic: () => oauth.ClientSecretBasic(server.secret),
  post: () => oauth.ClientSecretPost(server.secret),
  key: () => oauth.PrivateKeyJwt(server.key),
  app: () => oauth.None(),
  television: () => oauth.None(),
  orders: () => oauth.ClientSecretBasic(server.secret),
};

/** A registered client, how it proves who it is, and where it is answered. */
const party = (id) => ({ client: { client_id: id }, auth: proof[id](), callback: id === 'app' ? NATIVE_CALLBACK : CALLBACK });

/** Sends a person to the pages; what comes back is not checked yet. `push` is what becomes of the request on its way. */
async function ask(more = {}, { id = 'basic', browser = new Browser(), push = (parameters) => parameters } = {}) {
  const kept = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
  const url = new URL(as.authorization_endpoint);
  const parameters = new URLSearchParams({
    client_id: id,
    response_type: 'code',
    redirect_uri: party(id).callback,
    scope: 'openid email read:orders',
    code_challenge: await oauth.calculatePKCECodeChallenge(kept.verifier),
    code_challenge_method: 'S256',
    state: kept.state,
    nonce: kept.nonce,
    ...more,
  });
  url.search = await push(parameters);
  return { ...kept, ...party(id), at: await browser.through(url) };
}

async function redeem({ client, auth, callback, verifier, nonce }, parameters) {
  const reply = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, verifier, HTTP);
  const checks = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, reply, checks);
  // Not only what the ID token says: that the server has signed it, with a key of its JWKS.
  await oauth.validateApplicationLevelSignature(as, reply, HTTP);
  return tokens;
}

async function logIn(id = 'basic') {
  const asked = await ask({}, { id });
  const parameters = oauth.validateAuthResponse(as, asked.client, asked.at.url, asked.state);
  return { ...asked, parameters, tokens: await redeem(asked, parameters) };
}

async function refresh({ client, auth }, token) {
  const reply = await oauth.refreshTokenGrantRequest(as, client, auth, token, HTTP);
  return oauth.processRefreshTokenResponse(as, client, reply);
}

async function service(id, parameters, auth = party(id).auth) {
  const { client } = party(id);
  const reply = await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, HTTP);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  return oauth.processClientCredentialsResponse(as, client, reply);
}

/** What an API does with a token: RFC 9068 §4. */
function accept(token, audience = API) {
  const call = new Request(`${audience}/orders`, { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(as, call, audience, HTTP);
}

flow('discovery', 'both documents are accepted, and say the same', async () => {
  assert.deepEqual(await discover('oauth2'), await discover('oidc'));
  assert.equal(as.authorization_response_iss_parameter_supported, true);
});

flow('discovery', 'the document of another issuer is noticed', async () => {
  const reply = await oauth.discoveryRequest(new URL(server.issuer), HTTP);
  const elsewhere = oauth.processDiscoveryResponse(new URL('https://elsewhere.example.com'), reply);
  await assert.rejects(elsewhere, { code: oauth.JSON_ATTRIBUTE_COMPARISON });
});

for (const id of ['basic', 'post', 'key', 'app']) {
  flow(id === 'app' ? 'public client' : 'code + PKCE', `a code buys client ${id} tokens that hold`, async () => {
    const { client, tokens } = await logIn(id);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    assert.equal(claims.aud, client.client_id);
    assert.equal((await accept(tokens.access_token)).sub, claims.sub);
  });
}

for (const id of ['basic', 'post', 'key', 'app']) {
  flow('pushed request', `client ${id} pushes its request once for one answer`, async () => {
    const { client, auth } = party(id);
    let carried;
    const push = async (parameters) => {
      const reply = await oauth.pushedAuthorizationRequest(as, client, auth, parameters, HTTP);
      const { request_uri: uri, expires_in: life } = await oauth.processPushedAuthorizationResponse(as, client, reply);
      assert.equal(life, 90);
      carried = new URLSearchParams({ client_id: id, request_uri: uri });
      return carried;
    };
    const asked = await ask({}, { id, push });
    const parameters = oauth.validateAuthResponse(as, client, asked.at.url, asked.state);
    assert.ok((await redeem(asked, parameters)).id_token);
    const again = await new Browser().through(`${as.authorization_endpoint}?${carried}`);
    assert.deepEqual([again.url.origin, again.status], [server.issuer, 400]);
  });
}

flow('pushed request', 'who cannot prove to be the client pushes nothing', async () => {
  const { client } = party('post');
  const push = await oauth.pushedAuthorizationRequest(as, client, oauth.ClientSecretPost('wrong'), new URLSearchParams({ scope: 'openid' }), HTTP);
  const read = oauth.processPushedAuthorizationResponse(as, client, push);
  await assert.rejects(read, { code: oauth.WWW_AUTHENTICATE_CHALLENGE, status: 401 });
});

flow('claims', 'a claim that is asked for by name is told in the ID token, and userinfo tells no more for it', async () => {
  const asked = await ask({ scope: 'openid', claims: JSON.stringify({ id_token: { email: null, acr: { essential: true } } }) });
  const tokens = await redeem(asked, oauth.validateAuthResponse(as, asked.client, asked.at.url, asked.state));
  const { sub, email, acr } = oauth.getValidatedIdTokenClaims(tokens);
  assert.deepEqual([email, acr], [EMAIL, 'urn:carnet:acr:password']);
  const reply = await oauth.userInfoRequest(as, asked.client, tokens.access_token, HTTP);
  assert.deepEqual(await oauth.processUserInfoResponse(as, asked.client, sub, reply), { sub });
});

flow('ID token', 'an ID token with another nonce than was sent is noticed', async () => {
  const asked = await ask();
  const parameters = oauth.validateAuthResponse(as, asked.client, asked.at.url, asked.state);
  await assert.rejects(redeem({ ...asked, nonce: 'another' }, parameters), { code: oauth.JWT_CLAIM_COMPARISON });
});

flow('issuer in the answer', 'an answer whose iss is missing or of another server is noticed', async () => {
  const { client, at, state } = await ask();
  for (const iss of [null, 'https://elsewhere.example.com']) {
    const url = new URL(at.url);
    if (iss) url.searchParams.set('iss', iss);
    else url.searchParams.delete('iss');
    assert.throws(() => oauth.validateAuthResponse(as, client, url, state), /"iss"/);
  }
  assert.equal(at.url.searchParams.get('iss'), server.issuer);
  assert.throws(() => oauth.validateAuthResponse(as, client, at.url, 'another state'), /"state"/);
});

flow('errors', 'an error comes back with state and iss, and is told by name', async () => {
  const { client, at, state } = await ask({ scope: 'openid write:everything' });
  assert.equal(at.url.searchParams.get('iss'), server.issuer);
  assert.throws(() => oauth.validateAuthResponse(as, client, at.url, state), { error: 'invalid_scope' });
});

flow('errors', 'without code_challenge there is no code', async () => {
  const { client, at, state } = await ask({ code_challenge: '', code_challenge_method: '' });
  assert.throws(() => oauth.validateAuthResponse(as, client, at.url, state), { error: 'invalid_request' });
});

flow('errors', 'an answer never goes to an address that is not registered', async () => {
  const { at } = await ask({ redirect_uri: 'https://elsewhere.example.com/callback' });
  assert.equal(at.url.origin, server.issuer);
  assert.equal(at.status, 400);
});

flow('errors', 'a wrong secret is answered by a challenge, and a wrong secret in the body is invalid_client', async () => {
  const basic = service('basic', {}, oauth.ClientSecretBasic('wrong'));
  await assert.rejects(basic, ({ code, status, cause }) => {
    assert.equal(code, oauth.WWW_AUTHENTICATE_CHALLENGE);
    return status === 401 && cause[0].scheme === 'basic';
  });
  const reply = await oauth.clientCredentialsGrantRequest(as, party('post').client, oauth.ClientSecretPost('wrong'), {}, HTTP);
  assert.equal((await reply.json()).error, 'invalid_client');
});

flow('form_post', 'an answer that comes as a form is accepted and buys tokens', async () => {
  const asked = await ask({ response_mode: 'form_post' });
  const body = new URLSearchParams(await oauth.formPostResponse(formPost(asked.at, CALLBACK)));
  const parameters = oauth.validateAuthResponse(as, asked.client, body, asked.state);
  assert.ok((await redeem(asked, parameters)).id_token);
});

flow('refresh', 'a refresh brings an ID token of the same person, and the old refresh token dies', async () => {
  const logged = await logIn();
  const next = await refresh(logged, logged.tokens.refresh_token);
  const [was, is] = [logged.tokens, next].map(oauth.getValidatedIdTokenClaims);
  assert.deepEqual([is.sub, is.iss, is.aud, is.auth_time], [was.sub, was.iss, was.aud, was.auth_time]);
  await assert.rejects(refresh(logged, logged.tokens.refresh_token), { error: 'invalid_grant' });
});

flow('userinfo', 'userinfo tells the e-mail address, and nothing that the scope does not open', async () => {
  const { client, tokens } = await logIn();
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const reply = await oauth.userInfoRequest(as, client, tokens.access_token, HTTP);
  const told = await oauth.processUserInfoResponse(as, client, sub, reply);
  assert.deepEqual(told, { sub, email: EMAIL, email_verified: true });
});

flow('userinfo', 'the token of a service opens no userinfo', async () => {
  const { access_token: token } = await service('basic', {});
  const reply = await oauth.userInfoRequest(as, party('basic').client, token, HTTP);
  const read = oauth.processUserInfoResponse(as, party('basic').client, oauth.skipSubjectCheck, reply);
  await assert.rejects(read, { code: oauth.WWW_AUTHENTICATE_CHALLENGE });
});

/** Once more with the nonce that came with a refusal: the handle has kept it. */
const withNonce = (attempt) =>
  attempt().catch((error) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  });

flow('DPoP', 'code, refresh and userinfo with proofs and nonces, and an API that takes the token', async () => {
  const asked = await ask({}, { id: 'app' });
  const { client, auth, callback, verifier } = asked;
  const keys = await oauth.generateKeyPair('ES256');
  const options = { ...HTTP, DPoP: oauth.DPoP(client, keys) };
  const parameters = oauth.validateAuthResponse(as, client, asked.at.url, asked.state);
  let refusals = 0;
  const tokens = await withNonce(async () => {
    refusals += 1;
    const reply = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, verifier, options);
    return oauth.processAuthorizationCodeResponse(as, client, reply, { expectedNonce: asked.nonce, requireIdToken: true });
  });
  assert.equal(refusals, 2, 'the first request is told the nonce');
  assert.equal(tokens.token_type, 'dpop');
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  // The nonce of the next request came with the last answer.
  const next = await oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options));
  assert.equal(next.token_type, 'dpop');
  const told = await withNonce(async () => {
    const reply = await oauth.userInfoRequest(as, client, next.access_token, options);
    return oauth.processUserInfoResponse(as, client, sub, reply);
  });
  assert.equal(told.email, EMAIL);
  const bare = oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, next.access_token, HTTP));
  await assert.rejects(bare, { code: oauth.WWW_AUTHENTICATE_CHALLENGE });
  // The token and its proof, as another resource server checks them.
  let call;
  const caught = async (url, init) => {
    call = new Request(url, { method: init.method, headers: init.headers });
    return new Response();
  };
  await oauth.protectedResourceRequest(next.access_token, 'GET', new URL(`${API}/orders`), undefined, null, { ...options, [oauth.customFetch]: caught });
  assert.equal((await oauth.validateJwtAccessToken(as, call, API, HTTP)).cnf.jkt, await options.DPoP.calculateThumbprint());
  call.headers.set('authorization', `Bearer ${next.access_token}`);
  await assert.rejects(oauth.validateJwtAccessToken(as, call, API, HTTP));
});

for (const [id, method] of [
  ['basic', 'client_secret_basic'],
  ['post', 'client_secret_post'],
  ['key', 'private_key_jwt'],
]) {
  flow(`client credentials, ${method}`, `a service gets by ${method} a token that its API accepts`, async () => {
    const granted = await service(id, { scope: 'read:orders', resource: LEGACY });
    const claims = await accept(granted.access_token, LEGACY);
    assert.deepEqual([claims.sub, claims.client_id, claims.scope], [id, id, 'read:orders']);
    await assert.rejects(accept(granted.access_token), { code: oauth.JWT_CLAIM_COMPARISON });
  });
}

flow('client credentials, private_key_jwt', 'an assertion counts once', async () => {
  // The same name for every assertion, where the library draws a new one.
  const auth = oauth.PrivateKeyJwt(server.key, { [oauth.modifyAssertion]: (_, claims) => Object.assign(claims, { jti: 'once' }) });
  assert.ok((await service('key', {}, auth)).access_token);
  const { client } = party('key');
  const again = await oauth.clientCredentialsGrantRequest(as, client, auth, {}, HTTP);
  assert.equal((await again.json()).error, 'invalid_client');
});

flow('revocation', 'a revoked token is told to be inactive, an unknown one is as good as revoked', async () => {
  const { client, auth, tokens } = await logIn();
  for (const token of [tokens.access_token, 'unknown']) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token, HTTP));
  }
  assert.deepEqual(await introspect(tokens.access_token), { active: false });
});

flow('logout', 'the end-session address of the metadata ends the login and leads back to the client', async () => {
  const browser = new Browser();
  const asked = await ask({}, { browser });
  const tokens = await redeem(asked, oauth.validateAuthResponse(as, asked.client, asked.at.url, asked.state));
  const back = 'https://shop.example.com/goodbye';
  const url = new URL(as.end_session_endpoint);
  url.search = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: back, state: 'bye' });
  assert.equal((await browser.open(url)).url.href, `${back}?state=bye`);
  await assert.rejects(refresh(asked, tokens.refresh_token), { error: 'invalid_grant' });
  const silent = await ask({ prompt: 'none' }, { browser });
  assert.throws(() => oauth.validateAuthResponse(as, silent.client, silent.at.url, silent.state), { error: 'login_required' });
});

flow('introspection', 'a token is active to the API that it is for', async () => {
  const { client, tokens } = await logIn();
  const told = await introspect(tokens.access_token);
  assert.deepEqual([told.active, told.iss, told.client_id], [true, server.issuer, client.client_id]);
  const elsewhere = await service('basic', { resource: LEGACY });
  assert.deepEqual(await introspect(elsewhere.access_token), { active: false });
});

async function introspect(token) {
  const api = { client_id: 'orders-api' };
  const reply = await oauth.introspectionRequest(as, api, oauth.ClientSecretBasic(server.apiSecret), token, HTTP);
  return oauth.processIntrospectionResponse(as, api, reply);
}

flow('replayed code', 'a code buys tokens once', async () => {
  const logged = await logIn();
  await assert.rejects(redeem(logged, logged.parameters), { error: 'invalid_grant' });
});

flow('device flow', 'a device waits, and gets tokens once its user has allowed it', async () => {
  const { client, auth } = party('television');
  const reply = await oauth.deviceAuthorizationRequest(as, client, auth, { scope: 'openid read:orders' }, HTTP);
  const asked = await oauth.processDeviceAuthorizationResponse(as, client, reply);
  const poll = async () =>
    oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, auth, asked.device_code, HTTP));
  await assert.rejects(poll(), { error: 'authorization_pending' });
  await assert.rejects(poll(), { error: 'slow_down' });
  await new Browser().connect(asked.verification_uri_complete, asked.user_code);
  const tokens = await poll();
  assert.equal((await accept(tokens.access_token)).client_id, 'television');
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).aud, 'television');
  await assert.rejects(poll(), { error: 'invalid_grant' });
});

flow('token exchange', 'an API gets a token for the next one, for the same user', async () => {
  const { tokens } = await logIn();
  const { client, auth } = party('orders');
  const reply = await oauth.genericTokenEndpointRequest(
    as,
    client,
    auth,
    'urn:ietf:params:oauth:grant-type:token-exchange',
    { subject_token: tokens.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', resource: LEGACY },
    HTTP,
  );
  const exchanged = await oauth.processGenericTokenEndpointResponse(as, client, reply);
  const accepted = await accept(exchanged.access_token, LEGACY);
  assert.deepEqual([accepted.sub, accepted.client_id, accepted.act], [oauth.getValidatedIdTokenClaims(tokens).sub, 'orders', { sub: 'orders' }]);
});

flow('dynamic registration', 'a client registers itself by a token of the operator, that counts once', async () => {
  const metadata = { client_name: 'Registered', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'client_secret_post' };
  const token = initialAccessToken('oauth4webapi');
  const register = (initialAccessToken) =>
    oauth.dynamicClientRegistrationRequest(as, metadata, { initialAccessToken, ...HTTP }).then(oauth.processDynamicClientRegistrationResponse);
  const registered = await register(token);
  assert.deepEqual(registered.response_types, ['code']);
  assert.equal(registered.client_secret_expires_at, 0);
  await assert.rejects(register(token), (thrown) => thrown instanceof oauth.WWWAuthenticateChallengeError);
  const managed = (method) =>
    fetch(registered.registration_client_uri, { method, headers: { authorization: `Bearer ${registered.registration_access_token}` } });
  assert.equal((await (await managed('GET')).json()).client_id, registered.client_id);
  assert.equal((await managed('DELETE')).status, 204);
  assert.equal((await managed('GET')).status, 401);
});
