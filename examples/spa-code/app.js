// A browser app that logs people in by authorization code + PKCE, without a library: RFC 6749 §4.1, RFC 7636, RFC 9207.
const setting = (name) => document.querySelector(`meta[name="${name}"]`).content;
const [issuer, api, client] = ['carnet-issuer', 'carnet-api', 'client-id'].map(setting);
const here = location.origin + location.pathname;
const at = (id) => document.getElementById(id);

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** 1. To Carnet's pages. What belongs to this attempt waits in this tab; it is no token, and good once. */
async function logIn() {
  const [state, verifier] = [secret(), secret()];
  sessionStorage.setItem('attempt', JSON.stringify({ state, verifier }));
  const challenge = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  location.assign(`${issuer}/oauth/authorize?${new URLSearchParams({
    response_type: 'code',
    client_id: client,
    redirect_uri: here,
    scope: 'openid email read:data',
    state,
    code_challenge: base64url(new Uint8Array(challenge)),
    code_challenge_method: 'S256',
  })}`);
}

/** 2. Back from there: the code, and only if it answers our own question and comes from the server that was asked. */
async function finish(answer) {
  const { state, verifier } = JSON.parse(sessionStorage.getItem('attempt') ?? '{}');
  sessionStorage.removeItem('attempt');
  // The code leaves the address, and with it the history.
  history.replaceState(null, '', here);
  if (!state || answer.get('state') !== state || answer.get('iss') !== issuer) throw new Error('This answer belongs to no question of this tab.');
  if (answer.has('error')) throw new Error(answer.get('error_description') ?? answer.get('error'));
  return redeem({ grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: here, code_verifier: verifier });
}

/** 3. The code, or later the refresh token, for tokens. They stay in memory: a reload forgets them, and a click brings them back. */
async function redeem(parameters) {
  const reply = await fetch(`${issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams({ client_id: client, ...parameters }) });
  const tokens = await reply.json();
  if (!reply.ok) throw new Error(tokens.error_description ?? tokens.error);
  return tokens;
}

async function get(url, tokens) {
  const reply = await fetch(url, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  return reply.json();
}

async function show(tokens) {
  const [user, answer] = await Promise.all([get(`${issuer}/userinfo`, tokens), get(`${api}/api/user/profile`, tokens)]);
  at('who').textContent = user.email;
  at('answer').textContent = JSON.stringify(answer, null, 2);
  at('in').hidden = false;
  at('out').hidden = true;
  at('renew').onclick = () => run(async () => show(await redeem({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })));
}

async function run(action) {
  at('problem').hidden = true;
  try {
    await action();
  } catch (error) {
    at('problem').textContent = error.message;
    at('problem').hidden = false;
  }
}

at('log-in').onclick = () => run(logIn);
const answer = new URLSearchParams(location.search);
if (answer.has('state')) run(async () => show(await finish(answer)));
