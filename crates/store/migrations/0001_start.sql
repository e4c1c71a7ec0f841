-- What Carnet remembers from the first day. One text for SQLite and PostgreSQL; BLOB is BYTEA there.
-- Times are UTC milliseconds. Ids are time-ordered 16-byte handles that nothing outside shows.
-- sweep_day is the day (milliseconds / 86,400,000) after which a row may go: a coarse bucket, so that the
-- index of expiries grows at one end.

CREATE TABLE users (
    id         BLOB   NOT NULL PRIMARY KEY,
    sub        TEXT   NOT NULL UNIQUE,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'disabled', 'deleted')),
    name       TEXT,
    claims     TEXT   NOT NULL,
    attributes TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE identifiers (
    id         BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('email')),
    canonical  TEXT    NOT NULL,
    display    TEXT    NOT NULL,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    verified   BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    UNIQUE (kind, canonical)
);
CREATE INDEX identifiers_by_user ON identifiers (user_id);

CREATE TABLE credentials (
    user_id    BLOB   NOT NULL REFERENCES users (id),
    kind       TEXT   NOT NULL CHECK (kind IN ('password')),
    secret     TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind)
);

CREATE TABLE roles (
    id          BLOB   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL UNIQUE,
    audience    TEXT,
    description TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE role_permissions (
    role_id    BLOB NOT NULL REFERENCES roles (id),
    permission TEXT NOT NULL,
    PRIMARY KEY (role_id, permission)
);

CREATE TABLE user_roles (
    user_id BLOB NOT NULL REFERENCES users (id),
    role_id BLOB NOT NULL REFERENCES roles (id),
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_by_role ON user_roles (role_id);

CREATE TABLE sessions (
    id           BLOB   NOT NULL PRIMARY KEY,
    sid          TEXT   NOT NULL UNIQUE,
    user_id      BLOB   NOT NULL REFERENCES users (id),
    client_id    TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    ended_at     BIGINT,
    address      TEXT   NOT NULL,
    user_agent   TEXT   NOT NULL,
    auth_time    BIGINT NOT NULL,
    sweep_day    BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_sweep_day ON sessions (sweep_day);

-- One row per login, for ever: a rotation changes it and never adds one. sid and sub repeat what the session
-- and the user say, so that a rotation needs no join; neither of them ever changes.
CREATE TABLE families (
    id                  BLOB   NOT NULL PRIMARY KEY,
    fam                 TEXT   NOT NULL UNIQUE,
    session_id          BLOB   NOT NULL REFERENCES sessions (id),
    sid                 TEXT   NOT NULL,
    user_id             BLOB   NOT NULL REFERENCES users (id),
    sub                 TEXT   NOT NULL,
    client_id           TEXT   NOT NULL,
    scope               TEXT   NOT NULL,
    audience            TEXT   NOT NULL,
    generation          BIGINT NOT NULL,
    issued_at           BIGINT NOT NULL,
    mac_key             TEXT   NOT NULL,
    salt                BLOB   NOT NULL,
    idle_ms             BIGINT NOT NULL,
    idle_expires_at     BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    revoked_at          BIGINT,
    revoked_reason      TEXT,
    sweep_day           BIGINT NOT NULL
);
CREATE INDEX families_by_session ON families (session_id);
CREATE INDEX families_by_sweep_day ON families (sweep_day);

-- The two partial indexes are the election: of two nodes that stage or promote at once, one loses.
CREATE TABLE signing_keys (
    id           BLOB   NOT NULL PRIMARY KEY,
    kid          TEXT   NOT NULL UNIQUE,
    algorithm    TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('staged', 'active', 'retiring', 'removed')),
    public_jwk   TEXT   NOT NULL,
    sealed       BLOB,
    master_key   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    activates_at BIGINT NOT NULL,
    activated_at BIGINT,
    retires_at   BIGINT,
    removes_at   BIGINT,
    removed_at   BIGINT,
    reason       TEXT
);
CREATE UNIQUE INDEX signing_keys_one_staged ON signing_keys (algorithm) WHERE state = 'staged';
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (algorithm) WHERE state = 'active';

-- cursor is commit order: it is taken from revocation_clock in the transaction that writes the entry.
CREATE TABLE revocations (
    cursor        BIGINT NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL,
    value         TEXT   NOT NULL,
    issued_before BIGINT,
    expires       BIGINT NOT NULL
);
CREATE INDEX revocations_by_value ON revocations (kind, value);
CREATE INDEX revocations_by_expiry ON revocations (expires);

CREATE TABLE revocation_clock (
    one   BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch TEXT   NOT NULL,
    last  BIGINT NOT NULL
);

CREATE TABLE throttles (
    key            TEXT   NOT NULL PRIMARY KEY,
    attempts       BIGINT NOT NULL,
    window_ends_at BIGINT NOT NULL
);
CREATE INDEX throttles_by_end ON throttles (window_ends_at);

CREATE TABLE settings (
    one     BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);

CREATE TABLE audit_events (
    id          BLOB   NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    object      TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    correlation TEXT   NOT NULL,
    details     TEXT   NOT NULL,
    hash        TEXT
);
