"""One sampling method, batch after batch."""

from __future__ import annotations

from prefect import flow

from backhaul.config import CampaignConfig
from backhaul.sampling import Method
from flows.batch import batch
from tasks.records import Standing, forget_records, run_folder, write_record
from tasks.runfolder import write_round
from tasks.setting import Setting


@flow(name="method", flow_run_name="method-{method.label}")
def method(
    config: CampaignConfig, method: Method, setting: Setting, standing: Standing
) -> Standing:
    """Play all batches with one method; every round is in the run's folder once it is over."""
    folder = run_folder(config.store, config.name)
    forget_records(folder, method.label)
    for number in range(len(setting.batches)):
        record = batch(config, method, setting, number, standing)
        write_record(folder, record)
        write_round(folder, record)
        standing = record.standing
    return standing
