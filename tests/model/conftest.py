"""No test asks a hub: its client reads this at its import, and without a network tries for a minute."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
