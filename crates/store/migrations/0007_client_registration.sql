-- Clients that have registered themselves (RFC 7591). registered_with says how they were let in: the name of an initial access token, or
-- nothing where anybody may; NULL for the operator's own. registration_digest is of the token that manages the registration, and metadata
-- what a client says of itself that is no setting, as JSON text. last_used_at is noted once an hour at most.
ALTER TABLE clients ADD COLUMN registered_with TEXT;
ALTER TABLE clients ADD COLUMN registration_digest BLOB;
ALTER TABLE clients ADD COLUMN metadata TEXT;
ALTER TABLE clients ADD COLUMN last_used_at BIGINT;

-- What the operator hands to those who may register a client: good for a number of clients, and for a while.
CREATE TABLE initial_access_tokens (
    name       TEXT   NOT NULL PRIMARY KEY,
    digest     BLOB   NOT NULL UNIQUE,
    uses_left  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- A client that is deleted takes along what people have let it do.
CREATE INDEX grants_by_client ON grants (client_id);
