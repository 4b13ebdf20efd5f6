"""dip_experiments: reproducible Deep Image Prior experiments (Ulyanov, Vedaldi, Lempitsky, CVPR 2018)."""

import os

SPINS = "2000"
"""Looks of a waiting OpenMP thread at whether there is work, before it lets others have its core: some 30 microseconds.

GNU's own 300,000, 5 ms, are longer than the system's time slices: where threads are more than free cores, each waits
that long for one that cannot run. Measured with the network of scale=laptop, two threads beside eight busy processes on
two Zen 3 cores: 0.6 to 1.0 s an iteration with 1000 to 2000, 1.0 to 1.5 s with 4000, 3 s with 20,000 and with 300,000.
"""

# Heard by PyTorch's OpenMP (GNU's, as in its builds for Linux) as it is loaded, and by processes that this one starts.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPINS
