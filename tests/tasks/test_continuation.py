"""The tables of a run that go on hour by hour."""

from pathlib import Path

import pandas as pd

from backhaul.inbox.continuation import read_table


def test_names_of_classes_stay_as_they_are(tmp_path: Path) -> None:
    names = ["01", "1e3", "None", "NA", "null", "car"]
    table = pd.DataFrame({"method": "iqr", "batch": 0, "test_set": "common", "class": names})
    table.to_csv(tmp_path / "classes.csv", index=False)
    again = read_table(str(tmp_path / "classes.csv"))
    assert again["class"].tolist() == names
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
