package auth

import "golang.org/x/sys/unix"

// lowerPriority makes the calling thread yield to the others of the process: by nice levels, and by slices
// of a tenth of a millisecond, after which a loop that has woken up is served, if the thread asks as package
// password does. Kernels before 6.12 do not know such slices and give some milliseconds. Where the system does
// not allow it the thread stays as it is: its share is then that of any other.
//
// It is not SCHED_IDLE: on a machine that others keep busy such a thread hardly ever runs, and the
// collector would wait for it.
func lowerPriority(nice int) {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(nice), Runtime: 100_000}
	if unix.SchedSetAttr(0, &attr, 0) != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice)
	}
}
