package password

import "golang.org/x/sys/unix"

// yield lets threads run that have more right to the processor. The kernel looks by itself only when one wakes
// up, when it may have had its share a moment ago, and then at its next tick: up to 10 ms in which a loop would
// wait for a hash, though its priority is higher.
func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
