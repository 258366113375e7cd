"""One name for a weight that transformers' networks know under two."""

from torch import nn


def untie(network: nn.Module, second: str, first: str) -> nn.Module:
    """Let the state of a network hold a shared weight once, under its `first` name; the network still shares it.

    A moving average would else be taken twice of it, and a file would hold it twice.
    """

    def drop(module, state, prefix, metadata):
        state.pop(prefix + second, None)

    def add(module, state, prefix, *rest):
        if prefix + first in state:
            state[prefix + second] = state[prefix + first]

    network.register_state_dict_post_hook(drop)
    network.register_load_state_dict_pre_hook(add)
    return network
