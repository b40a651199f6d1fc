"""Makes small copies of photos."""

import sys

for name in sys.argv[1:]:
    print("would resize", name)
