"""Validated configuration: YAML in, pydantic models out, never torch."""
