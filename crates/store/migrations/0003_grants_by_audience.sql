-- What people have let clients do is told apart by the resource: a yes for one API is none for another. What was
-- remembered before did not say for which, so it is asked about once more.
DROP TABLE grants;

CREATE TABLE grants (
    id         BLOB   NOT NULL PRIMARY KEY,
    user_id    BLOB   NOT NULL REFERENCES users (id),
    client_id  TEXT   NOT NULL,
    audience   TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revoked_at BIGINT,
    UNIQUE (user_id, client_id, audience)
);
