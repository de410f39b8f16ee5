"""The mathematics: frames in, frames out. No Django, no database, no clock, no global random."""
