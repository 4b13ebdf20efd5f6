"""dip_experiments: reproducible Deep Image Prior experiments (Ulyanov, Vedaldi, Lempitsky, CVPR 2018)."""
