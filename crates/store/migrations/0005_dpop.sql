-- The key that a public client's refresh tokens are bound to (RFC 9449 §5), by its RFC 7638 thumbprint.
ALTER TABLE families ADD COLUMN jkt TEXT;
