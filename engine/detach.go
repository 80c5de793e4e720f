package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrBehind is returned by detachTLS for a connection that has not taken earlier answers yet.
var ErrBehind = errors.New("engine: the connection has not taken what was sent before")

// detachTLS takes a secured connection away from its loop and returns it as one that blocks, for code
// that wants to own it, such as net/http. unread is plaintext that was read from it already; it is
// copied, and comes first. The engine has forgotten c then, as if it had closed. On an error nothing
// has changed. Called on the loop, from Loop.consume only.
//
// The stream goes on where it was: the same tls.Conn, whose wire leads to a duplicate of the socket.
func (l *Loop) detachTLS(c *Conn, unread []byte) (net.Conn, error) {
	e := c.edge
	if l.relieve(); c.state == stateClosed || c.out != nil {
		return nil, ErrBehind
	}
	socket, err := duplicate(c)
	if err != nil {
		return nil, err
	}
	e.wire.in = append([]byte(nil), e.wire.in...)
	e.wire.loop, e.wire.own = nil, socket
	d := &detached{Conn: e.tls, unread: append([]byte(nil), unread...), remote: c.proxied()}
	if d.remote == nil {
		d.remote = socket.RemoteAddr()
	}
	l.discharge(e)
	c.edge = nil // before closing, which would say goodbye
	c.because(EndedHandedOver)
	l.closeSocket(c)
	return d, nil
}

// proxied returns whom a trusted proxy has named as the client, nil if none has: whoever takes c from the
// loop sees only the proxy's address on the socket.
func (c *Conn) proxied() net.Addr {
	if c.edge == nil || !c.edge.remote.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(c.edge.remote)
}

// duplicate returns a connection of its own over c's socket, which stays open when gnet closes its.
func duplicate(c *Conn) (net.Conn, error) {
	fd, err := c.gc.Dup()
	if err != nil {
		return nil, fmt.Errorf("engine: duplicate a socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() // net.FileConn duplicates it once more
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("engine: take over a socket: %w", err)
	}
	return conn, nil
}

// readOwn is wire.Read in other hands: what the loop had received comes first.
func (w *wire) readOwn(p []byte) (int, error) {
	if len(w.in) > 0 {
		n := copy(p, w.in)
		w.in = w.in[n:]
		return n, nil
	}
	w.in = nil
	return w.own.Read(p)
}

// detached is a connection in other hands. unread belongs to whoever reads.
type detached struct {
	*tls.Conn
	unread []byte
	remote net.Addr
}

func (d *detached) Read(p []byte) (int, error) {
	if len(d.unread) > 0 {
		n := copy(p, d.unread)
		d.unread = d.unread[n:]
		return n, nil
	}
	d.unread = nil
	return d.Conn.Read(p)
}

// RemoteAddr returns the client's address, also behind a proxy that has told it.
func (d *detached) RemoteAddr() net.Addr { return d.remote }
