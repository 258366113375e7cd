"""A folder with a table to audit and what can be given with it."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"item": [f"i{k}" for k in range(300)], "tone": rng.choice(["dark", "light"], 300, p=[0.3, 0.7])}
    )
    table["hat"], table["score"] = rng.choice(["no", "None"], 300), rng.random(300).round(3)
    table.loc[:4, "tone"] = None
    table.to_csv("set.csv", index=False)
    table.to_parquet("set.parquet")
    pd.DataFrame({"true": ["dark", "light"] * 50, "predicted": ["dark", "light"] * 45 + ["light", "dark"] * 5}).to_csv(
        "validation.csv", index=False
    )
    labels = table.loc[5:, ["item", "tone"]].rename(columns={"tone": "label"})[::3]
    labels.to_csv("labels.csv", index=False)
    pd.DataFrame({"group": ["dark", "light"], "share": [0.5, 0.5]}).to_csv("reference.csv", index=False)
    return tmp_path
