"""Brings the whole stack up, and always takes it down again."""

from contextlib import contextmanager

from local import build, deploy, logs, services, template
from local.environment import LOCAL, STACK_FILE, client
from local.processes import Processes, check_ports
from local.progress import step


def build_all():
    """Builds functions, sandbox and proxy; the compiler shows its own progress."""
    with step("Build the functions (the first time takes some minutes)"):
        build.functions()
    with step("Build the QuickBooks sandbox and the proxy"):
        build.tools()


@contextmanager
def running(latency="off"):
    """The deployed stack as `(stack, processes)`; `.local/stack.json` exists while it is up.

    Tests want a QuickBooks that answers at once; who shows the product passes `latency="on"`.
    """
    LOCAL.mkdir(parents=True, exist_ok=True)
    check_ports(services.PORTS)
    processes = Processes()
    try:
        with step("Start the emulated AWS, the QuickBooks sandbox and the proxy"):
            services.start(processes, latency)
        with step("Deploy template.yaml with sam deploy"):
            deploy.sam_deploy(template.built())
            stack = deploy.describe(deploy.complete())
            deploy.put_app_credentials(stack)
            deploy.register_pages()
        yield stack, processes
    finally:
        STACK_FILE.unlink(missing_ok=True)
        logs.save(client)
        processes.stop()
