"""Prints the jobs of a Jenkins `api/json` reply, one full name a line, folders included."""
import json
import sys


def walk(item):
    for child in item.get("jobs", []):
        print(child["fullName"])
        walk(child)


walk(json.load(sys.stdin))
