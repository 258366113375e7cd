"""The studio: the one place where model, seed, audit and seal meet. One file per verb.

Everything a visitor sees was made here. Media leaves as `Sealed` only; numbers and names leave as plain values.
torch is imported when the first model is asked for, never when this package is.
"""
