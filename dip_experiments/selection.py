"""stub"""

from dip_experiments.images.pictures import local, sources
from dip_experiments.settings import Settings, identity
from dip_experiments.store import file_digest, signature


def run_name(settings: Settings, device_kind: str) -> str:
    """The name of the run."""
    words = settings.image
    read = sources(words.name, words.path, settings.task.companions(words.name))
    digests = {role: file_digest(local(source)) for role, source in read.items()}
    return signature({**identity(settings.words(), digests), "device": device_kind})
