package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

const (
	notSentLowWater = 64 << 10 // bytes the kernel may hold unsent per socket before it reports EAGAIN
	descriptorSpare = 8 << 10  // descriptors kept free of connections, see connectionsMax
)

// probePort fails with a clear message if the address can't be listened on. gnet would report some
// of these failures in its own words.
func probePort(host string, port int) error {
	if port == 0 {
		return nil
	}
	lc := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := net.Listen("tcp", lc)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return ln.Close()
}

// tuneListener sets what accepted sockets inherit and returns the address in use.
func tuneListener(g gnet.Engine) (*net.TCPAddr, error) {
	fd, err := g.Dup()
	if err != nil {
		return nil, fmt.Errorf("engine: duplicate the listener: %w", err)
	}
	defer unix.Close(fd)
	// Without it a peer that never reads swallows megabytes of kernel memory before we notice.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater); err != nil {
		return nil, fmt.Errorf("engine: TCP_NOTSENT_LOWAT: %w", err)
	}
	// Peers that vanish behind a middlebox are found by the heartbeat; keep-alive covers what is not
	// logged in yet and costs nothing.
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return nil, fmt.Errorf("engine: keep-alive: %w", err)
		}
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("engine: getsockname: %w", os.NewSyscallError("getsockname", err))
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: net.IP(a.Addr[:]), Port: a.Port}, nil
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: net.IP(a.Addr[:]), Port: a.Port}, nil
	}
	return nil, errors.New("engine: the listener is not TCP")
}

// connectionsMax raises the descriptor limit and returns how many connections fit under it. The
// spare descriptors must exceed what the kernel accepts for us before we can close it again: running
// out in accept(2) ends the whole reactor.
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
