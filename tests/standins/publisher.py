"""A stand-in for the server that publishes a program: serves a directory by HTTPS.

Usage: python tests/standins/publisher.py DIRECTORY PORT CERTIFICATE KEY
"""

import functools
import http.server
import ssl
import sys


def main() -> None:
    """Serve until ended."""
    directory, port, certificate, key = sys.argv[1:]
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
