#!/usr/bin/env python3
"""Writes datetimes.tsv: what the real python-dateutil makes of many texts.

    python3 -m venv /tmp/dateutil
    /tmp/dateutil/bin/pip install python-dateutil==2.9.0.post0
    TZ=UTC /tmp/dateutil/bin/python tests/data/datetimes.py > tests/data/datetimes.tsv

(4.0.0 gives the same table: its parser differs from 2.9.0's only by what Python 2 needed.)

A line is: the text as JSON, a tab, milliseconds since 1970 UTC (cut, not rounded) or `refused`.
A second JSON text in a third column is what dateutil was asked instead, where we read more than it
does: the query's `+` that decoded to a space.

dateutil is asked with everything it would take from its surroundings fixed: today is NOW's day,
the century is NOW's, no zone means UTC, and the zones of RFC 2822 §4.3 have their offsets. Where
dateutil ends in any other exception than its own, the text counts as refused too.
"""

import datetime
import json
import sys
import time
import warnings

import dateutil
from dateutil import parser, tz

# A Wednesday, so that weekdays lie on both sides; the last day of a month that others don't have.
NOW = datetime.datetime(2025, 12, 31, 12, 34, 56, 789000)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ZONES = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}

# fmt: off
TEXTS = r"""
2025-04-30T19:20:37Z
2025-04-30T19:20:37z
2025-04-30T19:20:37
2025-04-30t19:20:37
2025-04-30 19:20:37
2025-04-30T19:20:37.5
2025-04-30T19:20:37.123
2025-04-30T19:20:37,123
2025-04-30T19:20:37.1239
2025-04-30T19:20:37.123456
2025-04-30T19:20:37.123456789
2025-04-30T19:20:37.999999999Z
2025-04-30T19:20:37+01:00
2025-04-30T19:20:37-01:00
2025-04-30T19:20:37+0100
2025-04-30T19:20:37-0130
2025-04-30T19:20:37+01
2025-04-30T19:20:37-1
2025-04-30T19:20:37+05:30
2025-04-30T19:20:37+14:00
2025-04-30T19:20:37-12:00
2025-04-30T19:20:37.123+05:45
2025-04-30T19:20:37 +01:00
2025-04-30T19:20:37 -0100
2025-04-30 19:20:37 UTC
2025-04-30 19:20:37+00:00
2025-04-30 19:20:37-00:00
2025-04-30T19:20:37+23:59
2025-04-30T19:20:37+24:00
2025-04-30T19:20:37+99:99
2025-04-30T19:20:37+123
2025-04-30T19:20:37+
2025-04-30T19:20:37+01:
2025-04-30T19:20:37+01:00:00
2025-04-30T19:20
2025-04-30T19:20Z
2025-04-30T19:20+02:00
2025-04-30T19
2025-04-30T19Z
2025-04-30T19+02
2025-04-30T
2025-04-30
2025-04-31
2025-02-29
2024-02-29
2024-02-30
2025-13-01
2025-00-01
2025-01-00
2025-04
2025-4-3
2025-4
2025-12
2025-13
2025
1999
0099
12025
20250430T192037
20250430T192037Z
20250430T192037.5Z
20250430T192037+0100
20250430T1920
20250430T19
20250430
20250430192037
202504301920
20030925T104941.5-0300
20030925T104941-0300
20030925T104941-03
20030925T10:49:41
20030925 104941
20030925 1049
2025-W18-3
2025-120
2025120
250430
250430 192037
991231
2025/04/30
2025/4/30 7:05
2025.04.30
2025.04.30 19:20:37
2025 04 30
2025,04,30
2025 Apr 30
2025-Apr-30
2025-Apr-30T19:20:37Z
2025/Apr/30
30.04.2025
30.04.2025 19:20
30/04/2025
04/30/2025
04/05/2025
4/5/2025
4-5-2025
04.05.2025
04.05.25
13/12/2025
12/13/2025
13/13/2025
04/30/25
30/04/25
04/05/06
99/01/02
01/02/99
01/02/75
01/02/74
01/02/76
31/01/02
32/01/02
10/32/03
04/30
30/04
04-30
4.30
04/2025
13/2025
30/4/2025 7pm
Apr 30
Apr 30 2025
Apr 30, 2025
April 30, 2025
april 30 2025
APRIL 30, 2025
APR 30 25
30 Apr
30 Apr 2025
30 April 2025 19:20
30-Apr-2025
30/Apr/2025
30/Apr/2025:19:20:37 +0100
30-Apr-25
30Apr2025
Apr-30-2025
Apr/30/2025
Apr-30
Apr.30.2025
Apr 2025
Apr
April
Sept 5
Sep 31
Feb
Feb 2024
Feb 30
May 5, 2025
Apr of 2025
Apr of 25
30 of Apr 2025
30th of April 2025
30th of April, 2025 at 7pm
April 1st, 2025
April 2nd 2025
3rd April 2025
4th Apr 25
1st
31st
32nd
5 April 99
April 99
99 April 5
25-04-Apr
Wed Apr 30 2025
Wednesday
wednesday
Thu
Thursday
Tue
Tuesday 10:00
Sun, 10am
Mon Tue
Wednesday, April 30, 2025
Thu Sep 25 10:36:28 2003
Thu Sep 25 10:36:28 BRST 2003
Thu Sep 25 10:36:28 UTC 2003
Thu Sep 25 10:36:28 EST 2003
Thu Sep 25 10:36:28
Thu Sep 10:36:28
Thu 10:36:28
Sep 10:36:28
Sep 2003
Sep
2003
10:36:28
10:36
Thu, 25 Sep 2003 10:49:41 -0300
Thu, 25 Sep 2003 10:49:41 +0200
Thu, 25 Sep 2003 10:49:41 GMT
Thu, 25 Sep 2003 10:49:41 -0300 (BRST)
Thu, 25 Sep 2003 10:49:41 -0500 (EST)
Thu, 25 Sep 2003 10:49:41 +0000 (Coordinated Universal Time)
Thu, 25 Sep 03 10:49:41 EDT
Thursday, 25-Sep-03 10:49:41 GMT
Sun, 06 Nov 1994 08:49:37 GMT
Sunday, 06-Nov-94 08:49:37 GMT
Sun Nov  6 08:49:37 1994
Thu Sep 25 2003 10:49:41 GMT-0300
Thu Sep 25 2003 10:49:41 GMT+0200 (CEST)
Thu Sep 25 2003 10:49:41 GMT+0200 (Central European Summer Time)
2025-04-30 10:00 UTC
2025-04-30 10:00 utc
2025-04-30 10:00 GMT
2025-04-30 10:00 Z
2025-04-30 10:00 EST
2025-04-30 10:00 EDT
2025-04-30 10:00 CST
2025-04-30 10:00 CDT
2025-04-30 10:00 MST
2025-04-30 10:00 MDT
2025-04-30 10:00 PST
2025-04-30 10:00 PDT
2025-04-30 10:00 est
2025-04-30 10:00EST
2025-04-30 10:00 CET
2025-04-30 10:00 ABCDE
2025-04-30 10:00 ABCDEF
2025-04-30 10:00 Europe/Berlin
2025-04-30 10:00 GMT+3
2025-04-30 10:00 GMT-3
2025-04-30 10:00 UTC+3
2025-04-30 10:00 UTC-03:30
2025-04-30 10:00 BRST+3
2025-04-30 10:00 EST+5
2025-04-30 10:00 EST-0500
2025-04-30 10:00 UTC +3
2025-04-30 10:00 GMT -0300
2025-04-30 10:00 +3 UTC
2025-04-30 10:00 EST EST
EST
UTC
Z
+01:00
13:33+02:00
13:33 +02:00
13:33Z
13:33:05.25
13:33:05,25
13:33:60
23:59:59.999
24:00
24:00:00
00:00
0:0
9:5
12:60
25:00
10:36:28.5.5
10:
:10
10:x
7pm
7 pm
7PM
7p
7 a
7am
7 AM
7:30pm
7:30 pm
7:30:15 PM
7:30 p.m.
7:30 a.m.
7 a.m.
7p.m
12am
12 pm
12pm
12:01am
12:01pm
0am
0 pm
13pm
13 pm
13:00 pm
24am
23am
7.5pm
pm
am 7
7 am pm
7pm Apr 30
Apr 30 7pm
Apr 30 2025 7:05 PM
Apr 30 2025 7:05 PM EST
Apr 30 2025 at 7:05 PM
on Apr 30, 2025 at 7:05
10h36m28.5s
10h36m28s
10h36m
10h36
10h
10 h 36
10 h 36 m 28 s
10h 36m 28s
10.5h
10.25 hours
36m
36.5m
36 minutes
28s
28.5 seconds
28.123456s
10 hours 36 minutes 28 seconds
10h36m28.5s Apr 30 2025
2025-04-30 10h36m
36m 05
28s 5
10h m
30 Apr 2025 10h
h
01h02m03
01h02
01h02s
01m02
01m02h
2004 10 Apr 11h30m
99999999999h 5h
1996.July.10 AD 12:08 PM
July 4, 1976 12:01:02 am
July 4, 1976
7 4 1976
7-4-1976
4 jul 1976
Tue Apr 4 00:22:12 PDT 1995
04.04.95 00:22
0:00 PM, PST
12:08 PM
Wednesday the 30th
5:50 A.M. on June 13, 1990
3rd of May 2001
5th of March 2001
1st of May 2003
01h02m03.004
Friday 13:00
next friday
today
now
tomorrow
yesterday
-1 day
2 days ago
0
1
7
31
32
99
100
101
1000
9999
10000
1746042171
1746042171620
1746042171.620
99999999
999999
99999999999999
123456789012345678901234567890
-1
+1
1.5
1e5
1/2/3/4
1 2 3 4
2025-04-30-05
2025--04-30
2025-04-
2025-
-2025
//
--
,
.
;

at
on and
T
T10:00
T10
t10
nan
inf
infinity
10:00 NAN
10:00 INF
NaN:10
hello
hello world
2025-04-30 hello
not a date
{"a":1}
' or 1=1
2025-04-30'
"2025-04-30"
(2025-04-30)
[2025-04-30]
2025-04-30.
2025-04-30,
,2025-04-30
2025-04-30;
 2025-04-30 
2025_04_30
2025\04\30
2025:04:30
2025:04:30 19:20:37
2025-04-30@19:20
2025-04-30 at 19:20
2025-04-30T19:20:37T
2025-04-30TT19:20:37
2025-04-30 T 19:20:37
2025-04-30T19:20:37.
2025-04-30T19:20:37.Z
2025-04-30T19.20.37
2025-04-30T19-20-37
2025-04-30 19.20
2025-04-30 7.30pm
2025-04-30 1920
2025-04-30 19
2025-04-30 192037
2025-04-30 192037.25
2025-04-30 7
2025-04-30 2025-05-01
Apr May
Apr 30 30
Apr 2025 2026
0001-01-01
0001-01-01T00:00:00+23:59
0000-01-01
1969-12-31T23:59:59.999Z
1970-01-01
1970-01-01T00:00:00.0005Z
1970-01-01T01:00:00+02:00
9999-12-31T23:59:59.999Z
9999-12-31T23:59:59-23:59
9999-12-31 Thu
Fri 9999
Sat Dec 9999
10000-01-01
2025-04-30T19:20:37Z+1
2025-04-30 10:00 A
2025-04-30 10:00 M
2025-04-30 10:00 T
12,345.6
12,34,56
1,5
12,5h
30.April.2025
30.Apr.2025 10.30
a.b.c
1.a
1.2
1.2.3
1.2.3.4
10.2.2025
2025.1.2
May
may 5
Mar 5 Mar
sat
Sat Aug 28 02:29:34 1999
Sat, 28 Aug 1999 02:29:34.5 +0530
6:02 PM on 1 January
noon
midnight
1st 2nd
15 of the month
12 Dec 2012 12:12:12 12
2012-12-12 12:12:12 PM
2012-12-12 00:12:12 PM
2012-12-12T12:12:12pm
2012-12-12 1pm 2
3 o'clock
5 m
5 t
m 5
t 5
5 st
st 5
05 6
5 06
5 6 7
45 6 7
13 6 7
7 13 6
7 6 45
2025 6
6 2025
2025 6 7
45 6
6 45
45
Apr 45
45 Apr
32 Apr 5
5 Apr 32
5 32 Apr
32 5 Apr
5 6 Apr
Apr 5 6
Apr 45 6
2025 45
12:34 56
12:34 2003
Dec 31 1:00
1:00 Dec 31
30 Feb
10:00 14:60
10:00 15:00
10:00 1460
10:00 1500
2025-04-30 10:00 15
10:00 01
10:00 1:00
Sep 10:00 01
Sep 2025 10:00 14
2025-04-30 01:00
2025-04-30   01:00
Sep 25 0100
012/5/6
012-5
012-
012
Apr-012
Feb 29Thu 2024
Apr 30Thu
Apr 31Thu
5 2025 Apr
24am 5h
10:00 EST -0500 (BRST)
103628.5
10h 36 Apr
28s 36m
Apr-30/2025
Apr-30/25
Apr/30-25
25-04-30 10:00 01
Apr-10:30
Sep-
7Sep-
202504302025202504302025May
Wed/at123020250430+
991920120250430s1MayWed
7 p p+
 35 a-
0 a+
3:3:TT Z.
m2T.T4p   0 ,+
13:33 -12:30 0001
13:33+02:00 01:00
""".split("\n")[1:-1]
# fmt: on

