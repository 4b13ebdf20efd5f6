"""stub"""

from dip_experiments.images.pictures import files
from dip_experiments.settings import Settings, identity
from dip_experiments.store import file_digest, signature


def run_name(settings: Settings, device_kind: str) -> str:
    digests = {role: file_digest(path) for role, path in files(settings).items()}
    return signature({**identity(settings.words(), digests), "device": device_kind})
