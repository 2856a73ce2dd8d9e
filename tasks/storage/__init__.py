"""Where things lie: addresses, whole and conditional writes, leases, copies on this machine."""
