"""Word lists of the generated invoices: what a heavy-duty shop sells, does, writes and bills. All invented."""

from __future__ import annotations

from typing import Final, NamedTuple


class PartKind(NamedTuple):
    """A part as it stands in the catalogue; prices in whole cents per unit."""

    description: str
    number: str
    category: str
    low: int
    high: int
    most: int  # usual largest quantity on one line


PARTS: Final[tuple[PartKind, ...]] = (
    PartKind("OIL FILTER", "LF14", "FILTERS", 1899, 5499, 2),
    PartKind("FUEL FILTER", "FF63", "FILTERS", 2250, 7450, 2),
    PartKind("FUEL/WATER SEPARATOR", "FS20", "FILTERS", 3100, 8900, 2),
    PartKind("AIR FILTER ELEMENT, PRIMARY", "AF27", "FILTERS", 5400, 14500, 1),
    PartKind("CABIN AIR FILTER", "CF10", "FILTERS", 1600, 4200, 2),
    PartKind("COOLANT FILTER", "WF20", "FILTERS", 1400, 2900, 1),
    PartKind("15W-40 ENGINE OIL, GALLON", "OIL1540", "FLUIDS", 1650, 2400, 11),
    PartKind("GEAR OIL 75W-90 SYNTHETIC", "OIL7590", "FLUIDS", 900, 1900, 6),
    PartKind("CHASSIS GREASE TUBE", "GRS2", "FLUIDS", 499, 950, 4),
    PartKind("DEF 2.5 GALLON JUG", "DEF25", "FLUIDS", 1099, 1799, 4),
    PartKind("ANTI-FREEZE EXTENDED LIFE, GALLON", "AFELC", "FLUIDS", 1500, 2600, 8),
    PartKind("WASHER FLUID", "WSHR", "FLUIDS", 349, 600, 3),
    PartKind("FREON R134A, POUND", "R134", "FLUIDS", 1400, 3200, 4),
    PartKind("BRAKE SHOE KIT 16.5X7 LINED", "BSK4707", "BRAKES", 6250, 14900, 4),
    PartKind("BRAKE DRUM 16.5 OUTBOARD", "BDR3600", "BRAKES", 11900, 22900, 4),
    PartKind("BRAKE CHAMBER T30/30", "BC3030", "BRAKES", 5800, 12900, 2),
    PartKind("SLACK ADJUSTER, AUTOMATIC", "SAA28", "BRAKES", 7900, 16500, 2),
    PartKind("AIR DRYER CARTRIDGE", "ADC65", "AIR", 4500, 9900, 1),
    PartKind("AIR HOSE 3/8 RED 12FT", "AH12R", "AIR", 2200, 5100, 2),
    PartKind("GLAD HAND SEAL", "GHS1", "AIR", 150, 420, 8),
    PartKind("QUICK RELEASE VALVE", "QRV5", "AIR", 2400, 6700, 1),
    PartKind("LEVELING VALVE", "LVL9", "AIR", 4100, 9800, 1),
    PartKind("AIR SPRING, DRIVE AXLE", "AS9780", "SUSPENSION", 13900, 28900, 2),
    PartKind("SHOCK ABSORBER", "SHK85", "SUSPENSION", 6900, 15900, 4),
    PartKind("TORQUE ARM BUSHING", "TAB3", "SUSPENSION", 3300, 8700, 4),
    PartKind("KING PIN KIT", "KPK2", "STEERING", 14500, 32500, 2),
    PartKind("TIE ROD END, LEFT", "TREL", "STEERING", 5200, 11900, 1),
    PartKind("DRAG LINK", "DRL4", "STEERING", 11800, 24900, 1),
    PartKind("WHEEL SEAL", "WS370", "WHEEL END", 2700, 6400, 4),
    PartKind("WHEEL BEARING SET", "WBS413", "WHEEL END", 4800, 11600, 4),
    PartKind("HUB CAP GASKET", "HCG6", "WHEEL END", 180, 560, 4),
    PartKind("LUG NUT, 33MM", "LN33", "WHEEL END", 260, 690, 10),
    PartKind("STEER TIRE 295/75R22.5", "TIR295", "TIRES", 34900, 58900, 2),
    PartKind("RECAP DRIVE TIRE 11R22.5", "RCP11", "TIRES", 17900, 28900, 8),
    PartKind("TIRE VALVE STEM", "TVS8", "TIRES", 340, 880, 4),
    PartKind("ALTERNATOR 12V 160A", "ALT160", "ELECTRICAL", 22900, 48900, 1),
    PartKind("STARTER MOTOR 39MT", "STR39", "ELECTRICAL", 28900, 61900, 1),
    PartKind("BATTERY GROUP 31", "BAT31", "ELECTRICAL", 12900, 22900, 4),
    PartKind("LED MARKER LAMP, AMBER", "LEDA2", "ELECTRICAL", 420, 1290, 6),
    PartKind("HEADLAMP ASSEMBLY, RIGHT", "HDLR", "ELECTRICAL", 14900, 39900, 1),
    PartKind("7-WAY CABLE 15FT", "SEV15", "ELECTRICAL", 4900, 10900, 1),
    PartKind("IGNITION COIL PACK", "IGC4", "ELECTRICAL", 7800, 19900, 1),
    PartKind("FUSE, 20A BLADE", "FUS20", "ELECTRICAL", 45, 150, 6),
    PartKind("WIRING HARNESS, DEFROSTER", "WHDF", "ELECTRICAL", 9100, 24100, 1),
    PartKind("NOX SENSOR, OUTLET", "NOXO", "AFTERTREATMENT", 38900, 72900, 1),
    PartKind("DPF GASKET KIT", "DPFG", "AFTERTREATMENT", 3900, 9900, 1),
    PartKind("DEF DOSER VALVE", "DDV1", "AFTERTREATMENT", 31900, 58900, 1),
    PartKind("EGR COOLER", "EGRC", "ENGINE", 64900, 129900, 1),
    PartKind("TURBO ACTUATOR", "TRBA", "ENGINE", 48900, 99900, 1),
    PartKind("VALVE COVER GASKET", "VCG15", "ENGINE", 4400, 13900, 1),
    PartKind("SERPENTINE BELT 8PK", "SB8", "ENGINE", 3900, 9800, 1),
    PartKind("WATER PUMP", "WTP15", "ENGINE", 16900, 42900, 1),
    PartKind("THERMOSTAT", "THR180", "ENGINE", 3500, 9400, 1),
    PartKind("RADIATOR HOSE, UPPER", "RHU2", "COOLING", 3200, 8600, 1),
    PartKind("HOSE CLAMP, CONSTANT TORQUE", "HCCT", "COOLING", 310, 990, 6),
    PartKind("SURGE TANK CAP", "STC1", "COOLING", 1290, 2900, 1),
    PartKind("CLUTCH KIT 15.5", "CLK155", "DRIVELINE", 64900, 118900, 1),
    PartKind("U-JOINT 1710", "UJ1710", "DRIVELINE", 4900, 11900, 3),
    PartKind("CARRIER BEARING", "CRB2", "DRIVELINE", 8900, 18900, 1),
    PartKind("MUD FLAP 24X30", "MF2430", "BODY", 1290, 2990, 2),
    PartKind("MIRROR GLASS, HEATED", "MRGH", "BODY", 4900, 12900, 1),
    PartKind("WIPER BLADE 22", "WPB22", "BODY", 890, 2190, 2),
    PartKind("DECAL, DOT NUMBER", "DCL4", "BODY", 1199, 3999, 2),
    PartKind("DOOR HINGE, TRAILER", "DHT1", "TRAILER", 2890, 6990, 3),
    PartKind("LANDING GEAR CRANK", "LGC2", "TRAILER", 3900, 7900, 1),
    PartKind("REFLECTIVE TAPE, ROLL", "RFT2", "TRAILER", 4900, 8900, 1),
    PartKind("SHOP SUPPLIES KIT", "SSK1", "SUPPLIES", 500, 1500, 2),
    PartKind("ZIP TIE, 14 IN", "ZT14", "SUPPLIES", 12, 55, 20),
    PartKind("BRAKE CLEANER, CAN", "BRC1", "SUPPLIES", 399, 799, 4),
    PartKind("SILICONE RTV, TUBE", "RTV3", "SUPPLIES", 890, 1690, 2),
)

