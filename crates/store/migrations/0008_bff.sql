-- Sessions of browsers at a gateway. `digest` is the SHA-256 of the browser's cookie, `sealed` is what only that cookie opens. `name` is what the user
-- sees; `sid` is the session at the issuer, empty when it names none. `version` grows with every change of `sealed`. Who refreshes the tokens holds the lease.
CREATE TABLE bff_sessions (
    digest              BLOB   NOT NULL PRIMARY KEY,
    name                TEXT   NOT NULL UNIQUE,
    client_id           TEXT   NOT NULL,
    sub                 TEXT   NOT NULL,
    sid                 TEXT   NOT NULL,
    user_agent          TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    last_seen_at        BIGINT NOT NULL,
    used                BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    version             BIGINT NOT NULL,
    sealed              BLOB   NOT NULL,
    lease_owner         TEXT   NOT NULL,
    lease_until         BIGINT NOT NULL
);
CREATE INDEX bff_sessions_by_sub ON bff_sessions (sub);
CREATE INDEX bff_sessions_by_sid ON bff_sessions (sid);
CREATE INDEX bff_sessions_by_absolute_expires_at ON bff_sessions (absolute_expires_at);
