package auth

import "golang.org/x/sys/unix"

// lowerPriority makes the calling thread yield to the others of the process, by nice levels. Where the
// system does not allow it the thread stays as it is: its share is then that of any other.
func lowerPriority(nice int) { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }
