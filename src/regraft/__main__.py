"""`python -m regraft` is the command `regraft`."""

import sys

from regraft.cli import main

sys.exit(main())
