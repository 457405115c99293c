"""`vendor_csv`: a vendor's file of 1,000,000 rows and 14 columns, from bytes to typed rows and reasons for the others.

Ours streams the file in chunks and applies all of its rules; pandas and DuckDB hold it whole and apply ten: required
cells, price, stock, two lengths, category, compare_at_price, weight, image address, the same sku twice. All accept and
reject the same rows. No database takes part: the figures are for reading and checking alone; `vendor_way` goes on.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.documents import FOLDER
from benchmarks.measuring import Meter, Series, peak_rss_mib
from benchmarks.report import Asked, Row

ROWS = 1_000_000
VERSION = 1
CATEGORIES: Final = (
    *(
        "Electronics",
        "Computer Accessories",
        "Audio Equipment",
        "Mobile Accessories",
        "Computer Storage",
        "Clothing",
    ),
    *("Men's Clothing", "Women's Clothing", "Accessories", "Home & Garden", "Kitchen", "Bedroom", "Bathroom"),
    *(
        "Living Room",
        "Garden",
        "Sports & Outdoors",
        "Books",
        "Toys & Games",
        "Health & Beauty",
        "Food & Beverage",
    ),
)
HEADER: Final = (
    "vendor_product_id,product_name,category,subcategory,description,sku,brand,price,compare_at_price,stock_quantity,"
    "unit,weight_kg,dimensions_cm,image_url\n"
)
AMOUNT: Final = r"0{0,16}[0-9]{1,6}(?:\.[0-9]{1,2}0{0,16})?"
STOCK: Final = "0{0,16}(?:[0-9]{1,6}|1000000)"
ADDRESS: Final = r'https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:[/?#][^\s<>"]*)?'
REQUIRED: Final = ("vendor_product_id", "product_name", "category", "sku", "price", "stock_quantity")


def run(bench: Bench) -> Outcome:
    path = prepared(bench)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "pandas": [], "duckdb": []}
    for _ in range(bench.repetitions):
        for engine, results in found.items():
            bench.say(f"{engine}: {ROWS:,} rows")
            results.append(
                bench.worker(
                    "benchmarks.vendor_csv:measure", "postgres", engine=engine, path=str(path), rows=ROWS
                )
            )
    counts = {(one["accepted"], one["rejected"]) for results in found.values() for one in results}
    if len(counts) > 1:
        raise RuntimeError(f"the engines do not agree on what is accepted and rejected: {sorted(counts)}")
    series = {
        engine: Series([reading(one["reading"]) for one in results]) for engine, results in found.items()
    }
    rss = {engine: max(one["rss"] for one in results) for engine, results in found.items()}
    outcome = Outcome()
    for engine, bound in (("pandas", 2.0), ("duckdb", 0.8)):
        outcome.rows.append(
            Row(
                "vendor_csv",
                f"{ROWS:,} rows of products read and checked, all rules",
                f"{engine} {found[engine][0]['version']}, ten rules",
                series["ours"],
                series[engine],
                Asked("at least", bound, rss=300),
                rss["ours"],
            )
        )
    accepted, rejected = counts.pop()
    outcome.notes.append(
        f"vendor_csv: {path.stat().st_size / 1e6:.0f} MB; {accepted:,} accepted, {rejected:,} rejected by all three; "
        + ", ".join(
            f"{name} {ROWS / one.seconds:,.0f} rows/s in {rss[name]:.0f} MiB" for name, one in series.items()
        )
        + "; reading and checking alone, nothing written"
    )
    return outcome


def measure(server_pid: int, engine: str, path: str, rows: int) -> dict[str, Any]:
    """One engine over the file; runs in a worker. Imports come before the clock."""
    prepare: Callable[[], tuple[str, Callable[[str], tuple[int, int]]]] = {
        "ours": _ours,
        "pandas": _pandas,
        "duckdb": _duckdb,
    }[engine]
    version, work = prepare()
    taken, (accepted, rejected) = Meter(server_pid).run(lambda: work(path))
    if accepted + rejected != rows:
        raise RuntimeError(f"{engine} gave {accepted + rejected:,} verdicts for {rows:,} rows")
    return {
        "reading": msgspec.to_builtins(taken),
        "accepted": accepted,
        "rejected": rejected,
        "rss": peak_rss_mib(),
        "version": version,
    }


def _ours() -> tuple[str, Callable[[str], tuple[int, int]]]:
    import numpy  # noqa: F401
    import polars as pl

    from commerce_assets.reading import Limits, ProductFile, read_ahead
    from commerce_assets.rules import FileKeys, Settings, check

    def work(path: str) -> tuple[int, int]:
        settings, keys = Settings(frozenset(CATEGORIES)), FileKeys()
        accepted = rejected = 0
        with open(path, "rb") as stream:
            file = ProductFile(stream, Limits(file_bytes=2**40, rows=2**40))
            for chunk in read_ahead(file.chunks()):
                checked = check(chunk.frame, settings)
                keys.add(checked.accepted)
                accepted += checked.accepted.height
                rejected += checked.rejected.height + len(chunk.refused)
        if file.problem:
            raise RuntimeError(f"the file was not read: {file.problem.message}")
        losers = keys.losers("first")["row_number"].n_unique()
        return accepted - losers, rejected + losers

    return pl.__version__, work


def _pandas() -> tuple[str, Callable[[str], tuple[int, int]]]:
    import pandas as pd

    def work(path: str) -> tuple[int, int]:
        accepted, rejected = checked_by_pandas(path)
        return len(accepted), len(rejected)

    return pd.__version__, work


def checked_by_pandas(path: str) -> tuple[Any, Any]:
    """Accepted rows, typed, and rejected rows as they came with `reasons`; the index is the row's number from 0."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    price, compare = frame["price"], frame["compare_at_price"]
    amount = pd.to_numeric(price.where(price.str.fullmatch(AMOUNT)))
    compared = pd.to_numeric(compare.where(compare.str.fullmatch(AMOUNT)))
    weight = pd.to_numeric(frame["weight_kg"].where(frame["weight_kg"].str.fullmatch(AMOUNT)))
    broken = {
        "MISSING_REQUIRED_FIELDS": (frame[list(REQUIRED)] == "").any(axis=1),
        "INVALID_PRICE": (price != "") & ~(amount > 0),
        "INVALID_STOCK": (frame["stock_quantity"] != "") & ~frame["stock_quantity"].str.fullmatch(STOCK),
        "NAME_LENGTH": frame["product_name"].str.len() > 200,
        "DESCRIPTION_LENGTH": frame["description"].str.len() > 2000,
        "INVALID_CATEGORY": (frame["category"] != "") & ~frame["category"].isin(CATEGORIES),
        "COMPARE_AT_PRICE": (compare != "") & (~(compared > 0) | (compared < amount)),
        "INVALID_WEIGHT": (frame["weight_kg"] != "") & ~(weight > 0),
        "INVALID_IMAGE_URL": (frame["image_url"] != "") & ~frame["image_url"].str.fullmatch(ADDRESS),
        "DUPLICATE_SKU": frame["sku"].duplicated() & (frame["sku"] != ""),
    }
    reasons = pd.Series("", index=frame.index)
    for code, flags in broken.items():
        reasons[flags] += code + " "
    bad = reasons != ""
    rejected = frame[bad].assign(reasons=reasons[bad])
    accepted = frame[~bad].assign(
        price=amount[~bad],
        compare_at_price=compared[~bad],
        weight_kg=weight[~bad],
        stock_quantity=pd.to_numeric(frame.loc[~bad, "stock_quantity"]),
    )

    return accepted, rejected


