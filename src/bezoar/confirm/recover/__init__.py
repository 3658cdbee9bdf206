"""A trigger recovered from suspects as what it is, one kind a file: a patch, a pattern added or blended, a warp."""
