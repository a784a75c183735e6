"""Batch predictions with an approved model: which model, on what machines, and the pipeline that does it."""
