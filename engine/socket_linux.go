package engine

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

const (
	notSentLowWater = 64 << 10 // bytes the kernel may hold unsent per socket before it reports EAGAIN
	descriptorSpare = 2 << 10  // descriptors kept free of connections, for storage and everything else
)

// tuneListener sets what accepted sockets inherit. It is a net.ListenConfig.Control.
func tuneListener(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name                 string
			level, option, value int
		}{
			// Without it a peer that never reads swallows megabytes of kernel memory before we notice.
			{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater},
			// Peers that vanish behind a middlebox are found by the heartbeat; keep-alive covers what is
			// not logged in yet and costs nothing.
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
		} {
			if err := unix.SetsockoptInt(int(fd), o.level, o.option, o.value); err != nil && failed == nil {
				failed = fmt.Errorf("%s: %w", o.name, err)
			}
		}
	})
	return errors.Join(err, failed)
}

// connectionsMax raises the descriptor limit and returns how many connections fit under it.
func connectionsMax(want int) (int, error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("engine: RLIMIT_NOFILE: %w", err)
	}
	if lim.Cur < lim.Max {
		raised := unix.Rlimit{Cur: lim.Max, Max: lim.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			lim = raised
		}
	}
	files := int(min(lim.Cur, 1<<30))
	fits := files - min(descriptorSpare, files/2)
	if want > fits {
		return 0, fmt.Errorf("engine: maxConnections %d needs %d file descriptors, the limit is %d: raise it (ulimit -n, LimitNOFILE=)", want, want+descriptorSpare, files)
	}
	if want == 0 {
		want = fits
	}
	return want, nil
}

// shutdownWrite sends FIN behind everything written and leaves the reading side open, so that a
// close frame still on its way is not destroyed by a reset.
func shutdownWrite(c gnet.Conn) { _ = unix.Shutdown(c.Fd(), unix.SHUT_WR) }
