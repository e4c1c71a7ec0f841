// A browser app without tokens: a cookie that no script reads goes with each call, and the header X-CSRF says that this page has sent it.
const at = (id) => document.getElementById(id);

/** fetch for the gateway. A 401 means that nobody is logged in any more. */
async function call(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: { ...options.headers, 'X-CSRF': '1' } });
  if (reply.status === 401) show(null);
  return reply;
}

function show(user) {
  at('checking').hidden = true;
  at('out').hidden = user !== null;
  at('in').hidden = user === null;
  at('answer').textContent = '';
  if (user === null) return;
  at('who').textContent = user.name ?? user.email ?? user.sub;
  at('left').textContent = Math.ceil(user['bff:session_expires_in'] / 60);
}

async function list() {
  const reply = await call('/bff/sessions');
  if (!reply.ok) return;
  const lines = (await reply.json()).map((session) => {
    const line = document.createElement('li');
    const since = new Date(session.created_at * 1000).toLocaleString();
    line.textContent = session.current ? `since ${since}, here` : `since ${since}: ${session.user_agent} `;
    if (!session.current) {
      const end = document.createElement('button');
      end.className = 'quiet';
      end.textContent = 'End';
      end.addEventListener('click', () => attempt(end, () => call(`/bff/sessions/${session.id}`, { method: 'DELETE' }).then(list)));
      line.append(end);
    }
    return line;
  });
  at('sessions').replaceChildren(...lines);
}

/** Runs what a button is for; its failure is shown. */
async function attempt(button, action) {
  button.disabled = true;
  at('problem').hidden = true;
  try {
    await action();
  } catch (error) {
    at('problem').textContent = error.message;
    at('problem').hidden = false;
  } finally {
    button.disabled = false;
  }
}

async function ask(path) {
  const reply = await call(path);
  if (reply.status !== 401) at('answer').textContent = `${reply.status}\n${JSON.stringify(await reply.json(), null, 2)}`;
}

async function logOut() {
  const reply = await call('/bff/logout', { method: 'POST' });
  // The gateway has ended its session; the issuer ends the login where the window goes next.
  if (reply.ok) location.assign((await reply.json()).logout_url);
}

at('profile').addEventListener('click', ({ target }) => attempt(target, () => ask('/api/user/profile')));
at('data').addEventListener('click', ({ target }) => attempt(target, () => ask('/api/data')));
at('logout').addEventListener('click', ({ target }) => attempt(target, logOut));

const reply = await call('/bff/user');
if (reply.ok) {
  show(await reply.json());
  await list();
}
