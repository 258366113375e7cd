"""Autoencoders and generative models: trained, sampled and measured in one small house."""
