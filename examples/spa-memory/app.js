// The page around the session: it shows what is, and holds no token.
import { Session } from './session.js';

const setting = (name) => document.querySelector(`meta[name="${name}"]`).content;
const session = new Session({ issuer: setting('carnet-issuer'), api: setting('carnet-api') });
const at = (id) => document.getElementById(id);
let shownUser = null;

function render() {
  at('checking').hidden = session.state !== 'checking';
  at('login').hidden = session.state !== 'out';
  at('account').hidden = session.state !== 'in';
  say(session.problem?.message);
  // What one user has seen is not for the next, who may have logged in in another tab.
  if (session.user?.sub !== shownUser) {
    shownUser = session.user?.sub;
    at('answer').textContent = '';
    at('renewals').replaceChildren();
  }
  if (!session.user) return;
  at('who').textContent = session.user.name ?? session.user.email;
  at('email').textContent = session.user.email;
  at('roles').textContent = session.user.roles.join(', ') || 'none';
  countDown();
}

function say(text) {
  at('problem').textContent = text ?? '';
  at('problem').hidden = !text;
}

function countDown() {
  if (session.expiresAt === null) return;
  const left = Math.max(0, Math.ceil((session.expiresAt - Date.now()) / 1000));
  at('expiry').textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}

function note({ detail: why }) {
  const line = document.createElement('li');
  line.textContent = `${new Date().toLocaleTimeString()}: ${why}`;
  at('renewals').prepend(line);
  while (at('renewals').children.length > 5) at('renewals').lastChild.remove();
}

/** Runs what a button is for; its failure is shown. */
async function attempt(button, action) {
  button.disabled = true;
  say();
  try {
    await action();
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
}

async function call(path) {
  const reply = await session.fetch(path);
  at('answer').textContent = `${reply.status}\n${JSON.stringify(await reply.json(), null, 2)}`;
}

session.addEventListener('change', render);
session.addEventListener('renewed', note);

at('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(event.target));
  attempt(event.submitter, async () => {
    await session.login(email, password);
    event.target.reset();
  });
});
at('profile').addEventListener('click', ({ target }) => attempt(target, () => call('/api/user/profile')));
at('data').addEventListener('click', ({ target }) => attempt(target, () => call('/api/data')));
at('renew').addEventListener('click', ({ target }) => attempt(target, () => session.renew('by hand')));
at('logout').addEventListener('click', ({ target }) => attempt(target, () => session.logout()));
at('everywhere').addEventListener('click', ({ target }) => attempt(target, () => session.logout({ everywhere: true })));

setInterval(countDown, 1000);
render();
session.start();
