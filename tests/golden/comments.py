"""Where the calendar is awkward in the lists of ten years: the time of a row, and what it shows."""

type Comments = list[tuple[str, str]]

_AZURE_CLI: Comments = [
    ("2024-01-07T06:30:00Z", "The anchor was Sunday 2021-08-15; the weeks are counted on from there."),
    ("2024-06-02T06:30:00Z", "P3M is three months, here 92 days: 2 September."),
    ("2025-11-30T06:30:00Z", "30 November + P3M would be 30 February: clipped to 28 February 2026."),
    ("2028-12-31T06:30:00Z", "The last Sunday of 2028 closes week 52; three months later March has a 31st, too."),
    ("2031-11-30T06:30:00Z", "Clipped to 29 February, as 2032 is a leap year."),
    ("2032-02-29T06:30:00Z", "A backup on 29 February expires on 29 May: nothing to clip."),
    ("2033-09-25T06:30:00Z", "The last one to be deleted before the end of the list."),
    ("2033-10-02T06:30:00Z", "Expires one day and some hours after the end of the list."),
]

_POWERSHELL: Comments = [
    (
        "2024-01-07T23:00:00Z",
        "The anchor is the first slot. Ten years later it expires a week after the end: no point is deleted.",
    ),
    ("2028-12-31T23:00:00Z", "The last hour of a year that ends on a Sunday."),
    ("2032-02-29T23:00:00Z", "29 February + P10Y: 2042 is no leap year, so it is 28 February."),
    ("2033-12-25T23:00:00Z", "The last Sunday before the end; 1 January 2034 at 23:00 is not before it."),
]

_GFS_BERLIN: Comments = [
    (
        "2024-01-01T01:00:00Z",
        "The first of the day, the week, the month and the year: the smallest priority wins, the point is Yearly.",
    ),
    ("2024-01-08T01:00:00Z", "A Monday: the first of ISO week 2."),
    ("2024-02-01T01:00:00Z", "A Thursday: the month's first. Its week has a Weekly of its own on 29 January."),
    ("2024-02-29T01:00:00Z", "A leap day: an ordinary Thursday here, kept P7D until 7 March."),
    (
        "2024-03-31T01:00:00Z",
        "02:00 does not exist: the slot runs at 03:00 summer time, which is 01:00Z as the day before.",
    ),
    ("2024-04-01T00:00:00Z", "02:00 summer time. The month's first on a Monday: Monthly wins, week 14 has no Weekly."),
    ("2024-10-26T00:00:00Z", "The last day of summer time."),
    ("2024-10-27T00:00:00Z", "02:00 occurs twice: it is due at its first occurrence, in summer time, and only once."),
    ("2024-10-28T01:00:00Z", "25 hours later: winter time."),
    ("2024-12-30T01:00:00Z", "A Monday: the first of week 1 of 2025, still in 2024."),
    ("2025-01-01T01:00:00Z", "The year's first lies in the week whose Weekly was on 30 December."),
    (
        "2025-02-01T01:00:00Z",
        "January 2025 has no Monthly: its first was the year's first. Kept until 1 February 2026.",
    ),
    ("2026-12-28T01:00:00Z", "A Monday: the first of ISO week 53 of 2026."),
    ("2027-01-01T01:00:00Z", "A Friday in week 53 of 2026: the first of the year, but not of its week."),
    ("2027-01-03T01:00:00Z", "The Sunday of week 53 of 2026: no first of anything."),
    ("2027-01-04T01:00:00Z", "Week 1 of 2027 begins on its first Monday."),
    ("2027-02-01T01:00:00Z", "The first of the month and of the week: the smaller priority wins, so it is Monthly."),
    ("2029-01-01T01:00:00Z", "A year that begins on a Monday, with week 1: Yearly alone, neither Monthly nor Weekly."),
    ("2032-12-27T01:00:00Z", "The first of the second week 53 in these ten years."),
    ("2033-01-01T01:00:00Z", "A Saturday in week 53 of 2032."),
    ("2033-03-27T01:00:00Z", "The last gap of the ten years: 02:00 runs at 03:00."),
    ("2033-10-30T00:00:00Z", "The last doubled 02:00 of the ten years."),
    ("2033-12-31T01:00:00Z", "The newest point; it outlives the end by its P7D."),
]

