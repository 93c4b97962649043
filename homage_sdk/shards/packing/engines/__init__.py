"""Who does the work of packing: processes on this machine, or Ray on many."""
