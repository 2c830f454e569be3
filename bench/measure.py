"""Runs a command and prints its wall time, CPU time and peak memory as one JSON line on standard error's last line.

usage: measure.py OUT.json COMMAND…     (wall and cpu in seconds, memory in MB of the largest process)
"""
import json, resource, subprocess, sys, time

start = time.monotonic()
status = subprocess.call(sys.argv[2:])
wall = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}, open(sys.argv[1], "w"))
sys.exit(status)