_WEEKLY_NEW_YORK: Comments = [
    (
        "2024-01-01T07:30:00Z",
        "Anchored on Sunday 2023-12-24 at 23:30-08:00: that instant is a Monday's 02:30 in New York, and so are all others.",
    ),
    (
        "2024-03-04T07:30:00Z",
        "The month's first. No Thursday came before it: their interval is not yet anchored.",
    ),
    (
        "2024-03-07T07:30:00Z",
        "The anchor of Thursdays, an instant in winter time written in UTC: its wall time of 02:30 recurs, not its 07:30Z.",
    ),
    (
        "2024-03-11T06:30:00Z",
        "An hour sooner: the clocks went forward on Sunday, when nothing is due. A Monday or Thursday never meets a gap here.",
    ),
    ("2024-03-14T06:30:00Z", "The first Thursday in summer time: a week after its anchor less an hour."),
    (
        "2024-11-04T07:30:00Z",
        "The Monday after winter time came back, and the month's first; P13M ends on 4 December 2025.",
    ),
    ("2025-01-02T07:30:00Z", "The month's first is a Thursday. 2 January + P13M is 2 February of the next year."),
    ("2025-01-27T07:30:00Z", "P35D is 35 days: 3 March."),
    ("2025-09-01T06:30:00Z", "P13M is reckoned in UTC, so it expires at 06:30Z, whatever New York's clocks show then."),
    ("2028-02-28T07:30:00Z", "P35D over a leap day."),
    ("2033-12-01T07:30:00Z", "P13M over the end of a year: 1 January 2035."),
    ("2033-12-29T07:30:00Z", "The newest point."),
]

_MONTH_END_APIA: Comments = [
    (
        "2024-01-01T10:30:00Z",
        "23:30 in Apia, 13 hours ahead of UTC. The anchor, a day earlier, was December's last day and lies before the list.",
    ),
    ("2024-01-31T10:30:00Z", "The last day of a month of 31 days."),
    ("2024-02-28T10:30:00Z", "In a leap year 28 February is not the last day."),
    ("2024-02-29T10:30:00Z", "29 February is. P5Y leads into 2029, which has none: clipped to the 28th."),
    ("2024-04-30T10:30:00Z", "The last day of a month of 30 days."),
    ("2024-09-29T10:30:00Z", "Samoa moved its clocks on such Sundays until 2021. It gave that up: still 10:30Z."),
    ("2025-02-28T10:30:00Z", "In a common year 28 February is the last day."),
    ("2028-02-29T10:30:00Z", "Clipped to 28 February 2033, before the end of the list."),
    ("2028-12-31T10:30:00Z", "The last MonthEnd to be deleted in these ten years, on their last day."),
    ("2029-01-31T10:30:00Z", "Outlives the end of the list by a month."),
    ("2033-12-31T10:30:00Z", "The newest point: a month's end once more."),
]

_LEAP_DAY: Comments = [
    ("2024-01-01T00:00:00Z", "The anchor is the beginning of the list, which counts as in it."),
    ("2024-02-15T00:00:00Z", "P14D ends on 29 February."),
    ("2024-02-16T00:00:00Z", "P14D over the leap day ends on 1 March."),
    (
        "2024-02-29T00:00:00Z",
        "The day that matches. P10Y leads into 2034, which has no 29 February: clipped to the 28th.",
    ),
    ("2024-03-01T00:00:00Z", "The day after is an ordinary one."),
    ("2025-02-28T00:00:00Z", "The last day of February is not the 29th: nothing matches in a common year."),
    ("2028-02-29T00:00:00Z", "Four years later; no 29 February of these ten years is deleted in them."),
    ("2032-02-29T00:00:00Z", "The last one."),
    ("2033-12-17T00:00:00Z", "The last one to be deleted before the end of the list."),
    ("2033-12-18T00:00:00Z", "Expires at the very end, which no longer counts."),
]

COMMENTS: dict[str, Comments] = {
    "azure-cli-default": _AZURE_CLI,
    "powershell-default": _POWERSHELL,
    "gfs-berlin": _GFS_BERLIN,
    "weekly-new-york": _WEEKLY_NEW_YORK,
    "month-end-apia": _MONTH_END_APIA,
    "leap-day": _LEAP_DAY,
}
