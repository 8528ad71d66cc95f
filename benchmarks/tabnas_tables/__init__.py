"""TabNAS on real tables: every network of a space trained once, and searches judged on what came out."""
