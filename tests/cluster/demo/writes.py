"""Counts the calls of a journal and fails where one of them changes something: what AWS's names and Jenkins' methods say."""
import json
import sys

READS = ("Get", "List", "Describe", "Head", "Search", "Lookup", "BatchDescribe", "AssumeRole", "GET", "HEAD")

calls = [json.loads(line) for line in sys.stdin]
writes = [f"{call['service']} {call['operation']}" for call in calls if not call["operation"].startswith(READS)]
if not calls:
    sys.exit("nothing was looked at in AWS or Jenkins")
if writes:
    sys.exit("\n".join(writes))
print(f"{len(calls)} calls of AWS and Jenkins, none of which changes anything")
