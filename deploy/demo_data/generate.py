"""Writes the demonstration firm's clients.csv and cases.csv beside this file: the same ones on every run.

    python -m deploy.demo_data.generate

The people are invented. Their numbers are 555-01xx, which are kept for fiction in every area code; their addresses are
at example.com, example.org and example.net. Among the good rows are some that are wrong, in different ways, and some
that are there twice.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SEED = 20261121
GOOD = 1200
BUSINESSES = 70
CASES = 600
TODAY = dt.date(2026, 11, 21)

CLIENT_COLUMNS = [
    "External ID", "First name", "Last name", "Company", "Date of birth", "Email", "Mobile phone", "Home phone",
    "Status", "Language", "Time zone", "Tags", "Occupation", "Address", "City", "State", "ZIP", "Country",
]  # fmt: skip
CASE_COLUMNS = ["id", "name", "case_type", "status", "client_ids", "county"]

# City, state, time zone, first three digits of its postal codes, county, area codes.
CITIES = [
    ("New York", "NY", "America/New_York", "100", "New York", (212, 332, 646)),
    ("Brooklyn", "NY", "America/New_York", "112", "Kings", (347, 718, 929)),
    ("Buffalo", "NY", "America/New_York", "142", "Erie", (716,)),
    ("Newark", "NJ", "America/New_York", "071", "Essex", (201, 862, 973)),
    ("Philadelphia", "PA", "America/New_York", "191", "Philadelphia", (215, 267)),
    ("Pittsburgh", "PA", "America/New_York", "152", "Allegheny", (412, 878)),
    ("Boston", "MA", "America/New_York", "021", "Suffolk", (617, 857)),
    ("Hartford", "CT", "America/New_York", "061", "Hartford", (860,)),
    ("Providence", "RI", "America/New_York", "029", "Providence", (401,)),
    ("Baltimore", "MD", "America/New_York", "212", "Baltimore", (410, 443)),
    ("Washington", "DC", "America/New_York", "200", "District of Columbia", (202,)),
    ("Richmond", "VA", "America/New_York", "232", "Henrico", (804,)),
    ("Charlotte", "NC", "America/New_York", "282", "Mecklenburg", (704, 980)),
    ("Atlanta", "GA", "America/New_York", "303", "Fulton", (404, 470, 678)),
    ("Miami", "FL", "America/New_York", "331", "Miami-Dade", (305, 786)),
    ("Tampa", "FL", "America/New_York", "336", "Hillsborough", (813,)),
    ("Orlando", "FL", "America/New_York", "328", "Orange", (321, 407)),
    ("Cleveland", "OH", "America/New_York", "441", "Cuyahoga", (216,)),
    ("Detroit", "MI", "America/Detroit", "482", "Wayne", (313,)),
    ("Chicago", "IL", "America/Chicago", "606", "Cook", (312, 773, 872)),
    ("Milwaukee", "WI", "America/Chicago", "532", "Milwaukee", (414,)),
    ("Minneapolis", "MN", "America/Chicago", "554", "Hennepin", (612,)),
    ("Saint Louis", "MO", "America/Chicago", "631", "Saint Louis", (314,)),
    ("Nashville", "TN", "America/Chicago", "372", "Davidson", (615, 629)),
    ("New Orleans", "LA", "America/Chicago", "701", "Orleans", (504,)),
    ("Houston", "TX", "America/Chicago", "770", "Harris", (281, 713, 832)),
    ("Dallas", "TX", "America/Chicago", "752", "Dallas", (214, 469, 972)),
    ("Austin", "TX", "America/Chicago", "787", "Travis", (512, 737)),
    ("San Antonio", "TX", "America/Chicago", "782", "Bexar", (210,)),
    ("Denver", "CO", "America/Denver", "802", "Denver", (303, 720)),
    ("Albuquerque", "NM", "America/Denver", "871", "Bernalillo", (505,)),
    ("Salt Lake City", "UT", "America/Denver", "841", "Salt Lake", (385, 801)),
    ("Boise", "ID", "America/Boise", "837", "Ada", (208,)),
    ("Phoenix", "AZ", "America/Phoenix", "850", "Maricopa", (480, 602, 623)),
    ("Tucson", "AZ", "America/Phoenix", "857", "Pima", (520,)),
    ("Las Vegas", "NV", "America/Los_Angeles", "891", "Clark", (702, 725)),
    ("Los Angeles", "CA", "America/Los_Angeles", "900", "Los Angeles", (213, 310, 323)),
    ("San Diego", "CA", "America/Los_Angeles", "921", "San Diego", (619, 858)),
    ("San Francisco", "CA", "America/Los_Angeles", "941", "San Francisco", (415, 628)),
    ("Sacramento", "CA", "America/Los_Angeles", "958", "Sacramento", (916,)),
    ("Portland", "OR", "America/Los_Angeles", "972", "Multnomah", (503, 971)),
    ("Seattle", "WA", "America/Los_Angeles", "981", "King", (206,)),
    ("Anchorage", "AK", "America/Anchorage", "995", "Anchorage", (907,)),
    ("Honolulu", "HI", "Pacific/Honolulu", "968", "Honolulu", (808,)),
]
# The firm's own sender, and the number that the demonstration's clients answer with.
KEPT_FREE = {"2125550100", "3055550187"}

FIRST_NAMES = {
    "en": "Abigail Adam Alice Amara Andrew Beatrice Benjamin Caleb Camille Charlotte Clara Daniel Deborah Dylan "
          "Edith Elijah Eleanor Emma Ethan Frances Gideon Grace Hannah Henry Imani Isaac Ivy Jamal James "
          "Josephine Julian Kamila Keisha Laura Leah Levi Lillian Lucas Mabel Margaret Malik Naomi Nathan Nora "
          "Oliver Olivia Owen Penelope Priya Rachel Rebecca Samuel Silas Simone Sophia Theodore Thomas Tobias "
          "Violet Walter Wesley Yasmin Zachary Zoë",
    "es": "Alejandra Andrés Beatriz Camila Carmen Diego Dolores Elena Emilio Esteban Fernanda Gabriel Guadalupe "
          "Inés Joaquín José Lucía Luis Manuel María Marisol Mateo Mercedes Miguel Óscar Pilar Rafael Rocío "
          "Santiago Sofía Tomás Valentina Ximena",
    "vi": "An Bảo Chi Dung Hạnh Hương Khánh Lan Linh Long Mai Minh Nam Ngọc Phong Phương Quân Thảo Trang Tuấn",
    "zh": "Bo Chen Fang Hui Jing Jun Lan Lei Li Lin Mei Min Ping Qiang Rong Wei Xin Yan Ying Zhen",
    "fr": "Adèle Antoine Cécile Clément Éloïse Étienne Fabienne François Geneviève Hélène Jean-Baptiste Margaux "
          "Noémie Odette Pascal Régis Sylvie Thérèse",
}  # fmt: skip
LAST_NAMES = {
    "en": "Abbott Adeyemi Ashworth Bancroft Barlow Beckett Bright Calloway Chandler Cole Cooper Dalton Desai "
          "Draper Ellison Everett Fairbanks Falk Finch Fleming Garrison Goldberg Graves Hale Hargrove Hayes "
          "Holloway Hughes Iyer Jefferson Kaplan Kendall Kowalski Lambert Langley Lindqvist Lowell MacLeod "
          "Marsh Mbeki Merritt Monroe Nakamura Nash Norwood O'Brien O'Connell Okafor Osborne Park Patel "
          "Pemberton Prescott Quimby Ramsey Rosenthal Rowe Sato Schröder Sinclair Sorensen Stanton Sullivan "
          "Thatcher Tran-Doyle Underwood Vance Wainwright Whitaker Wójcik Woodard Yates Zielinski",
    "es": "Acosta Aguilar Benítez Cabrera Calderón Castañeda Córdova Delgado Domínguez Escobar Fuentes Gallegos "
          "García Gutiérrez Herrera Ibáñez Jiménez Luna Maldonado Márquez Muñoz Navarro Núñez Ochoa Ortega Peña "
          "Quintero Ramírez Rivas Salazar Santana Solís Trujillo Valdez Vega Villarreal Zamora Zúñiga",
    "vi": "Bùi Đặng Đinh Đỗ Hồ Huỳnh Lê Lý Ngô Nguyễn Phạm Phan Trần Trịnh Võ Vũ",
    "zh": "Cai Chang Deng Feng Gao Guo Han Huang Jiang Liang Liu Lu Luo Ma Peng Shen Song Tang Wang Wu Xiao Xu "
          "Yang Zhao Zheng Zhou",
    "fr": "Beaumont Bélanger Charpentier Delacroix Desrosiers Fontaine Gauthier Lafleur Lefèvre Marchand Moreau "
          "Rousseau Saint-Germain Toussaint Vaillancourt",
}  # fmt: skip
SHARES = {"en": 66, "es": 20, "vi": 5, "zh": 5, "fr": 4}
TRADES = (
    "Bakery", "Bookkeeping", "Builders", "Catering", "Dental Group", "Electric", "Flooring", "Freight", "Gardens",
    "Hardware", "Imports", "Landscaping", "Logistics", "Marine Supply", "Motors", "Nursery", "Optics", "Plumbing",
    "Printing", "Roofing", "Studios", "Textiles", "Towing", "Veterinary Clinic", "Winery",
)  # fmt: skip
FRONTS = (
    "Alder", "Bluebird", "Cedar Hill", "Copper Kettle", "Driftwood", "Eastgate", "Foxglove", "Granite",
    "Harborview", "Ironwood", "Juniper", "Keystone", "Larkspur", "Meridian", "Northwind", "Old Mill", "Pinecrest",
    "Quarry Road", "Riverbend", "Silver Birch", "Tamarack", "Upland", "Vista", "Willow Creek",
)  # fmt: skip
FORMS = ("LLC", "Inc.", "& Sons", "Co.")
STREETS = (
    "Maple St", "Oak Ave", "Cedar Ln", "Washington Blvd", "Lincoln Ave", "Park Pl", "Mill Rd", "Sunset Dr",
    "Highland Ave", "Church St", "Lake View Rd", "Elm Ct", "Prospect St", "Orchard Way",
)  # fmt: skip
OCCUPATIONS = (
    "", "", "Teacher", "Nurse", "Electrician", "Engineer", "Retired", "Chef", "Driver", "Accountant", "Painter",
    "Student", "Musician", "Carpenter", "Pharmacist",
)  # fmt: skip
TAGS = ("", "", "", "vip", "newsletter", "referral", "spring-2026", "newsletter;referral", "vip;newsletter")
NUMBER_FORMS = ("({0}) {1}-{2}", "{0}-{1}-{2}", "{0}.{1}.{2}", "+1{0}{1}{2}", "1 {0} {1} {2}")

Row = dict[str, str]


class Firm:
    """Makes the firm's rows, one after the other, from one stream of chance."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)  # noqa: S311 - the same files every time
        self.numbers = self._all_numbers()
        self.names = self._all_names()
        self.made = 0

    def _all_numbers(self) -> dict[int, list[str]]:
        """What is left of 555-0100 to 555-0199 in each area code, in no order."""
        numbers = {}
        for city in CITIES:
            for area in city[-1]:
                free = [f"{area}55501{line:02d}" for line in range(100) if f"{area}55501{line:02d}" not in KEPT_FREE]
                self.chance.shuffle(free)
                numbers[area] = free
        return numbers

    def _all_names(self) -> dict[str, list[tuple[str, str]]]:
        names = {}
        for language in SHARES:
            pairs = [(f, last) for f in FIRST_NAMES[language].split() for last in LAST_NAMES[language].split()]
            self.chance.shuffle(pairs)
            names[language] = pairs
        return names

    def number(self, areas: tuple[int, ...]) -> str:
        """A number that nobody else has, in one of the forms that people write."""
        area = self.chance.choice([area for area in areas if self.numbers[area]])
        digits = self.numbers[area].pop()
        return self.chance.choice(NUMBER_FORMS).format(digits[:3], digits[3:6], digits[6:])

    def email(self, *words: str) -> str:
        folded = ".".join(ascii_letters(word) for word in words)
        return f"{folded}@example.{self.chance.choice(('com', 'org', 'net'))}"

    def client(self) -> Row:
        """A good row."""
        self.made += 1
        city, state, zone, postal, _, areas = self.chance.choice(CITIES)
        number = self.number(areas)
        row = dict.fromkeys(CLIENT_COLUMNS, "") | {
            "External ID": f"HL-{self.made:05d}", "Mobile phone": number, "Time zone": zone, "City": city,
            "State": state, "ZIP": f"{postal}{self.chance.randrange(1, 99):02d}", "Country": "US",
            "Address": f"{self.chance.randrange(1, 2400)} {self.chance.choice(STREETS)}",
            "Status": self.chance.choices(("active", "prospective", "inactive", "blacklisted"), (82, 10, 6, 2))[0],
            "Tags": self.chance.choice(TAGS),
        }  # fmt: skip
        if self.made % (GOOD // BUSINESSES) == 0:
            place = self.made // (GOOD // BUSINESSES) - 1
            row["Company"] = f"{FRONTS[place % 24]} {TRADES[place * 7 % 25]} {FORMS[place % 4]}"
            row["Email"] = self.email("office", row["Company"].rsplit(" ", 1)[0].replace(" ", ""))
            row["Language"] = "en"
            return row
        language = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
        first, last = self.names[language].pop()
        born = TODAY - dt.timedelta(days=self.chance.randrange(19 * 365, 92 * 365))
        row |= {
            "First name": first, "Last name": last, "Language": language, "Date of birth": born.isoformat(),
            "Email": self.email(first, last) if self.chance.random() < 0.85 else "",
            "Occupation": self.chance.choice(OCCUPATIONS),
        }  # fmt: skip
        chance = self.chance.random()
        if chance < 0.04:
            row["Home phone"], row["Mobile phone"] = row["Mobile phone"], ""
        elif chance < 0.06 and row["Email"]:
            row["Mobile phone"] = ""
        elif chance < 0.2:
            row["Home phone"] = self.number(areas)
        return row

    def wrong(self, **cells: str) -> list[str]:
        """A row with cells that cannot be."""
        return list((self.client() | {name.replace("_", " "): cell for name, cell in cells.items()}).values())


def ascii_letters(word: str) -> str:
    """A word as the local part of an address."""
    plain = unicodedata.normalize("NFKD", word.lower().replace("đ", "d").replace("ł", "l").replace("ø", "o"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def wrong_rows(firm: Firm) -> Iterator[list[str]]:
    """Rows that fail, each sort several times."""
    for _ in range(5):
        yield firm.wrong(First_name="", Last_name="", Company="")
    for number in ("555-0123", "12", "call her sister", "+1 999 555 01", "212-555-012", "n/a"):
        yield firm.wrong(Mobile_phone=number)
    for address in ("ann.example.com", "bob@", "two words@example.com", "@example.org", "carl@example..com"):
        yield firm.wrong(Email=address)
    for status in ("VIP", "Pending", "on hold", "aktive"):
        yield firm.wrong(Status=status)
    for date in ("31/02/1980", "1980-13-01", "spring 1975", "2/30/1990"):
        yield firm.wrong(Date_of_birth=date)
    for date in ("2094-05-01", "2031-12-24"):
        yield firm.wrong(Date_of_birth=date)
    for zone in ("Eastern", "Mars/Olympus Mons"):
        yield firm.wrong(Time_zone=zone)
    for width in (1, 4, 9):
        yield firm.wrong()[:width]
    yield [*firm.wrong(), "one cell too many"]
    yield firm.wrong(First_name="Nor\u200ba")
    yield firm.wrong(Mobile_phone="12", Email="nobody", Status="?")


def doubled_rows(firm: Firm, good: list[Row]) -> Iterator[list[str]]:
    """Rows of people who are in the file already: by their number, by their address, by name and birthday."""
    people = [row for row in good if row["Mobile phone"] and row["Email"] and row["First name"]]
    for place, row in enumerate(firm.chance.sample(people, 12)):
        again = dict.fromkeys(CLIENT_COLUMNS, "") | {name: row[name] for name in ("First name", "Last name")}
        if place % 3 == 0:
            again["Mobile phone"] = "+1" + "".join(filter(str.isdigit, row["Mobile phone"]))[-10:]
        elif place % 3 == 1:
            again |= {"Email": row["Email"].upper(), "First name": row["First name"][0]}
        else:
            again |= {"Date of birth": row["Date of birth"], "First name": row["First name"].upper()}
        yield list(again.values())


def cases(firm: Firm, good: list[Row]) -> Iterator[list[str]]:
    """Cases of the three types that the demonstration makes; most are of the first, and open."""
    counties = {city[0]: city[4] for city in CITIES}
    people = [row for row in good if row["First name"]]
    companies = [row for row in good if row["Company"]]
    # Some come more often than others, so that one client is on several cases.
    regulars = firm.chance.sample(people, 120)
    for number in range(1, CASES + 1):
        case_type = firm.chance.choices(("Probate", "Real estate closing", "Bookkeeping"), (58, 27, 15))[0]
        pool = companies if case_type == "Bookkeeping" else regulars if firm.chance.random() < 0.3 else people
        first = firm.chance.choice(pool)
        others = firm.chance.choices((0, 1, 2), (68, 25, 7))[0] if case_type != "Bookkeeping" else 0
        clients = [first, *firm.chance.sample([row for row in people if row is not first], others)]
        if case_type == "Probate":
            status = firm.chance.choices(("Intake", "In court", "Closed"), (45, 42, 13))[0]
            given = firm.chance.choice(FIRST_NAMES[first["Language"]].split())
            name, county = f"Estate of {given} {first['Last name']}", ""
        elif case_type == "Real estate closing":
            status = firm.chance.choices(("Intake", "Title search", "Closed"), (35, 45, 20))[0]
            name, county = f"Sale of {first['Address']}, {first['City']}", counties[first["City"]]
        else:
            status = firm.chance.choices(("Open", "Closed"), (80, 20))[0]
            name, county = f"Books of {first['Company']}, 2026", counties[first["City"]]
        ids = ";".join(client["External ID"] for client in clients)
        yield [f"C-{number:04d}", name, case_type, status, ids, county]


def generate(folder: Path = HERE) -> None:
    """Writes both files."""
    firm = Firm()
    good = [firm.client() for _ in range(GOOD)]
    rows = [list(row.values()) for row in good]
    wrong = list(wrong_rows(firm))
    for place, row in enumerate(wrong, start=1):
        rows.insert(place * len(rows) // (len(wrong) + 1), row)
    # A double comes after the one that it repeats.
    rows += list(doubled_rows(firm, good))
    write(folder / "clients.csv", [CLIENT_COLUMNS, *rows])
    write(folder / "cases.csv", [CASE_COLUMNS, *cases(firm, good)])


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    generate()
