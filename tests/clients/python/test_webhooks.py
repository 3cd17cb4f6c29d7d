"""Webhooks: the signature of what the sandbox posts, checked by python-quickbooks."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from quickbooks.objects import Customer

from sandbox import REALM, Case, admin, connect, unique

VERIFIER_TOKEN = "verifier-of-the-test"


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted and acknowledges it."""

    posts = []

    def do_POST(self):
        """One delivery."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.posts.append((body, self.headers["intuit-signature"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        """Keeps the output clean."""


class Webhooks(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        cls.addClassCleanup(admin, "DELETE", "/webhooks")
        cls.qb = connect(verifier_token=VERIFIER_TOKEN)

    def delivered(self, **subscription):
        """Subscribes, changes something, and answers what came of it."""
        url = f"http://127.0.0.1:{self.server.server_port}/webhooks"
        options = {"url": url, "verifierToken": VERIFIER_TOKEN}
        admin("POST", "/webhooks", options | subscription)
        admin("POST", "/webhooks/flush")
        Receiver.posts.clear()
        customer = Customer()
        customer.DisplayName = unique("Told")
        customer = customer.save(qb=self.qb)
        admin("POST", "/webhooks/flush")
        self.assertEqual(len(Receiver.posts), 1)
        body, signature = Receiver.posts[0]
        return customer, body, signature

    def test_the_client_finds_the_signature_right(self):
        customer, body, signature = self.delivered(shape="cloudevents")
        self.assertTrue(self.qb.validate_webhook_signature(body, signature))
        event = json.loads(body)[0]
        self.assertEqual(event["type"], "qbo.customer.created.v1")
        self.assertEqual((event["intuitaccountid"], event["intuitentityid"]), (REALM, customer.Id))

    def test_it_finds_another_body_or_token_wrong(self):
        _, body, signature = self.delivered(shape="cloudevents")
        self.assertFalse(self.qb.validate_webhook_signature(body + " ", signature))
        self.assertFalse(self.qb.validate_webhook_signature(body, signature, "another"))

    def test_the_classic_shape_is_signed_too(self):
        customer, body, signature = self.delivered(shape="classic")
        self.assertTrue(self.qb.validate_webhook_signature(body, signature))
        notification = json.loads(body)["eventNotifications"][0]
        self.assertEqual(notification["realmId"], REALM)
        changed = notification["dataChangeEvent"]["entities"]
        self.assertEqual([(one["name"], one["id"]) for one in changed], [("Customer", customer.Id)])
