"""What run.py asks of a peer, in lines of JSON.

{"prefill": N} -> tokens/s of N prompt tokens; {"decode": N, "at": D} -> tokens/s of N tokens behind D others.
"""
import json
import sys


def answer(version, prefill, decode):
    print(json.dumps({"ready": version}), flush=True)
    for line in sys.stdin:
        wish = json.loads(line)
        rate = prefill(wish["prefill"]) if "prefill" in wish else decode(wish["decode"], wish["at"])
        print(json.dumps({"tokens_per_second": rate}), flush=True)