def _duckdb() -> tuple[str, Callable[[str], tuple[int, int]]]:
    import duckdb

    def work(path: str) -> tuple[int, int]:
        connection = duckdb.connect()
        connection.execute(duckdb_query(), {"path": path})
        counted = connection.execute(
            "select count(*) filter (where reasons = ''), count(*) filter (where reasons <> '') from checked"
        ).fetchone()
        assert counted is not None
        return counted[0], counted[1]

    return duckdb.__version__, work


def duckdb_query() -> str:
    """Makes the table `checked` of the file $path: text and typed columns, the row's number from 1, and `reasons`."""
    categories = ", ".join("'" + name.replace("'", "''") + "'" for name in CATEGORIES)
    required = " or ".join(f"{name} = ''" for name in REQUIRED)
    return f"""
    create temp table checked as
    with given as (
        select row_number() over () as number, * from read_csv($path, header = true, all_varchar = true,
            nullstr = '<none>', delim = ',', quote = '"')
    ), amounts as (
        select *, row_number() over (partition by sku order by number) as nth,
            case when regexp_full_match(price, '{AMOUNT}') then price::decimal(12, 2) end as amount,
            case when regexp_full_match(compare_at_price, '{AMOUNT}') then compare_at_price::decimal(12, 2) end as cmp,
            case when regexp_full_match(weight_kg, '{AMOUNT}') then weight_kg::decimal(12, 2) end as weight
        from given
    )
    select *, concat_ws(' ',
        case when {required} then 'MISSING_REQUIRED_FIELDS' end,
        case when price <> '' and not coalesce(amount > 0, false) then 'INVALID_PRICE' end,
        case when stock_quantity <> '' and not regexp_full_match(stock_quantity, '{STOCK}') then 'INVALID_STOCK' end,
        case when length(product_name) > 200 then 'NAME_LENGTH' end,
        case when length(description) > 2000 then 'DESCRIPTION_LENGTH' end,
        case when category <> '' and category not in ({categories}) then 'INVALID_CATEGORY' end,
        case when compare_at_price <> '' and (not coalesce(cmp > 0, false) or cmp < amount) then 'COMPARE' end,
        case when weight_kg <> '' and not coalesce(weight > 0, false) then 'INVALID_WEIGHT' end,
        case when image_url <> '' and not regexp_full_match(image_url, '{ADDRESS}') then 'INVALID_IMAGE_URL' end,
        case when nth > 1 and sku <> '' then 'DUPLICATE_SKU' end) as reasons
    from amounts
    """  # noqa: S608


