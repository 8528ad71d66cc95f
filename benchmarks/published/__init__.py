"""Published figures as data: one TOML file a system, in the words and the digits of its source.

A file holds the system's name and where it was published, then tables of figures as a paper prints them:

    title = "BigNAS"
    paper = "Yu, Jin, Liu et al., ECCV 2020, arXiv 2003.11142"

    [[figures]]
    quantity = "multiply-adds"
    unit = "G"                             # k, M, G scale a count; kB, MB, MiB a size; others are only words
    source = "EfficientNet paper, table 2" # paper, README, section: in words
    confidence = "primary"                 # primary, secondary, computed or unconfirmed
    check = "macs {}"                      # how ours is found (benchmarks/reproduce/checks); {} is the name below
    published = {efficientnet-b0 = 0.39}   # name = figure, with the digits that are printed

`tolerance` ("4 %" or "±2") and the reason for it in `note` stand where the digits alone would be too strict. A figure
without `check` cannot be found here; its `note` says what is missing. A figure of confidence `computed` was counted
from a paper's tables by hand, apart from this package; `unconfirmed` ones are shown and are nobody's target.
"""
