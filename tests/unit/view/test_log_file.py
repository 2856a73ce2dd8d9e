import logging
from pathlib import Path

import pytest

from backhaul.cli.view.logfile import begin_log, log_file, logging_to
from backhaul.events import Happening, Place, Warned, listening, within


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours = tmp_path / ".backhaul" / "runs" / "cars" / "seed1" / "log.txt"
    assert log_file("s3://bucket/store", "cars/seed1") == ours
    assert log_file(str(tmp_path), "cars/seed1") == ours


def test_starts_follow_one_another(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.txt"
    begin_log(log)
    begin_log(log)
    lines = log.read_text().splitlines()
    assert len(lines) == 2
    assert all("backhaul" in line for line in lines)


def test_the_log_has_all_and_warnings_are_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, heard = tmp_path / "log.txt", list[Happening]()
    logger = logging.getLogger("library.test")
    logger.setLevel(logging.INFO)
    before = logging.getLogger().handlers[:]
    with listening(heard.append), logging_to(log), within("iqr", 0):
        logger.info("to be read later")
        logger.warning("mind\nthis")
        logger.error("%d broken", 3)
    assert logging.getLogger().handlers == before
    assert [happening.event for happening in heard] == [
        Warned("warning", "mind this"),
        Warned("error", "3 broken"),
    ]
    assert {happening.place for happening in heard} == {Place("iqr", 0)}
    written = log.read_text()
    for text in ("to be read later", "mind\nthis", "3 broken"):
        assert text in written
    assert capsys.readouterr().err == ""


def test_a_failure_that_prefects_engine_logs_a_level_is_no_warning_of_ours(
    tmp_path: Path,
) -> None:
    heard = list[Happening]()
    record = logging.LogRecord("x", logging.ERROR, "/p/flow_engine.py", 1, "Failed", (), None)
    with listening(heard.append), logging_to(tmp_path / "log.txt"):
        logging.getLogger().handle(record)
    assert heard == []
    assert "Failed" in (tmp_path / "log.txt").read_text()
