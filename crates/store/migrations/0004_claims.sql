-- Single claims that a client asked for beside its scopes: what people have let it know, and what a login is to be told.
ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '';
ALTER TABLE families ADD COLUMN claims TEXT;
