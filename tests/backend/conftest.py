"""Settings for all tests of the backend."""

import os

# Before torch is imported: for the small pictures of tests, threads cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")
