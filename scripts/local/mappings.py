"""Numbers of event source mappings, which the emulator keeps as text when a parameter gave them."""


def correct(client):
    """Sets each mapping's concurrency again, as a number; as text it stops the queue's poller."""
    functions = client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        most = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
        if most is not None:
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(most)}
            )
