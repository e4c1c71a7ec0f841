-- The browser session in which a client's session began, also when it outlives it: the client is told when either ends.
ALTER TABLE sessions ADD COLUMN began_in BLOB;
UPDATE sessions SET began_in = parent_id;
CREATE INDEX sessions_by_began_in ON sessions (began_in);

-- Clients that are still to be told that a session of theirs has ended. Written with that end, removed when they know, or when
-- it was tried often enough. due_at is also how long the one who is at it has for it.
CREATE TABLE logout_notices (
    sid        TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX logout_notices_by_due_at ON logout_notices (due_at);

-- When a user last took back what they had let a client do: a code that was made before leads nowhere.
CREATE TABLE withdrawals (
    user_id      BLOB   NOT NULL REFERENCES users (id),
    client_id    TEXT   NOT NULL,
    withdrawn_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
