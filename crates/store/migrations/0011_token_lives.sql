-- How long the servers of this database keep what takes back a token of theirs (its longest life, plus skew, in milliseconds), and when one of them last said so.
CREATE TABLE token_lives (
    life    BIGINT NOT NULL PRIMARY KEY,
    said_at BIGINT NOT NULL
);