CORE_PARTS: Final[tuple[str, ...]] = (
    "BRAKE SHOE CORE", "ALTERNATOR CORE", "STARTER CORE", "TURBO CORE", "EGR COOLER CORE", "WATER PUMP CORE",
    "BATTERY CORE",
)  # fmt: skip
FREIGHT_PARTS: Final[tuple[str, ...]] = ("INBOUND FREIGHT", "FREIGHT - OVERNIGHT", "FREIGHT/HANDLING")
SUBLET_PARTS: Final[tuple[str, ...]] = (
    "MACHINE SHOP - RESURFACE FLYWHEEL",
    "OUTSIDE TOWING",
    "WINDSHIELD INSTALL, OUTSIDE",
)

JOBS: Final[tuple[tuple[str, str, str, str], ...]] = (
    # component, system, service, complaint note
    ("BRAKES", "AIR BRAKES", "REPLACE BRAKE SHOES AND DRUMS", "BRAKES SQUEAL AND PULL LEFT"),
    ("ENGINE", "FUEL SYSTEM", "DIAGNOSE LOW POWER", "CHK ENGINE LIGHT- LOW POWER"),
    ("ENGINE", "LUBRICATION", "OIL AND FILTER SERVICE", "PM SERVICE DUE"),
    ("ENGINE", "COOLING", "REPLACE WATER PUMP", "COOLANT LEAK UNDER CAB"),
    ("AFTERTREATMENT", "DPF", "FORCED REGEN AND INSPECTION", "DPF LAMP FLASHING, DERATE"),
    ("AFTERTREATMENT", "SCR", "REPLACE NOX SENSOR", "DEF LIGHT ON, 5 MPH COUNTDOWN"),
    ("CHASSIS MAINTENANCE", "MAINTENANCE", "ANNUAL DOT INSPECTION", "DOT INSPECTION DUE"),
    ("CHASSIS MAINTENANCE", "MAINTENANCE", "CHASSIS LUBE", "GREASE ALL POINTS"),
    ("SUSPENSION", "AIR RIDE", "REPLACE AIR SPRING", "TRUCK LEANS TO THE RIGHT"),
    ("STEERING", "FRONT AXLE", "REPLACE KING PINS", "FRONT END LOOSE, SHIMMY AT 55"),
    ("WHEEL END", "HUBS", "REPLACE WHEEL SEAL", "WHEEL SEAL LEAKING LEFT REAR"),
    ("TIRES", "TIRES", "MOUNT AND BALANCE", "TWO DRIVE TIRES WORN"),
    ("ELECTRICAL", "CHARGING", "REPLACE ALTERNATOR", "BATTERIES GO FLAT OVERNIGHT"),
    ("ELECTRICAL", "LIGHTING", "REPAIR TRAILER LIGHTS", "NO MARKER LIGHTS ON TRAILER"),
    ("HVAC", "A/C", "RECHARGE AND LEAK TEST", "A/C BLOWS WARM"),
    ("DRIVELINE", "CLUTCH", "REPLACE CLUTCH", "CLUTCH SLIPS UNDER LOAD"),
    ("DRIVELINE", "DRIVESHAFT", "REPLACE U-JOINTS", "VIBRATION AT HIGHWAY SPEED"),
    ("BODY", "DOORS", "REPAIR TRAILER DOOR HINGE", "REAR DOOR DOES NOT CLOSE"),
)

