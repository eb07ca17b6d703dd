"""What a person may set, and from where: flags > ``SYNCD_*`` > ``syncd.toml`` > ``CONSUL_*`` > defaults.

Owns the settings, each documented where it stands, their strict reading, and the origin of each value. May import the
core only. Never speaks to a store or a repository: what ``CONSUL_*`` says is resolved by the store room.
"""

from syncd.settings.load import load
from syncd.settings.model import CATALOGUE, Settings
from syncd.settings.setting import Setting

__all__ = ["CATALOGUE", "Setting", "Settings", "load"]
