"""Search libraries of others, run by their own loops on our spaces: the columns that ours are held against."""
