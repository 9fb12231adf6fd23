"""What all tests share: a process reads each of botocore's data files once, not once for each session."""

from __future__ import annotations

from functools import cache

import botocore.session

# Tests create hundreds of sessions. What a loader returns is read only: all clients of a session share it, too.
botocore.session.create_loader = cache(botocore.session.create_loader)