# Characters that would be lost or hidden in the list above.
TEXTS += [
    "2025-04-30\t19:20:37",
    "2025-04-30\n19:20:37",
    "2025-04-30\u00a019:20:37",
    "2025-04-30\x0019:20",
    "20\x0025-04-30",
    "2025\u201304\u201330",
    "2025年04月30日",
    "30 avril 2025",
    "30 ABRÍL 2025",
    "10:00 ÄST",
    "\ufeff2025-04-30",
    "²",
    "2025-04-30 10:00 +²",
]

# (what reaches us, what the client wrote)
PLUS = [
    ("2025-04-30T19:20:37 01:00", "2025-04-30T19:20:37+01:00"),
    ("2025-04-30T19:20:37.5 01:00", "2025-04-30T19:20:37.5+01:00"),
    ("2025-04-30T19:20:37 0100", "2025-04-30T19:20:37+0100"),
    ("2025-04-30T19:20:37 01", "2025-04-30T19:20:37+01"),
    ("2025-04-30T19:20 05:30", "2025-04-30T19:20+05:30"),
    ("2025-04-30 19:20:37 00:00", "2025-04-30 19:20:37+00:00"),
    ("2025-04-30T19 14:00", "2025-04-30T19+14:00"),
    ("20250430T192037 0100", "20250430T192037+0100"),
    ("20250430T192037.5 01:00", "20250430T192037.5+01:00"),
    ("20250430T192037 01", "20250430T192037+01"),
    ("20250430192037 0100", "20250430192037+0100"),
    ("2025-04-30 10:00 11:30", "2025-04-30 10:00+11:30"),
    ("2025-04-30T19:20:37  01:00", "2025-04-30T19:20:37 +01:00"),
    ("7pm 01:00", "7pm+01:00"),
    ("30.04.2025 7:20 PM  0100", "30.04.2025 7:20 PM +0100"),
    ("13:33 02:00", "13:33+02:00"),
    ("13:33 0200", "13:33+0200"),
    ("Thu, 25 Sep 2003 10:49:41 0300", "Thu, 25 Sep 2003 10:49:41 +0300"),
    ("Thu, 25 Sep 2003 10:49:41  0300", "Thu, 25 Sep 2003 10:49:41 +0300"),
]


