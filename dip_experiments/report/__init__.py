"""One page of all runs, figures and tables, made from the store alone: it opens from the disk, without a server.

Curves are drawn by uPlot, as it is made for lines over one axis, is quick with many points, needs no other library, and
has 51 kB, a tenth of what is next (Observable Plot with D3); its licence is in `vendor/` too.
"""
