package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	unixPathBytesMax = 107             // of the address of a Unix socket, its final zero byte left out
	unixProbeTimeout = 2 * time.Second // for somebody who may listen on our path to take a connection
)

// door is one listener and what connections through it begin with.
type door struct {
	// Set by openDoors, then constant.
	listener  net.Listener
	secure    bool           // TLS is spoken
	unix      bool           // a Unix socket: its peers have no address
	guarded   bool           // some peers begin with a PROXY header
	proxies   []netip.Prefix // which: those with these addresses
	unixProxy bool           // or, on a Unix socket, all
	done      chan struct{}  // closed when nobody is on the way from here to a loop any more
}

// plain reports whether connections begin with an HTTP request, whoever makes them.
func (d *door) plain() bool { return !d.secure && !d.guarded }

// expects reports whether the peer at addr has to begin with a PROXY header.
func (d *door) expects(addr net.Addr) bool {
	if d.unix {
		return d.unixProxy
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range d.proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// openDoors listens wherever the options say.
func openDoors(o *Options) (doors []*door, err error) {
	defer func() {
		if err != nil {
			closeDoors(doors)
		}
	}()
	if !o.UnixSocketOnly {
		ln, err := o.listen()
		if err != nil {
			return nil, err
		}
		doors = append(doors, &door{
			listener: ln, secure: o.TLS != nil,
			guarded: len(o.ProxyTrusted) > 0 || o.ProxyUnix, proxies: o.ProxyTrusted,
			done: make(chan struct{}),
		})
	}
	if o.UnixSocket != "" {
		ln, err := listenUnix(o.UnixSocket, o.UnixSocketMode)
		if err != nil {
			return doors, err
		}
		doors = append(doors, &door{listener: ln, unix: true, guarded: o.ProxyUnix, unixProxy: o.ProxyUnix, done: make(chan struct{})})
	}
	if len(doors) == 0 {
		return nil, errors.New("engine: only a Unix socket is to be listened on, and none is named")
	}
	return doors, nil
}

func closeDoors(doors []*door) {
	for _, d := range doors {
		_ = d.listener.Close()
	}
}

// listen opens the port with everything set that accepted sockets inherit.
func listen(host string, port int) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: tuneListener} // keep-alive is inherited: no system call per connection
	ln, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return ln, nil
}

// listenUnix opens a Unix socket. A socket that nobody listens on any more is replaced; anything else
// at path is left alone, and an error. The file goes when the listener is closed.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if len(path) > unixPathBytesMax {
		return nil, fmt.Errorf("engine: the path of the Unix socket has %d bytes, the system takes %d: %s", len(path), unixPathBytesMax, path)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The mode is there before the name is, so nobody gets in who may not; the second time is for
	// what the process's umask has taken away.
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlErr := raw.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
		return errors.Join(controlErr, err)
	}}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("engine: the Unix socket: %w", err)
	}
	return ln, nil
}

// removeStale removes what a process that was killed has left at path.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("engine: the Unix socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("engine: the Unix socket: %s exists and is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, unixProbeTimeout)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("engine: the Unix socket: somebody listens on %s already", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("engine: the Unix socket: whether somebody listens on %s is not known: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("engine: the Unix socket: %w", err)
	}
	return nil
}