FINDINGS: Final[tuple[str, ...]] = (
    "INSPECTED AND VERIFIED COMPLAINT.",
    "FOUND LEAK AT FITTING, CLEANED AND RESEALED.",
    "REMOVED AND REPLACED WORN COMPONENTS, TORQUED TO SPECIFICATION.",
    "CONNECTED DIAGNOSTIC TOOL, READ ACTIVE AND INACTIVE CODES, CLEARED CODES AFTER REPAIR.",
    "ROAD TESTED 8 MILES, NO FURTHER FAULT.",
    "ADJUSTED AND LUBRICATED.",
    "CUSTOMER DECLINED FURTHER WORK AT THIS TIME, RECOMMEND WITHIN 30 DAYS.",
    "CHECKED ALL AIR LINES FOR CHAFING, SECURED WITH NEW TIES.",
    "FLUSHED SYSTEM, REFILLED AND BLED; LEVEL OK.",
    "WAITED FOR PARTS, RESUMED NEXT DAY.",
    "CLEANED GROUNDS AND CONNECTORS, APPLIED DIELECTRIC GREASE.",
    "MEASURED LINING AND DRUM, WITHIN LIMITS ON OTHER AXLES.",
)
AWKWARD_TEXT: Final[tuple[str, ...]] = (
    'DRIVER SAID: "IT\'S LOUD" -- 5" PIPE CRACKED',
    "Señor Muñoz asked for a call before work > $500",
    "Temp. 95 °C, crankcase ½ full, torque ±5 N·m",
    "C:\\FLEET\\UNIT 12\tTAB AND \\ BACKSLASH",
    "顧客の要望: ブレーキ点検",
    "looks fine 👍 🚚 per driver",
    "<b>HOT</b> & 'quoted'; drop table invoices; --",
    "line one\r\nline two\r\n\r\nline four",
)
CAUSES: Final[tuple[str, ...]] = (
    ".",
    ".",
    ".",
    "Customer request",
    "Wear and tear",
    "Road debris",
    "Corrosion",
    "",
)
CAUSE_TYPES: Final[tuple[str | None, ...]] = (None, None, None, "Normal Wear", "Damage")
SEVERITIES: Final[tuple[str, ...]] = (" - ", " - ", " - ", " - ", "Low", "Medium", "High")

