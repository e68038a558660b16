"""What a run emits: energy of the machine and its CO2, estimated by CodeCarbon offline, so that nothing is looked up.

Energy comes from the GPUs' and the processor's own counters where they are open, else from the power their maker
states; grams from the mean carbon intensity of a country's electricity. One process measures, for the whole machine.
Source: codecarbon.io; Hugging Face's `co2_eq_emissions`. Cost: a reading every 15 s.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from hyperbridge.errors import HyperBridgeError
from hyperbridge.trainers.launch import processes


class Emissions(TypedDict, total=False):
    """Kilowatt-hours of the machine, grams of CO2-equivalent, and the country (ISO 3166, three letters)."""

    energy_kwh: float
    co2_grams: float
    country: str


def check_country(country: str | None) -> None:
    """Refuse a country that CodeCarbon would replace by the world's mean; None asks for no estimate.

    Raises:
        HyperBridgeError: it is none, or CodeCarbon is not installed.
    """
    if country is None:
        return
    try:
        import codecarbon  # noqa: F401
        import pycountry
    except ImportError:
        raise HyperBridgeError("training.co2_country needs CodeCarbon: pip install 'hyperbridge[co2]'") from None
    if pycountry.countries.get(alpha_3=country) is None:
        raise HyperBridgeError(f"training.co2_country: no country '{country}'; give its three letters, as in RUS")


@contextmanager
def measured_emissions(country: str | None) -> Iterator[Emissions]:
    """What the block emits, in the main process and once the block is left; nothing where no country is given."""
    told = Emissions()
    if country is None or not processes().is_main_process:
        yield told
        return
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    tracker = OfflineEmissionsTracker(
        country_iso_code=country, save_to_file=False, log_level="error", allow_multiple_runs=True
    )
    tracker.start()
    try:
        yield told
    finally:
        kilograms = tracker.stop()
        energy = tracker.final_emissions_data.energy_consumed
        told.update(Emissions(energy_kwh=energy, co2_grams=1000 * (kilograms or 0.0), country=country))
