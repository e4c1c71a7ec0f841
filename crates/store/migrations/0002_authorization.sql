-- Clients of the OAuth endpoints, what people have let them do, and what is handed out once.

CREATE TABLE clients (
    id         BLOB   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL UNIQUE,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'disabled', 'deleted')),
    settings   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Two of a client may live side by side while it changes over.
CREATE TABLE client_secrets (
    id         BLOB   NOT NULL PRIMARY KEY,
    client     BLOB   NOT NULL REFERENCES clients (id),
    digest     BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX client_secrets_by_client ON client_secrets (client);

-- Who let which client do what.
CREATE TABLE grants (
    id         BLOB   NOT NULL PRIMARY KEY,
    user_id    BLOB   NOT NULL REFERENCES users (id),
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revoked_at BIGINT,
    UNIQUE (user_id, client_id)
);

-- Codes, interactions, seen assertions: written once, redeemed at most once, known by the SHA-256 of their secret.
-- bought is the refresh family that a code led to; seen_again_at, that somebody brought it a second time.
CREATE TABLE tickets (
    digest        BLOB   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL,
    payload       TEXT   NOT NULL,
    expires_at    BIGINT NOT NULL,
    redeemed_at   BIGINT,
    seen_again_at BIGINT,
    bought        TEXT
);
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

-- The browser session in which a client's session began, and with which it ends.
ALTER TABLE sessions ADD COLUMN parent_id BLOB;
CREATE INDEX sessions_by_parent ON sessions (parent_id);
