// A login that lives in memory, over Carnet's login API. Copy this file; it needs no library and no build.
//
// The access token is held in a private field and nowhere else: no storage, no URL, no cookie that script can read. The refresh token
// is in an HttpOnly cookie that this code never sees. Whoever gets script into the page can still act while the page is open, but
// carries nothing away that outlives it for long; keep such script out with a Content-Security-Policy (index.html has one).

/** Renew this long before the end, or a third of the token's life before it, whichever is less. */
const MARGIN = 60_000;
/** Look at the clock at least so often. */
const TICK = 60_000;
/** Try again after a failure; the server may ask for more. */
const RETRY = 5_000;
/** Give up on an answer; its lock must not hold up the other tabs for ever. */
const PATIENCE = 10_000;
/** How long a tab waits for the token that another tab has just got. */
const HANDOVER = 1_000;

/** What people are told. The rest of the codes: docs/codes.md, or `carnet explain CODE`. */
const WORDS = {
  invalid_credentials: 'E-mail address or password is wrong.',
  logged_out: 'You have logged out in another tab.',
  offline: 'The server cannot be reached. Are you offline?',
  origin_not_listed: `The server is there, but does not list this page's origin, ${location.origin}.`,
  refresh_token_expired: 'Your login has expired. Please log in again.',
  refresh_token_invalid: 'Your login has ended. Please log in again.',
  refresh_token_missing: 'You are not logged in.',
  refresh_token_reused:
    'Somebody else has used a copy of your login, so it was ended. Log in again; change your password if you cannot explain it.',
};

/** Something that did not work: `code` is for programs and stable, `message` is for people. */
export class SessionError extends Error {
  constructor(code, { detail, status, retryAfter = 0 } = {}) {
    super(WORDS[code] ?? detail ?? `Something went wrong (${code}).`);
    Object.assign(this, { name: 'SessionError', code, status, retryAfter });
  }

  /** Whether there is nothing left to renew: only a new login helps. */
  get ends() {
    return this.code.startsWith('refresh_token_') || this.code === 'logged_out';
  }
}

// One tab at a time may log in, renew or log out, for all of them write the one cookie. Where there are no locks (old browsers, pages
// without https) two tabs may renew at once; the server then answers both with the same successor, for tokens.refresh_grace.
const locks = navigator.locks ?? { request: (_name, ...rest) => rest.at(-1)({}) };

/**
 * Who is logged in. Tells of it by events: `change` (look at `state`, `user`, `expiresAt`, `problem`) and `renewed` (its detail says why).
 */
export class Session extends EventTarget {
  /** `checking`, `in` or `out`. */
  state = 'checking';
  /** The last SessionError that nobody was waiting for, until something works again. */
  problem = null;
  #issuer;
  #api;
  #name;
  #channel;
  #timer;
  #renewing = null;
  /** `{ token, expiresAt, renewAt, user }`, or null. */
  #held = null;

