"""Word lists of the generated business data. Only lists: how they are drawn from is `expressions` and the tables'."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_ENUMS = Path(__file__).resolve().parents[2] / "odoo_apn_assets/catalogue/apn_enums.json"

STEMS = (
    "Acme", "Alder", "Apex", "Aurora", "Beacon", "Birch", "Blue Ridge", "Bright", "Canyon", "Cascade", "Cedar", "Cinder",
    "Clear", "Cobalt", "Copper", "Crescent", "Delta", "Dune", "Eagle", "Ember", "Evergreen", "Falcon", "Fern", "Granite",
    "Harbor", "Hazel", "Helix", "Horizon", "Indigo", "Iron", "Juniper", "Keystone", "Lakeside", "Lumen", "Maple", "Meridian",
    "Mesa", "Müller", "Northwind", "Nova", "Oak", "Onyx", "Orchard", "Pacific", "Peak", "Pioneer", "Prairie", "Quartz",
    "Raven", "Redwood", "River", "Sable", "São Bento", "Sierra", "Silver", "Spruce", "Sterling", "Summit", "Teal", "Timber",
    "Umbra", "Vertex", "Willow", "Zephyr",
)  # fmt: skip
TRADES = (
    "Analytics", "Bank", "Biologics", "Broadcasting", "Capital", "Care", "Chemicals", "Clinics", "Data", "Dental", "Devices",
    "Diagnostics", "Digital", "Energy", "Engineering", "Farms", "Fashion", "Films", "Foods", "Freight", "Games", "Genomics",
    "Health & Life", "Hotels", "Insurance", "Labs", "Logistics", "Marine", "Media", "Mining", "Mobility", "Motors", "Networks",
    "Outdoors", "Packaging", "Payments", "Pharma", "Power", "Publishing", "Rail", "Research", "Robotics", "Schools", "Security",
    "Software", "Solar", "Telecom",
)  # fmt: skip
"""47 of them: prime, so that stepping through stems and trades meets each pair once."""
LEGAL_FORMS = (
    ", Inc.", " Inc", " Inc.", " Corp.", " Corporation", ", LLC", " LLC", " L.L.C.", " Ltd", " Ltd.", " Limited", " GmbH",
    " AG", " S.A.", " B.V.", " Pty Ltd", " PLC", " & Co. KG", " Co.", "", "",
)  # fmt: skip
OTHER_LEGAL_FORMS = (
    " Corporation, Inc.",
    " CORP",
    " Incorporated",
    " Company",
    "",
    " Holdings, Inc.",
    " Group",
    " (USA) Inc.",
)
"""What the other database calls the same company."""
ENDINGS = (
    "com",
    "com",
    "com",
    "com",
    "io",
    "net",
    "org",
    "co.uk",
    "com.au",
    "de",
    "ai",
    "com.br",
    "co",
    "eu",
)
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "hotmail.com", "icloud.com", "GMAIL.com", "proton.me")
FIRST_NAMES = (
    "Ada", "Amir", "Ana", "Ben", "Björn", "Carla", "Chen", "Dana", "Diego", "Elena", "Emil", "Farah", "Femi", "Grace", "Hana",
    "Ines", "Ivan", "Jack", "Jo", "Kai", "Lena", "Liam", "Mai", "Marco", "Nadia", "Noah", "Olga", "Omar", "Priya", "Quinn", "Rosa",
    "Sam", "Siobhán", "Tariq", "Uma", "Victor", "Wei", "Ximena", "Yuki", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Adeyemi", "Andersson", "Becker", "Brown", "Castillo", "Chandra", "Costa", "Dubois", "Evans", "Ferrari", "Garcia", "Haddad",
    "Ito", "Jensen", "Johnson", "Kaya", "Kim", "Kowalski", "Lopez", "Müller", "Nguyen", "O'Brien", "Okafor", "Patel", "Petrov",
    "Quist", "Rossi", "Santos", "Schmidt", "Singh", "Smith", "Takahashi", "Tran", "van Dijk", "Wang", "Williams", "Yilmaz", "Zhou",
)  # fmt: skip
JOB_TITLES = (
    "CTO",
    "CIO",
    "CFO",
    "Head of IT",
    "VP Engineering",
    "IT Director",
    "Cloud Architect",
    "Founder",
    "Procurement",
    "CEO",
)
WORK = (
    "Migrate SAP landscape", "Data lake", "Contact center", "Lift and shift of 40 servers", "Landing zone", "Disaster recovery",
    "Kubernetes platform", "Generative AI assistant", "Windows modernization", "VMware exit", "Managed operations", "Security review",
    "Well-Architected review", "Database migration", "Cost optimization", "Serverless portal", "Media archive", "IoT telemetry",
    "HPC cluster", "Backup to the cloud", "ERP hosting", "E-commerce replatform", "Analytics proof of concept", "Tender 2026/17",
)  # fmt: skip
SENTENCES = (
    "The customer runs two data centres and wants to leave one of them.", "Budget is approved for this fiscal year.",
    "Waiting for the security team.", "Needs a quote before the end of the quarter.", "Legacy Oracle database, 4 TB.",
    "They asked for a reference call.", "Decision maker changed, the new one starts in spring.", 'He calls it "phase one".',
    "Traffic peaks on Black Friday.", "Licences are not transferable.", "The workload must stay in the EU.",
    "Follow-up planned after the workshop.", "First line\nsecond line", "Column A\tColumn B\t12.5",
    r"Share is \\fileserver\deals\2026", r"An exported null reads \N there.", "Größe und Zeitplan offen — später klären.",
    "日本のお客様です。", "Great meeting 🚀", "<p>Call back on <b>Monday</b></p>", "Price, scope; dates: all open.", "50% discount?",
    "It's the customer's own account.", "No next step agreed.",
)  # fmt: skip
"""Every character that a careless copy trips over: tab, line feed, backslash, quote, the null mark of COPY, emoji."""
WORDS = (
    "standard", "premium", "pilot", "alpha", "beta", "north", "south", "east", "west", "core", "edge", "shared", "legacy", "default",
    "priority", "review", "quarterly", "strategic", "internal", "external",
)  # fmt: skip
STREETS = (
    "Market Street",
    "Main Street",
    "Oak Avenue",
    "Harbour Road",
    "Industrial Way",
    "Bahnhofstraße",
    "Rue de l'Église",
    "5th Ave",
)
COUNTRIES: dict[str, tuple[str, str]] = {
    "United States": ("US", "1"), "Canada": ("CA", "1"), "United Kingdom": ("GB", "44"), "Germany": ("DE", "49"),
    "Australia": ("AU", "61"), "France": ("FR", "33"), "Netherlands": ("NL", "31"), "India": ("IN", "91"), "Brazil": ("BR", "55"),
    "Japan": ("JP", "81"), "Singapore": ("SG", "65"), "United Arab Emirates": ("AE", "971"), "Spain": ("ES", "34"),
    "Sweden": ("SE", "46"), "Mexico": ("MX", "52"), "Ireland": ("IE", "353"), "Austria": ("AT", "43"), "Switzerland": ("CH", "41"),
    "Italy": ("IT", "39"), "Poland": ("PL", "48"), "Portugal": ("PT", "351"), "Norway": ("NO", "47"), "Denmark": ("DK", "45"),
    "Finland": ("FI", "358"), "Belgium": ("BE", "32"), "New Zealand": ("NZ", "64"), "South Africa": ("ZA", "27"),
    "Israel": ("IL", "972"), "Chile": ("CL", "56"), "Argentina": ("AR", "54"), "Colombia": ("CO", "57"), "Panama": ("PA", "507"),
}  # fmt: skip
"""Name -> ISO code and telephone prefix; only the first CUSTOMER_COUNTRIES have companies."""
CUSTOMER_COUNTRIES = 15
STATES = (
    ("US", "CA", "California"), ("US", "NY", "New York"), ("US", "TX", "Texas"), ("US", "WA", "Washington"),
    ("US", "FL", "Florida"), ("US", "IL", "Illinois"), ("US", "MA", "Massachusetts"), ("US", "CO", "Colorado"),
    ("US", "GA", "Georgia"), ("US", "OH", "Ohio"), ("US", "PA", "Pennsylvania"), ("US", "VA", "Virginia"),
    ("US", "OR", "Oregon"), ("US", "AZ", "Arizona"), ("US", "MN", "Minnesota"), ("US", "NC", "North Carolina"),
    ("CA", "ON", "Ontario"), ("CA", "QC", "Quebec"), ("CA", "BC", "British Columbia"), ("GB", "ENG", "England"),
    ("GB", "SCT", "Scotland"), ("DE", "BY", "Bayern"), ("DE", "NW", "Nordrhein-Westfalen"), ("AU", "NSW", "New South Wales"),
    ("AU", "VIC", "Victoria"), ("FR", "IDF", "Île-de-France"), ("NL", "NH", "Noord-Holland"), ("IN", "MH", "Maharashtra"),
    ("IN", "KA", "Karnataka"), ("BR", "SP", "São Paulo"), ("JP", "13", "Tokyo"), ("SG", "01", "Central Singapore"),
    ("AE", "DU", "Dubai"), ("ES", "MD", "Madrid"), ("SE", "AB", "Stockholm"), ("MX", "CMX", "Ciudad de México"),
)  # fmt: skip
CITIES = (
    "Springfield",
    "Riverton",
    "Lakewood",
    "Fairview",
    "Georgetown",
    "Salem",
    "Neustadt",
    "Saint-Denis",
    "Santa Fe",
    "Kingston",
)
STAGES = (
    ("New", "Prospect"), ("Qualified", "Qualified"), ("Discovery", "Technical Validation"), ("Proposition", "Business Validation"),
    ("Negotiation", "Committed"), ("Won", "Launched"), ("Launched on AWS", "Launched"), ("On hold", "Prospect"),
)  # fmt: skip
TEAMS = (
    "Enterprise East",
    "Enterprise West",
    "Mid-Market",
    "Public Sector",
    "Startups",
    "EMEA",
    "Partner Referrals",
    "Old Inside Sales",
)
SERVICES = (
    "AmazonEC2",
    "AmazonS3",
    "AmazonRDS",
    "AWSLambda",
    "AmazonCloudFront",
    "AWSSupportBusiness",
    "AmazonEKS",
    "AWSDataTransfer",
)


@cache
def enums() -> dict[str, Any]:
    """The value lists of the APN columns, with the other spellings under which they are met."""
    found: dict[str, Any] = json.loads(_ENUMS.read_text(encoding="utf-8"))
    return found


def values_of(name: str) -> tuple[str, ...]:
    """The values of one list."""
    return tuple(enums()[name]["values"])


def drifted(name: str) -> tuple[str, ...]:
    """The other spellings of one list's values."""
    return tuple(enums()[name].get("aliases", {}))


def enum_of(column: str) -> str | None:
    """The list that a column `table.column` takes its values from."""
    return next(
        (name for name, listed in enums().items() if column in listed.get("columns", ()) and name != "_meta"),
        None,
    )