TECHNICIANS: Final[tuple[str, ...]] = (
    "Sam Wrench", "Robin Lead", "Alex Torque", "Jo Piston", "Casey Gasket", "Devon Bearing", "Morgan Axle", "Riley Clutch",
    "Taylor Spring", "Jamie Valve", "Quinn Drum", "Avery Socket", "Drew O'Gear", "Ángel Martillo",
)  # fmt: skip
WRITERS: Final[tuple[str, ...]] = ("ALEX WRITER", "PAT COUNTER", "KIM DESK", "LEE SERVICE")
CONTACTS: Final[tuple[str, ...]] = (
    "PAT SAMPLE", "CHRIS DISPATCH", "DANA FLEET", "SHAWN YARD", "JEAN OWNER", "RENE SAFETY", "LOU MANAGER",
)  # fmt: skip

CUSTOMER_FIRST: Final[tuple[str, ...]] = (
    "SAMPLE", "NORTHLINE", "BLUE RIVER", "GRANITE", "PRAIRIE", "LAKESHORE", "SUMMIT", "IRON BRIDGE", "CEDAR", "RED BARN",
    "EASTGATE", "HIGH PLAINS", "STONE CREEK", "TWIN PINES", "OLD MILL", "CAPITAL", "THREE RIVERS", "EVERGREEN", "MERIDIAN",
    "COPPER", "WHITE OAK", "SILVER LAKE", "FOUR CORNERS", "VALLEY", "HARBOR",
)  # fmt: skip
CUSTOMER_SECOND: Final[tuple[str, ...]] = (
    "HAULING", "TRUCKING", "LOGISTICS", "FREIGHT LINES", "EXCAVATING", "PAVING", "DAIRY TRANSPORT", "LEASING", "CARTAGE",
    "WASTE SERVICES", "CONCRETE", "GRAIN", "TOWING", "FARMS", "SCHOOL BUS", "REFRIGERATED", "TANK LINES",
)  # fmt: skip
CUSTOMER_FORM: Final[tuple[str, ...]] = ("LLC", "INC", "INC.", "CO", "& SONS", "CORP", "LLC.", "")
ACCENTED_FIRST: Final[tuple[str, ...]] = ("MUÑOZ", "JOSÉ GARCÍA", "MÜLLER", "ÉTOILE", "SØREN")
LONG_TITLE_TAIL: Final = " D/B/A GREATER MIDWEST HEAVY EQUIPMENT, TRANSPORT, STORAGE AND SEASONAL AGRICULTURAL SERVICES (ACCOUNTS PAYABLE DEPT.)"
BILLING_COMPANIES: Final[tuple[str, ...]] = (
    "FLEETCARE BILLING SERVICES", "ROADSIDE NETWORK PAYABLES", "SAMPLE TRUCK RENTAL AND LEASING", "WARRANTY ADMINISTRATORS OF EXAMPLE",
)  # fmt: skip
STREETS: Final[tuple[str, ...]] = (
    "Sample Rd",
    "Depot St",
    "Industrial Pkwy",
    "County Line Rd",
    "Terminal Dr",
    "Old Mill Ln",
)
CITIES: Final[tuple[tuple[str, str, str], ...]] = (
    ("Springfield", "MI", "48000"), ("Fairview", "OH", "43000"), ("Riverton", "IN", "46000"), ("Georgetown", "PA", "15000"),
    ("Franklin", "WI", "53000"), ("Clinton", "NY", "12000"),
)  # fmt: skip

