"""A provider's web server as tests need it: documents by path, and every fault on demand.

It listens on loopback alone, plain or with TLS.  A route is a JSON value, bytes, or a function that
is given the request's handler.
"""

import http.server
import json
import ssl
import threading

WELL_KNOWN = "/.well-known/openid-configuration"


class Web:
    """.url, .routes {path: route}, .asked [path].  certs: (certificate, key) files."""

    def __init__(self, certs=None):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.asked.append(self.path)
                web.answer(self)

            def log_message(self, *_):
                pass

        self.routes, self.asked = {}, []
        self.stopped = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certs)
            # the handshake belongs to the connection's thread: one that fails ends that alone
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if certs else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        daemon=True)
        self._server.handle_error = lambda *_: None
        self._thread.start()

    def answer(self, handler):
        route = self.routes.get(handler.path)
        if callable(route):
            return route(handler)
        if route is None:
            return send(handler, b"none", 404)
        return send(handler, route if isinstance(route, bytes) else json.dumps(route).encode())

    def publish(self, *keys, path="", **document):
        """A discovery document and a key set at an issuer; gives the issuer.  keys: JWKs."""
        issuer = self.url + path
        self.routes[f"{path}{WELL_KNOWN}"] = {
            "issuer": issuer, "jwks_uri": f"{issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "ES256"], **document}
        self.routes[f"{path}/keys"] = {"keys": list(keys)}
        return issuer

    def stop(self):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def send(handler, body, status=200, **headers):
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)),
                        **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def redirect(to, status=302):
    return lambda handler: send(handler, b"", status, Location=to)


def endless(handler):
    """More and more, and no end."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass


def drip(web):
    """A byte a second."""
    def route(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        try:
            while not web.stopped.wait(1):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            pass
    return route