def prepared(bench: Bench, rows: int = ROWS) -> Path:
    """The file; generated when there is none yet. One row in ten has quotes, one in twenty a reason to be rejected."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = FOLDER / f"products-{rows}-{VERSION}.csv"
    if path.exists():
        return path
    bench.say(f"{rows:,} products, generated once")
    partial = path.with_suffix(f".{os.getpid()}.partial")
    generator = random.Random(11)
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER)
        file.writelines(_line(generator, number) for number in range(rows))
    partial.replace(path)
    return path


def _line(generator: random.Random, number: int) -> str:
    cents = generator.randint(100, 99_999)
    cells = [
        f"P{number:07}",
        f"Product number {number}",
        CATEGORIES[number % len(CATEGORIES)],
        "",
        f"Solid and made to last, model {number}"
        if number % 10 == 0
        else f"Made to last: model {number} of ours",
        f"SKU-{number:07}",
        f"Brand {number % 500}",
        f"{cents / 100:.2f}",
        f"{(cents + 500) / 100:.2f}" if number % 3 == 0 else "",
        str(generator.randint(0, 500)),
        "piece",
        f"{generator.randint(1, 999) / 100:.2f}",
        f"10x20x{number % 90 + 1}",
        f"https://cdn.example.com/images/{number}.jpg",
    ]
    if number % 20 == 7:
        place, value = (
            (5, ""),
            (7, "-1.00"),
            (7, "twelve"),
            (9, "12.5"),
            (1, "x" * 201),
            (2, "Bokks"),
            (8, "0.01"),
            (11, "0"),
            (13, "image.jpg"),
            (5, f"SKU-{number - 1:07}"),
        )[number // 20 % 10]
        cells[place] = value
    return ",".join(f'"{cell}"' if "," in cell else cell for cell in cells) + "\n"
