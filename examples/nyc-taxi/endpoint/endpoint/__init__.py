"""Deploys an approved model as a SageMaker endpoint: real-time or asynchronous, first for trial and then for use."""