MAKES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Freightliner", ("Cascadia", "M2 106", "Columbia")),
    ("Kenworth", ("T680", "T880", "W900")),
    ("Peterbilt", ("579", "389", "567")),
    ("Volvo", ("VNL 760", "VNR 300")),
    ("Mack", ("Anthem", "Granite")),
    ("International", ("LT625", "MV607")),
    ("Hino", ("Conventional Type Truck", "L6")),
    ("Isuzu", ("NPR-HD",)),
    ("Western Star", ("4900",)),
)
TRAILER_MAKES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Great Dane", ("Everest", "Champion")),
    ("Utility", ("3000R", "4000D-X")),
    ("Wabash", ("DuraPlate",)),
    ("Fontaine", ("Flatbed",)),
)
UNIT_WORDS: Final[tuple[str, ...]] = ("FLATBED", "DUMP 3", "SERVICE TRUCK", "SPARE", "YARD DOG", "OLD BLUE")
VIN_PLACEHOLDERS: Final[tuple[str, ...]] = ("UNKNOWN", "N/A", "NEED VIN", "TBD")

SURCHARGES: Final[tuple[str, ...]] = (
    "3% CREDIT CARD SURCHARGE",
    "ENVIRONMENTAL FEE",
    "WASTE OIL DISPOSAL",
    "HAZMAT FEE",
    "STORAGE, PER DAY",
)
FREIGHT_CHARGES: Final[tuple[str, ...]] = ("FREIGHT", "FREIGHT IN - DEALER", "OVERNIGHT FREIGHT")
DISCOUNTS: Final[tuple[str, ...]] = ("FLEET DISCOUNT", "GOODWILL DISCOUNT", "PROMPT PAY DISCOUNT")

TAX_TITLES: Final[tuple[tuple[str, int], ...]] = (
    # title, rate in thousandths of a percent
    ("State Non-Exempt", 6000),
    ("County 8.5", 8500),
    ("Non-Exempt 7.25", 7250),
    ("City and County", 8875),
    ("State Non-Exempt", 6000),
)
EXEMPT_TITLES: Final[tuple[str, ...]] = ("Exempt", "Interstate Commerce Exempt", "Resale", "Out of State")
