"""dip_experiments: reproducible Deep Image Prior experiments (Ulyanov, Vedaldi, Lempitsky, CVPR 2018)."""

import os

SPINS = "20000"
"""Looks of a waiting OpenMP thread at whether there is work, before it lets others have its core: some 0.3 ms.

GNU's own 300,000, 5 ms, are longer than the system's time slices: where threads are more than free cores, each waits
that long for one that cannot run. 200 iterations of scale=laptop on two Zen 3 cores, start included, took 28 s alone,
36 s two at once and 36 s beside a busy process; with 2000 looks 37, 38 and 38 s, with 300,000 33, 39 and 37 s.
"""

# Heard by PyTorch's OpenMP (GNU's, as in its builds for Linux) as it is loaded, and by processes that this one starts.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPINS
