"""Reads OpenMetrics text with a parser not written here, and prints it as JSON (see README.md)."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.read())
json.dump(
    [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "samples": [[one.name, one.labels, one.value] for one in family.samples],
        }
        for family in families
    ],
    sys.stdout,
)
