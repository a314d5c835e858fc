"""Workflows: how they are declared, how they run, what they leave behind."""
