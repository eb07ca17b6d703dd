"""Webhooks: one try at telling a subscriber over HTTP. When to try, and how often, is not decided here."""
