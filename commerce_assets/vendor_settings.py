"""How an upload is read, limited and held: the defaults of the deployment, then its vendor's, then its own.

Belongs here: what may be set, and which of the three holds. Does not belong here: what a setting does (reading.py,
rules.py, catalogue_store.py).

A vendor's settings are his row of `commerce.vendor_settings`, where a null is the default. Of one upload, locale and
duplicates may be declared with the object (`submit --locale de --duplicates last`, or any client that writes the
metadata `locale` and `duplicates`); limits and holds are for the marketplace to decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, get_args

from commerce_assets.catalogue_store import HoldPolicy
from commerce_assets.reading import Limits
from commerce_assets.rules import DuplicatePolicy
from resources.sql import Session

LOCALE: Final = "locale"
DUPLICATES: Final = "duplicates"
DECLARABLE: Final = (LOCALE, DUPLICATES)

_SPACES: Final = " \u00a0\u202f"


class Numbers(NamedTuple):
    """How amounts are written: the decimal mark, and what may part thousands."""

    decimal: str
    thousands: str


_POINT, _COMMA, _COMMA_AND_SPACES = Numbers(".", ","), Numbers(",", "."), Numbers(",", _SPACES)
LOCALES: Final[dict[str, Numbers]] = {
    **dict.fromkeys(("en", "he", "ja", "ko", "th", "zh", "es-MX"), _POINT),
    **dict.fromkeys(("da", "de", "el", "es", "hr", "id", "it", "nl", "pt", "ro", "sl", "tr", "vi"), _COMMA),
    **dict.fromkeys(
        (
            "bg",
            "cs",
            "et",
            "fi",
            "fr",
            "hu",
            "lt",
            "lv",
            "nb",
            "nn",
            "no",
            "pl",
            "pt-PT",
            "ru",
            "sk",
            "sv",
            "uk",
        ),
        _COMMA_AND_SPACES,
    ),
    "de-AT": Numbers(",", "." + _SPACES),
    **dict.fromkeys(("de-CH", "de-LI", "it-CH"), Numbers(".", "'’")),
}
"""By language, and by language and country where a country writes otherwise than its language."""


class UnknownSetting(ValueError):
    """What was declared is not known. The text says what is."""


@dataclass(frozen=True)
class UploadSettings:
    """What holds for one upload. `locale` None: amounts have a point, thousands are not parted."""

    locale: str | None = None
    duplicates: DuplicatePolicy = "first"
    limits: Limits = dataclasses.field(default_factory=Limits)
    hold: HoldPolicy = dataclasses.field(default_factory=HoldPolicy)

    def declared(self, metadata: Mapping[str, str]) -> UploadSettings:
        """These settings with what was declared for the upload itself. Raises UnknownSetting."""
        locale = metadata.get(LOCALE) or self.locale
        duplicates = metadata.get(DUPLICATES) or self.duplicates
        if duplicates not in get_args(DuplicatePolicy):
            known = ", ".join(get_args(DuplicatePolicy))
            raise UnknownSetting(f'The policy for duplicates "{duplicates[:40]}" is none of {known}.')
        return dataclasses.replace(
            self,
            locale=normalised(locale) if locale else None,
            duplicates=duplicates,  # type: ignore[arg-type]  # checked above
        )


def vendor_settings(session: Session, vendor_id: str, defaults: UploadSettings) -> UploadSettings:
    """The vendor's settings, and the defaults where he has none."""
    found = session.run(
        "commerce/transforms/vendor_settings", {"vendor_id": vendor_id}, table="commerce.vendor_settings"
    )
    if not found:
        return defaults
    locale, duplicates, rows, size, prices_share, price_change, stock_share, products = found[0]
    return UploadSettings(
        locale or defaults.locale,
        duplicates or defaults.duplicates,
        dataclasses.replace(defaults.limits, **_given(rows=rows, file_bytes=size)),
        dataclasses.replace(
            defaults.hold,
            **_given(
                prices_share=prices_share,
                price_change=price_change,
                stock_share=stock_share,
                minimum_products=products,
            ),
        ),
    )


def _given(**values: float | int | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def normalised(locale: str) -> str:
    """A locale as it is kept: de, de-CH. Raises UnknownSetting for one that we do not know how to read."""
    language, _, country = locale.strip().replace("_", "-").partition("-")
    name = language.lower() + (f"-{country.upper()}" if country else "")
    if name not in LOCALES and language.lower() not in LOCALES:
        known = ", ".join(sorted(LOCALES))
        raise UnknownSetting(f'The locale "{locale[:40]}" is none of {known}.')
    return name


def numbers_of(locale: str | None) -> Numbers:
    """How amounts are written there; without a locale with a point, thousands not parted."""
    if locale is None:
        return Numbers(".", "")
    return LOCALES.get(locale) or LOCALES[locale.partition("-")[0]]
