"""The Lambda functions, one module each, and their composition root."""
