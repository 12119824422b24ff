-- Who created a platform's token: he approves no calls by the tokens that it creates.
ALTER TABLE platform_tokens ADD COLUMN created_by {text};
