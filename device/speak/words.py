"""The tables of `device.speak.speakable`: what English signs, units and abbreviations are called."""

from device.speak.numbers import MONTHS

MONTH_NAMES = frozenset(MONTHS) | {"Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"}

# Words after which a number like 1984 is a year.
YEAR_PREPOSITIONS = frozenset(
    "in since from until till by of year before after during around circa late early mid to "
    "spring summer autumn fall winter".split()
)

# Words after which 80s is a decade, and what a decade ends with when it is spoken.
DECADE_OPENERS = frozenset("the my your his her our their its early mid late".split())
DECADES = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")

# Words after which a Roman number is how many-th of a kind it is, and not a king: "War II", but "Henry VIII".
NUMBERED = frozenset(
    "War Wars Part Parts Chapter Volume Book Act Scene Episode Type Phase Class Stage Level Grade Group Title Section Article"
    " Appendix Figure Table Step Bowl Apollo Rocky Fantasy".split()
)

# A token of its own.  A hyphen or dash isn't here: it is a pause.
SIGNS = {
    "&": "and", "+": "plus", "=": "equals", "×": "times", "*": "times", "÷": "divided by", "/": "divided by",
    "−": "minus", "<": "is less than", ">": "is more than", "≤": "is at most", "≥": "is at least", "≈": "is about",
    "%": "percent", "@": "at", "°": "degrees", "→": "to",
}  # fmt: skip

# Behind a number.  Letters that are words too ("in", "a") aren't here.
UNITS = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "kmh": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"), "km/s": ("kilometer per second", "kilometers per second"),
    "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"), "m³": ("cubic meter", "cubic meters"),
    "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "l": ("liter", "liters"), "L": ("liter", "liters"), "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"), "tsp": ("teaspoon", "teaspoons"), "tbsp": ("tablespoon", "tablespoons"),
    "s": ("second", "seconds"), "sec": ("second", "seconds"), "secs": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"),
    "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"),
    "°": ("degree", "degrees"), "°C": ("degree Celsius", "degrees Celsius"), "℃": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"), "dB": ("decibel", "decibels"),
    "KB": ("kilobyte", "kilobytes"), "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"), "kcal": ("kilocalorie", "kilocalories"),
    "%": ("percent", "percent"), "$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"),
    "¥": ("yen", "yen"),
}  # fmt: skip

# Written with their dot; looked up as written, then in lower case.
ABBREVIATIONS = {
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Prof.": "Professor", "Jr.": "Junior",
    "Sr.": "Senior", "Gen.": "General", "Sen.": "Senator", "Rep.": "Representative", "Mt.": "Mount", "Ave.": "Avenue",
    "Blvd.": "Boulevard", "Rd.": "Road", "No.": "number", "Nos.": "numbers", "Jan.": "January", "Feb.": "February",
    "Aug.": "August", "Sept.": "September", "Sep.": "September", "Oct.": "October", "Nov.": "November",
    "Dec.": "December", "U.S.": "U S", "U.K.": "U K", "U.N.": "U N", "D.C.": "D C", "Ph.D.": "P H D",
    "e.g.": "for example,", "i.e.": "that is,", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "est.": "established", "dept.": "department", "min.": "minutes", "hrs.": "hours",
    "hr.": "hour", "sec.": "seconds", "ft.": "feet", "lbs.": "pounds", "oz.": "ounces", "w/": "with", "w/o": "without",
    "b/c": "because",
}  # fmt: skip

# Capitals that espeak would read as a word.
SPELLED = {
    "LED": "L E D", "LEDs": "L E Ds", "US": "U S", "IT": "I T", "UN": "U N", "SOS": "S O S", "FAQ": "F [[ˈeɪ]] Q",
    "IP": "I P", "ID": "I D", "OS": "O S", "API": "[[ˌeɪpˌiːˈaɪ]]", "DIY": "D I Y", "EU": "E U", "PIN": "pin",
    "24/7": "twenty-four seven", "9/11": "nine eleven", "WHO": "W H O", "GIF": "gif", "VAT": "V [[ˌeɪ]] T",
}  # fmt: skip
