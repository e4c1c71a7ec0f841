-- Which clients stood in the configuration file at the last start, so that one that is gone from it is noticed. `service` is a digest of what the
-- bundle of services says of it, empty when it is none. `entry_ttl` is how long a revocation of its tokens is kept, in milliseconds.
CREATE TABLE configured_clients (
    client_id TEXT   NOT NULL PRIMARY KEY,
    service   TEXT   NOT NULL,
    entry_ttl BIGINT NOT NULL,
    gone_at   BIGINT
);