def zone(name, offset):
    """An offset is honoured before a name; a name that is not well-known means nothing."""
    if offset is not None:
        return tz.tzoffset(name, offset)
    hours = ZONES.get(name)
    return None if hours is None else tz.tzoffset(name, hours * 3600)


def millis(text):
    info = parser.parserinfo()
    info._year, info._century = NOW.year, NOW.year // 100 * 100
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        found = parser.parser(info).parse(text, default=today, tzinfos=zone)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.timezone.utc)
        return (found - EPOCH) // datetime.timedelta(milliseconds=1)
    except (ValueError, OverflowError, ArithmeticError, IndexError, AttributeError, TypeError):
        return "refused"


def main():
    assert time.tzname == ("UTC", "UTC"), "run with TZ=UTC"
    warnings.simplefilter("ignore")
    now = (NOW.replace(tzinfo=datetime.timezone.utc) - EPOCH) // datetime.timedelta(milliseconds=1)
    print(f"# python-dateutil {dateutil.__version__}; made by datetimes.py, not by hand")
    print(f"now\t{now}")
    assert len(set(TEXTS)) == len(TEXTS), [text for text in TEXTS if TEXTS.count(text) > 1]
    for text in TEXTS:
        print(f"{json.dumps(text)}\t{millis(text)}")
    for text, asked in PLUS:
        assert text not in TEXTS and millis(asked) != "refused", asked
        print(f"{json.dumps(text)}\t{millis(asked)}\t{json.dumps(asked)}")


if __name__ == "__main__":
    sys.exit(main())
