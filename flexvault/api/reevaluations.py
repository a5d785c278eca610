"""Put an instance's existing recovery points under its present policy."""

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.services.reevaluate import reevaluate as carry_out


def reevaluate(call: Call) -> Answer:
    """Do what a preview showed, once a second person approved it; answers how many points changed."""
    instance = find_named(call)
    reader = Reader(call.body(shapes.REEVALUATE))
    preview_hash = reader.text("previewHash")
    reader.finish("re-evaluation")
    return Answer(body=carry_out(call.vault, instance, preview_hash, call.actor()).to_json())
