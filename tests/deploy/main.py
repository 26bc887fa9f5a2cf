"""Runs the checks: all, the quick ones, or those that are named."""

import sys
import time

import image  # noqa: F401: its checks register themselves.
import shipped  # noqa: F401
from harness import CHECKS, Skipped


def main(wanted):
    if wanted == ["quick"]:
        wanted = []
    else:
        import role  # noqa: F401: needs more tools.
    unknown = set(wanted) - {check.__name__ for check in CHECKS}
    if unknown:
        sys.exit(f"no such check: {', '.join(sorted(unknown))}")
    passed = failed = skipped = 0
    for check in CHECKS:
        if wanted and check.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            check()
            outcome, passed = "ok", passed + 1
        except Skipped as why:
            outcome, skipped = f"skipped: {why}", skipped + 1
        except Exception as wrong:  # Whatever it is, it is this check's failure.
            outcome, failed = f"FAILED\n{type(wrong).__name__}: {wrong}", failed + 1
        print(f"{check.__name__} ({time.monotonic() - began:.1f} s) ... {outcome}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main(sys.argv[1:])
