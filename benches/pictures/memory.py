#!/usr/bin/env python3
"""The largest RssAnon (memory that is no file's) of a command and of its children, in MB, sampled ten times a second.

    python benches/pictures/memory.py -- nin-cli train --data /tmp/photos-64x64 --epochs 1 --run runs/many

Prints one JSON object; the command's own output goes where it went.
"""
import json
import pathlib
import subprocess
import sys
import time


def anonymous_kb(pid):
    """Returns RssAnon of a process, or 0 once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)


def main():
    command = sys.argv[sys.argv.index("--") + 1:]
    begun, peak = time.time(), 0
    process = subprocess.Popen(command, stdout=sys.stderr)
    while process.poll() is None:
        peak = max(peak, anonymous_kb(process.pid))
        time.sleep(0.1)
    print(json.dumps({
        "command": command, "exit_code": process.returncode, "seconds": round(time.time() - begun, 1),
        "peak_rss_anon_mb": round(peak / 1024, 1),
    }))


if __name__ == "__main__":
    main()
