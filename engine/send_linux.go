package engine

import (
	"syscall"
	"unsafe"
)

// send gives b to a non-blocking socket and returns how many bytes it took, 0 on any error: gnet's
// Write then meets the same error and deals with it. It is send(2), not write(2), which spares the
// kernel's file layer, and it does not tell the scheduler, which would cost more than it could give
// for a call that never waits. Measured in docs/adr/0004-send-instead-of-write.md.
func send(fd int, b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
