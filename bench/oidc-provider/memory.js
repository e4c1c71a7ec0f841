// Memory alone, as quick as JavaScript can: one Map a model, the oldest entries dropped. node-oidc-provider's own memory store is
// made for development: it keeps a thousand entries, and walks through all tokens of a grant for each new one.

const MOST = 20_000;
const models = new Map();
const sessions = new Map();

export class Memory {
  constructor(model) {
    this.entries = new Map();
    models.set(model, this.entries);
  }

  async upsert(id, payload) {
    this.entries.set(id, payload);
    if (payload.kind === 'Session') sessions.set(payload.uid, payload);
    if (this.entries.size > MOST) this.entries.delete(this.entries.keys().next().value);
  }

  async find(id) {
    return this.entries.get(id);
  }

  async findByUid(uid) {
    return sessions.get(uid);
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    this.entries.get(id).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const entries of models.values()) {
      for (const [id, payload] of entries) if (payload.grantId === grantId) entries.delete(id);
    }
  }
}
