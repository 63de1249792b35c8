"""Tries to get out of its container, and tells how far it came.

GET /report?targets=ADDRESS:PORT,... answers a JSON list, an entry for each attempt: `area`,
`attempt`, `outcome` (`denied`, or `open` when it worked) and `detail`. Nothing here harms a host on
which all of it is denied; where something is open, the attempt stops at the proof.
"""

import http.server
import json
import urllib.parse

import kernel
import network
import system


def report(targets):
    rows = []
    for area in (system.attempts(), kernel.attempts(), network.attempts(targets)):
        for name, attempt in area:
            kind, _, title = name.partition(": ")
            try:
                detail, outcome = attempt(), "open"
            except (OSError, Denied) as error:
                detail, outcome = str(error), "denied"
            rows.append({"area": kind, "attempt": title, "outcome": outcome, "detail": str(detail)[:120]})
    return rows


Denied = system.Denied


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        targets = urllib.parse.parse_qs(url.query).get("targets", [""])[0]
        body = b"ok"
        if url.path == "/report":
            body = json.dumps(report([t for t in targets.split(",") if t])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