  /** `issuer` is Carnet's address, `api` that of the API; the token is sent to no other origin. */
  constructor({ issuer, api }) {
    super();
    this.#issuer = issuer;
    this.#api = api;
    this.#name = `carnet ${issuer}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => {
      if (data.held) this.#hold(data.held, 'another tab');
      else if (this.state !== 'out') this.#end(new SessionError(data.ended));
    };
  }

  /** The user's own claims, as `GET /auth/me` tells them. Never read them out of the token: it is for the API. */
  get user() {
    return this.#held?.user ?? null;
  }

  /** When the access token ends, in milliseconds as `Date.now()` counts. */
  get expiresAt() {
    return this.#held?.expiresAt ?? null;
  }

  /** Call once when the page has loaded: script cannot see the cookie, so the server is asked whether there is a login. */
  async start() {
    // Timers stand still while a computer sleeps and crawl in a hidden tab: whatever wakes the page looks at the clock.
    document.addEventListener('visibilitychange', () => this.#schedule());
    for (const event of ['online', 'focus']) window.addEventListener(event, () => this.#schedule());
    // A page out of the back/forward cache has heard nothing of what went on meanwhile.
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#renewQuietly('back'));
    await this.#renewQuietly('load');
  }

  /** Throws a SessionError, `invalid_credentials` when nobody has that address and password. */
  async login(email, password) {
    await locks.request(this.#name, () => this.#obtain('login', '/auth/login', { email, password }));
  }

  /** Ends this login in every tab; with `everywhere`, the logins of all the user's devices too. */
  async logout({ everywhere = false } = {}) {
    await locks.request(this.#name, async () => {
      try {
        await this.#ask('/auth/logout', { body: { mode: everywhere ? 'everywhere' : 'session' }, token: this.#held?.token });
      } catch (error) {
        // Offline nothing has ended: the cookie is still there, and to show "logged out" would be a lie to whoever walks away.
        // A 401 says that there is no login any more, which is what was wanted.
        if (error.status !== 401) throw error;
      }
      this.#channel.postMessage({ ended: 'logged_out' });
      this.#end(null);
    });
  }

  /**
   * `fetch` with the token, for the API alone. A 401 means that the token was taken back or that clocks differ: it is renewed and the
   * call sent once more, never twice. So a body has to be one that can be sent again: text or FormData, no stream.
   */
  async fetch(path, options = {}) {
    const url = new URL(path, this.#api);
    if (url.origin !== new URL(this.#api).origin) throw new TypeError(`the token is not for ${url.origin}`);
    if (!this.#held || Date.now() >= this.#held.expiresAt) await this.renew('call');
    const token = this.#token();
    const first = await this.#send(url, options, token);
    if (first.status !== 401) return first;
    await this.renew('401', token);
    return this.#send(url, options, this.#token());
  }

  #token() {
    if (this.#held) return this.#held.token;
    throw new SessionError('refresh_token_missing');
  }

  /** Gets a token other than `stale`, once however many calls and tabs ask for it. Throws a SessionError. */
  renew(why, stale = this.#held?.token) {
    this.#renewing ??= this.#renewAcrossTabs(why, stale).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renewAcrossTabs(why, stale) {
    const done = () => this.#held !== null && this.#held.token !== stale;
    const listening = new AbortController();
    const news = new Promise((resolve) => {
      this.#channel.addEventListener('message', ({ data }) => resolve(data), { signal: listening.signal });
    });
    const refresh = () => this.#obtain(why, '/auth/refresh');
    try {
      if (done()) return;
      const alone = await locks.request(this.#name, { ifAvailable: true }, async (lock) => {
        if (lock) await refresh();
        return Boolean(lock);
      });
      if (alone) return;
      await locks.request(this.#name, async () => {
        // The tab that had the lock sends its token, but messages and locks travel apart: the lock may be here first.
        const told = await Promise.race([news, new Promise((resolve) => setTimeout(resolve, HANDOVER))]);
        if (told?.ended) throw new SessionError(told.ended);
        // Nothing came: that tab failed, or was closed.
        if (!done()) await refresh();
      });
    } catch (error) {
      if (error.ends && this.#held?.token === stale) {
        this.#channel.postMessage({ ended: error.code });
        this.#end(error);
      }
      throw error;
    } finally {
      listening.abort();
    }
  }

  /** For renewals that nobody waits for: what goes wrong is shown, and tried again unless it is the end. */
  async #renewQuietly(why) {
    try {
      await this.renew(why);
    } catch (error) {
      if (error.ends) return;
      this.problem = error;
      this.dispatchEvent(new Event('change'));
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#renewQuietly(why), Math.max(RETRY, (error.retryAfter || 0) * 1000));
    }
  }

  #schedule() {
    if (!this.#held) return;
    clearTimeout(this.#timer);
    const wait = this.#held.renewAt - Date.now();
    if (wait <= 0) this.#renewQuietly('timer');
    else this.#timer = setTimeout(() => this.#schedule(), Math.min(wait, TICK));
  }

  /** Asks for tokens under the lock, and hands the new one on to the other tabs. */
  async #obtain(why, path, body) {
    // Counted from before the question, by our own clock alone: it may differ from the server's.
    const asked = Date.now();
    const { access_token: token, expires_in: seconds } = await this.#ask(path, { body });
    // Asked each time: roles change, and another tab may have logged in as somebody else.
    const user = await this.#ask('/auth/me', { method: 'GET', token });
    const life = seconds * 1000;
    const held = { token, user, expiresAt: asked + life, renewAt: asked + life - Math.min(MARGIN, life / 3) };
    this.#channel.postMessage({ held });
    this.#hold(held, why);
  }

  #hold(held, why) {
    this.#held = held;
    this.problem = null;
    this.state = 'in';
    this.#schedule();
    this.dispatchEvent(new Event('change'));
    this.dispatchEvent(new CustomEvent('renewed', { detail: why }));
  }

  #end(problem) {
    clearTimeout(this.#timer);
    // Whoever comes for the first time has lost nothing, and needs no message.
    this.problem = !this.#held && problem?.code === 'refresh_token_missing' ? null : problem;
    this.#held = null;
    this.state = 'out';
    this.dispatchEvent(new Event('change'));
  }

  /** One call of the login API; what it refuses is thrown. The cookie goes along, which needs this origin listed at the server. */
  async #ask(path, { method = 'POST', body, token } = {}) {
    const headers = body ? { 'Content-Type': 'application/json' } : {};
    const options = { method, headers, body: body && JSON.stringify(body), credentials: 'include', signal: AbortSignal.timeout(PATIENCE) };
    const reply = await this.#send(new URL(this.#issuer + path), options, token);
    if (reply.status === 204) return null;
    const answer = await reply.json().catch(() => ({}));
    if (reply.ok) return answer;
    const retryAfter = Number(reply.headers.get('Retry-After'));
    throw new SessionError(answer.code ?? 'unexpected', { detail: answer.detail, status: reply.status, retryAfter });
  }

  async #send(url, options, token) {
    const headers = new Headers(options.headers);
    if (token) headers.set('Authorization', `Bearer ${token}`);
    try {
      return await fetch(url, { ...options, headers });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      // A browser does not say why it shows no answer. A server that answers a question without CORS is there.
      const there = await fetch(url.origin, { mode: 'no-cors', signal: AbortSignal.timeout(PATIENCE) }).then(() => true, () => false);
      throw new SessionError(there && error.name !== 'TimeoutError' ? 'origin_not_listed' : 'offline');
    }
  }
}
