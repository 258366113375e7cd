"""Measurements that need a model; what works on arrays of features alone is in `audits/quality`."""
