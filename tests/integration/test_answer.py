"""The command that fetches an answer, after real runs, from stand-ins for S3 and DynamoDB and a real Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commerce_assets import answer, submit
from commerce_assets.answer import find_answer
from commerce_assets.release import refuse_upload
from resources.failures import PermanentError
from resources.settings import AwsSettings, DatabaseSettings
from tests.integration.test_onboarding import GOOD, STRICT, Marketplace, held

BAD = GOOD + "P3,C,Bookz,S3,x,1\n"


@pytest.fixture
def market(
    aws: AwsSettings, warehouse_as: Callable[[str], DatabaseSettings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Marketplace]:
    made = Marketplace(aws, warehouse_as("commerce_etl"))
    for module in (answer, submit):
        monkeypatch.setattr(module, "database_settings", lambda location: made.warehouse)
        monkeypatch.setattr(module, "aws_settings", lambda: aws)
        monkeypatch.setattr(module, "read_env_file", lambda: [])
    monkeypatch.setattr(submit, "upload_bucket", lambda: made.store.bucket)
    yield made
    made.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_command_that_submit_prints_fetches_the_answer(
    market: Marketplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There was no way to the answer but to look for its keys in the warehouse."""
    file = tmp_path / "new products.csv"
    file.write_text(BAD)
    assert submit.main([str(file), "--vendor", "VEND001"]) == 0
    command = capsys.readouterr().out.rpartition("python -m commerce_assets.answer ")[2]
    key = command.rpartition(" --wait")[0].strip("'")
    out = ["--out", str(tmp_path / "answers")]
    assert answer.main([key, *out]) == 2
    assert "There is no answer to incoming/VEND001/VEND001_" in capsys.readouterr().out
    market.run()
    assert answer.main([key, *out]) == 0
    paths = capsys.readouterr().out.split("\n")[:-1]
    (folder,) = (tmp_path / "answers").iterdir()
    assert names(folder) == sorted(
        ["annotated.csv", "failed_rows.csv", f"{folder.name}_errors.csv", "summary.html", "summary.json"]
    )
    assert paths[-1] == str(folder / "summary.json")
    assert {Path(path).read_bytes() for path in paths} == set(market.answers().values())


def test_the_newest_answer_of_a_vendor_is_shown_and_what_is_still_to_come(
    market: Marketplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer.main(["--vendor", "VEND001"]) == 2
    market.put("VEND001/a.csv", GOOD)
    market.run()
    market.put("VEND001/b.csv", BAD)
    market.run()
    market.put("VEND002/c.csv", GOOD)
    market.run()
    capsys.readouterr()
    assert answer.main(["--vendor", "VEND001"]) == 0
    told = capsys.readouterr().out
    assert "b.csv: partial" in told
    assert "rejected 1" in told
    assert "  INVALID_PRICE (error): 1" in told
    assert f"  s3://{market.store.bucket}/results/VEND001/" in told
    assert "later" not in told
    market.put("VEND001/d.csv", GOOD)
    market.run(lambda run: None)  # seen, and nothing more
    assert answer.main(["--vendor", "VEND001"]) == 0
    assert "1 later upload is not answered yet" in capsys.readouterr().out
    assert answer.main(["--vendor", "VEND001", "--wait", "0.1"]) == 2
    assert "no answer to the newest upload of the vendor VEND001 yet" in capsys.readouterr().out


def test_a_held_upload_has_an_answer_and_its_decision_replaces_it(
    market: Marketplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_id = held(market)
    assert answer.main(["--vendor", "VEND001"]) == 0
    assert f"{upload_id}, b.csv: held\nIt is held: " in capsys.readouterr().out
    assert answer.main([upload_id, "--out", str(tmp_path)]) == 0
    assert "failed_rows.csv" not in names(tmp_path / upload_id)
    assert refuse_upload(market.warehouse, upload_id, "prices in cents")
    assert answer.main([upload_id]) == 2, "the answer of then is not the one to wait for"
    market.run(hold=STRICT)
    assert answer.main([upload_id, "--out", str(tmp_path)]) == 0
    assert "failed_rows.csv" in names(tmp_path / upload_id)
    assert json.loads((tmp_path / upload_id / "summary.json").read_text())["outcome"] == "refused"


def test_the_answer_is_waited_for_and_not_longer_than_was_said(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run(lambda run: None)
    waits: list[float] = []

    def work(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            market.run()

    found = find_answer(market.warehouse, vendor_id="VEND001", wait=60, sleep=work)
    assert found is not None
    assert (found.stage, waits) == ("answered", [2.0, 2.0])
    assert find_answer(market.warehouse, upload="incoming/VEND001/none.csv", wait=0.05) is None


def test_what_nobody_knows_is_an_error_and_not_waited_for(
    market: Marketplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market.put("VEND404/a.csv", GOOD)
    market.put("VEND001/a.csv", GOOD)
    market.run()
    assert answer.main(["UPLOAD_X", "--wait", "60"]) == 1
    assert "there is no such upload" in capsys.readouterr().err
    assert answer.main(["--vendor", "VEND404"]) == 1
    assert "there is no such vendor" in capsys.readouterr().err
    assert answer.main(["incoming/VEND404/a.csv"]) == 1
    assert "UNKNOWN_VENDOR" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("")
    assert answer.main(["--vendor", "VEND001", "--out", str(file)]) == 1
    assert "Give a folder that can be written to" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        answer.main(["UPLOAD_X", "--vendor", "VEND001"])
    found = find_answer(market.warehouse, vendor_id="VEND001")
    assert found is not None
    assert found.files is not None
    market.store.client.delete_object(Bucket=found.bucket, Key=found.files["summary_json"])
    assert answer.main(["--vendor", "VEND001"]) == 1
    assert "NoSuchKey" in capsys.readouterr().err
    with pytest.raises(PermanentError):
        find_answer(market.warehouse, vendor_id="VEND404", wait=60)
