"""The e-mails of the local stack: the emulated SES keeps what it takes, and delivers nothing."""

import argparse
import sys

from local import web
from local.environment import AWS_URL, LOCAL, Failed

URL = f"{AWS_URL}/_ministack/ses/messages"


def verify_sender(client, parameters):
    """Verifies the stack's sender, as an operator does once on AWS. `parameters` are the stack's."""
    for parameter in parameters:
        if parameter["ParameterKey"] == "MailFrom" and parameter["ParameterValue"]:
            client("ses").verify_email_identity(EmailAddress=parameter["ParameterValue"])


def sent():
    """Every mail so far, oldest first."""
    try:
        answer = web.request("GET", URL)
    except OSError:
        raise Failed(f"No stack answers at {AWS_URL}: run scripts/dev in another terminal.") from None
    mails = [mail for account in answer.json()["messages"].values() for mail in account]
    return sorted(mails, key=lambda mail: mail["Timestamp"])


def main():
    """Prints them."""
    parser = argparse.ArgumentParser(prog="scripts/mails")
    parser.add_argument("--html", action="store_true", help="save each mail's HTML below .local/mails")
    options = parser.parse_args()
    try:
        mails = sent()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    for number, mail in enumerate(mails, 1):
        print(f"{number}. From {mail['Source']} to {', '.join(mail['To'])}\nSubject: {mail['Subject']}\n")
        print(mail["BodyText"])
        if options.html:
            path = LOCAL / "mails" / f"{number}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(mail["BodyHtml"] or "", "utf-8")
            print(f"HTML: {path}\n")
    print(f"{len(mails)} mails")
    return 0


if __name__ == "__main__":
    sys.exit(main())
