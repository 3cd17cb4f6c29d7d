"""scripts/dev: the whole product on this machine, shown at its main job."""

import argparse
import signal
import sys
import time

from local import demo, seed, services, table, verify
from local.environment import API_URL, AWS_URL, PROXY_CONTROL_URL, SANDBOX_ADMIN_URL, SANDBOX_URL, Failed
from local.processes import check_ports
from local.progress import step, total
from local.stack import build_all, running


def show_urls():
    """Where everything answers."""
    print(
        f"""
The product's API   {API_URL}
Tokens for it       POST {SANDBOX_URL}/issuer/token {{"user": "admin-a"}}  (viewer-a, admin-b, admin-both, service, operator)
Page to reconnect   {API_URL}/reconnect  (sign in as one of these people)
QuickBooks sandbox  {SANDBOX_URL}  (its page, with buttons for outages: {SANDBOX_ADMIN_URL})
E-mails             scripts/mails shows what was sent; as JSON: {AWS_URL}/_ministack/ses/messages
Emulated AWS        {AWS_URL}  (region us-east-1, keys test and test)
Test proxy          {PROXY_CONTROL_URL}/log
""",
        flush=True,
    )


def run_demo(stack, processes):
    """Connects, imports, maps, sends two weeks of timecards; True when QuickBooks is as it should be."""
    realm, _ = seed.COMPANIES["company-a"]
    for company in seed.COMPANIES:
        with step(f"Connect {company} to QuickBooks"):
            print(f"  connected to {seed.connect(company)}")
    with step("Import employees, customers, items and classes"):
        seed.import_directory("company-a")
    with step("Map them, and switch live sync on"):
        seed.set_up("company-a")
    before = verify.time_activities(realm)
    with step("Send two weeks of timecards"):
        results, expected = demo.run(stack["busName"], processes, print)
    print()
    table.show(results, expected)
    after, item = verify.time_activities(realm), verify.default_item(realm)
    wrong = verify.compare(before, after, expected, results, item)
    if wrong:
        print(f"\nQuickBooks is not as it should be, {len(wrong)} findings:")
        print("\n".join(f"  {finding}" for finding in wrong))
    else:
        print("\nQuickBooks holds every timecard that it should, exactly once, and nothing else.")
    return not wrong


def main():
    """Runs, stops everything, and says in one sentence what is missing when something is."""
    parser = argparse.ArgumentParser(prog="scripts/dev")
    parser.add_argument("--once", action="store_true", help="stop after the demo; exit 0 if all is right")
    parser.add_argument("--bare", action="store_true", help="deploy, but run no demo")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    right = True
    try:
        check_ports(services.PORTS)
        build_all()
        with running(latency="off" if options.bare else "on") as (stack, processes):
            print(f"The API answers at {API_URL} after {total()}.", flush=True)
            if not options.bare:
                right = run_demo(stack, processes)
            show_urls()
            print(f"Ready after {total()}.", flush=True)
            if not options.once:
                print("Ctrl-C stops everything.", flush=True)
                while True:
                    time.sleep(1)
                    processes.check()
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
