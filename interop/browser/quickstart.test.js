'use strict';
// docs/quickstart.md as a newcomer follows it: its commands are run as they stand there, but for the ports, and the login is done in Chromium.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { chromium } = require('playwright-core');

const ROOT = path.join(__dirname, '../..');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs/quickstart.md'), 'utf8');
const WORDS = PAGE.replaceAll(/\s+/g, ' ');

// Its promise is the bound, without the build: no test of speed.
test('the quickstart leads to a login', { timeout: 300_000 }, async (t) => {
  const began = Date.now();
  const newcomer = await arrive();
  t.after(() => newcomer.leave());
  const terminals = [];
  const blocks = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```\n\n?(Leave it running)?/gm)];
  const [, goodbye] = blocks.pop();
  for (const [, command, stays] of blocks) terminals.push(await newcomer.type(command, Boolean(stays)));
  assert.equal(blocks.length, 4);

  const [, password] = /^password +(\S+)$/m.exec(terminals.map(({ said }) => said()).join('\n'));
  const [, address] = /Open <([^>]+)> and choose \*Log in\*/.exec(WORDS);
  const [, email] = /On Carnet's page enter `([^`]+)`/.exec(WORDS);
  const [, greeting] = /You come back to \*([^*]+)\*/.exec(WORDS);
  await logIn(newcomer.elsewhere(address), { email, password, greeting });
  t.diagnostic(`from the first command to the greeting: ${Date.now() - began} ms`);

  for (const terminal of terminals) await terminal.interrupt();
  await newcomer.type(goodbye, false);
  assert.deepEqual(fs.readdirSync(newcomer.folder).sort(), ['crates', 'examples'], 'nothing is left behind');
});

/** What step 5 says, and where the tokens are not. */
async function logIn(address, { email, password, greeting }) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const troubles = [];
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
    await page.goto(address);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.fill('#username', email);
    await page.fill('#password', password);
    await page.click('#login-submit');
    await page.click('#consent-allow');
    await page.getByRole('heading', { name: greeting }).waitFor();
    assert.match(await page.textContent('#answer'), /alice@example\.com/);
    assert.equal(page.url(), address, 'the code is not in the address');
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0);
    const renewed = page.waitForResponse('**/oauth/token');
    await page.getByRole('button', { name: 'Renew the token' }).click();
    assert.equal((await renewed).status(), 200);
    // An answer that this tab has not asked for.
    await page.goto(`${address}?code=foreign&state=foreign`);
    await page.getByRole('alert').filter({ hasText: 'belongs to no question' }).waitFor();
    assert.deepEqual(troubles, []);
  } finally {
    await browser.close();
  }
}

/** A folder like a fresh checkout, and terminals in it. */
async function arrive() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-quickstart-'));
  const bin = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-quickstart-bin-'));
  const ports = Object.fromEntries(await Promise.all(['8080', '8081', '8000'].map(async (port) => [port, await freePort()])));
  const elsewhere = (text) =>
    text
      .replaceAll(/(127\.0\.0\.1:|http\.server )(\d{4})\b/g, (_, before, port) => before + ports[port])
      .replaceAll(/^carnet demo\b/gm, `carnet demo --port ${ports['8080']} --api-port ${ports['8081']}`);
  for (const file of ['app.js', 'index.html']) {
    fs.mkdirSync(path.join(folder, 'examples/spa-code'), { recursive: true });
    const text = fs.readFileSync(path.join(ROOT, 'examples/spa-code', file), 'utf8');
    fs.writeFileSync(path.join(folder, 'examples/spa-code', file), elsewhere(text));
  }
  fs.symlinkSync(path.join(ROOT, 'crates'), path.join(folder, 'crates'));
  // The build has been done, CARNET_BIN is what came of it: `cargo install` puts it where the next steps find it.
  const install = 'test "$*" = "install --locked --path crates/cli" && grep -q \'^name = "carnet"$\' crates/cli/Cargo.toml';
  fs.writeFileSync(path.join(bin, 'cargo'), `#!/bin/sh\n${install} && ln -s "$CARNET_BIN" "${bin}/carnet"\n`, { mode: 0o755 });

  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, PYTHONUNBUFFERED: '1' };
  const running = new Set();
  const leave = () => {
    for (const shell of running) process.kill(-shell.pid, 'SIGKILL');
    for (const made of [folder, bin]) fs.rmSync(made, { recursive: true, force: true });
  };
  /** Runs a block in a terminal of its own, to its end, or until it says something when it is to be left running. */
  const type = async (command, stays) => {
    const options = { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] };
    const shell = spawn('bash', ['-euc', elsewhere(command)], options);
    running.add(shell);
    const ended = once(shell, 'exit').then(([code]) => {
      running.delete(shell);
      return code;
    });
    let said = '';
    shell.stdout.on('data', (piece) => {
      said += piece;
    });
    const first = stays ? once(shell.stdout, 'data').then(() => 'running') : ended;
    assert.equal(await Promise.race([first, ended]), stays ? 'running' : 0, command);
    const interrupt = async () => {
      if (running.has(shell)) process.kill(-shell.pid, 'SIGINT');
      await ended;
    };
    return { said: () => said, interrupt };
  };
  return { folder, elsewhere, type, leave };
}

const freePort = () =>
  new Promise((resolve) => {
    const socket = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
