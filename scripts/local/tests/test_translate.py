"""What is read from the template must be read whole, or refused."""

import unittest

from local import grants, permissions, routes


class Resolve(unittest.TestCase):
    """Intrinsic functions in an API body."""

    names = {"AWS::Region": "us-east-1", "Worker.Arn": "arn:worker", "Issuer": "http://issuer"}

    def test_refs_and_subs_become_text(self):
        body = {"uri": {"Fn::Sub": "${AWS::Region}/${Worker.Arn}/x"}, "issuer": [{"Ref": "Issuer"}]}
        self.assertEqual(
            routes._resolve(body, self.names),
            {"uri": "us-east-1/arn:worker/x", "issuer": ["http://issuer"]},
        )

    def test_what_cannot_be_resolved_is_refused(self):
        for unknown in ({"Fn::If": ["C", 1, 2]}, {"Fn::Sub": "${Missing.Arn}"}):
            with self.assertRaises(routes.UnsupportedTemplate):
                routes._resolve({"key": unknown}, self.names)


class Gaps(unittest.TestCase):
    """Which policies get the emulator's own permissions."""

    def gaps(self, *statements):
        document = {"Statement": list(statements)}
        return [
            policy
            for policy, (prefix, _) in permissions.GAPS.items()
            if permissions._grants(document, prefix)
        ]

    def test_only_an_allowed_action_of_a_gap_counts(self):
        allow = {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PartiQLUpdate"]}
        self.assertEqual(self.gaps(allow), ["local-partiql"])
        self.assertEqual(self.gaps(allow | {"Effect": "Deny"}), [])
        self.assertEqual(self.gaps({"Effect": "Allow", "Action": "dynamodb:PutItem"}), [])
        mail = {"Effect": "Allow", "Action": "ses:SendEmail"}
        self.assertEqual(self.gaps(mail), ["local-ses"])
        self.assertEqual(self.gaps(allow, mail), ["local-partiql", "local-ses"])
        ring = {"Effect": "Allow", "Action": "sqs:SendMessage"}
        self.assertEqual(self.gaps(ring), ["local-sqs"])


class ResourceName(unittest.TestCase):
    """ARNs in the words of the proxy's log."""

    def test_each_kind_of_resource_is_named_as_in_the_log(self):
        names = {
            "arn:aws:dynamodb:us-east-1:000000000000:table/W/index/Due": "table/W/index/Due",
            "arn:aws:sqs:us-east-1:000000000000:Bell": "queue/Bell",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:qb/c/*": "secret/qb/c/*",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:qb-App-1-a1b2c3": "secret/qb-App-1",
            "arn:aws:ses:us-east-1:000000000000:identity/*": "identity/*",
            "arn:aws:events:us-east-1:000000000000:event-bus/b": "event-bus/b",
            "*": "*",
        }
        for arn, name in names.items():
            self.assertEqual(grants.resource_name(arn), name)


if __name__ == "__main__":
    unittest.main()
