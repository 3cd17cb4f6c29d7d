"""The step of the foreign clients must notice when they did not really run."""

import unittest

from local import clients
from local.environment import Failed


class Clients(unittest.TestCase):
    """What it makes of a count and of a version."""

    def test_too_few_assertions_are_a_failure(self):
        clients.enough(60)
        with self.assertRaises(Failed):
            clients.enough(59)

    def test_a_version_of_node_is_read(self):
        self.assertEqual(clients.major("v20.20.2\n"), 20)
        self.assertEqual(clients.major("v8.1.0\n"), 8)
        self.assertEqual(clients.major(""), 0)
