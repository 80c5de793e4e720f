package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// gnet's own acceptor ends the whole reactor when a descriptor can't be had, and goes on accepting
// while the loops are too busy to refuse. So the listener is ours, and gnet is used through the type it
// calls a Client, which takes over established connections and gives each to the loop that has the
// fewest. Measured in docs/adr/0006-an-acceptor-of-our-own.md.

// adopt sets the same on a listener that somebody else has opened. Its connections get Go's keep-alive
// on top, three system calls each, since that can't be switched off on it.
func adopt(ln net.Listener) (net.Listener, error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("engine: the listener handed over is on %s: expected a TCP socket", ln.Addr().Network())
	}
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = tuneListener("", "", raw)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: the listener handed over: %w", err)
	}
	return ln, nil
}

// accept hands connections to the reactor until Stop closes the listener. Running out of descriptors or
// memory makes newcomers wait in the kernel's queue.
func (e *Engine) accept(d *door) {
	slots := make(chan struct{}, enrollingMax)
	defer func() { // everybody accepted is on his loop, or refused
		for range enrollingMax {
			slots <- struct{}{}
		}
		close(d.done)
	}()
	var pause time.Duration
	for {
		c, err := d.listener.Accept()
		switch {
		case err == nil:
			pause = 0
		case e.draining.Load() || errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK):
			e.end(fmt.Errorf("engine: the listener is gone: %w", err))
			return
		default:
			e.unable.Add(1)
			pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
			e.slowLog.warn("ACCEPT", "can't accept connections: "+err.Error(), "pause", pause)
			<-time.After(pause)
			continue
		}
		if e.conns.Add(1) > int64(e.opts.ConnectionsMax) {
			e.conns.Add(-1)
			e.refused.Add(1)
			e.slowLog.warn("CONNECTION_LIMIT", "refused a connection: the limit is reached", "maxConnections", e.opts.ConnectionsMax)
			_ = c.Close()
			continue
		}
		slots <- struct{}{} // a busy loop makes the others wait too, in the kernel's queue
		go func() {         // ends as soon as the loop has opened the connection
			defer func() { <-slots }()
			slim(c)
			if _, err := e.reactor.EnrollContext(c, d); err != nil {
				e.conns.Add(-1)
				e.unable.Add(1)
				e.slowLog.warn("ACCEPT", "can't take over a connection: "+err.Error())
			}
		}()
	}
}

// slim lets go of what nobody asks c for. gnet keeps both addresses of a connection for as long as it is
// there, and their IPs are slices of what the kernel has answered, twice 32 bytes: nobody asks for the local
// one, and the remote one fits into 4 or 16.
func slim(c net.Conn) {
	if local, ok := c.LocalAddr().(*net.TCPAddr); ok {
		local.IP = nil
	}
	if remote, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		remote.IP = bytes.Clone(remote.IP)
	}
}

// bindLoops opens one connection to ourselves on every loop: gnet shows a loop only through a
// connection on it, and a loop must be known before mail for it can be delivered.
func (e *Engine) bindLoops() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ln, err = net.Listen("tcp", "[::1]:0")
	}
	if err != nil {
		return fmt.Errorf("engine: the loopback interface: %w", err)
	}
	defer ln.Close()
	for _, l := range e.loops {
		client, server, err := pair(ln)
		if err != nil {
			return fmt.Errorf("engine: connect to ourselves: %w", err)
		}
		defer client.Close() // not before all are there: the next one goes to the emptiest loop
		if _, err := e.reactor.EnrollContext(server, l); err != nil {
			return fmt.Errorf("engine: bind loop %d: %w", l.id, err)
		}
	}
	return nil
}

// pair returns the two ends of a connection through ln, whoever else may try to connect.
func pair(ln net.Listener) (client, server net.Conn, err error) {
	client, err = net.DialTimeout("tcp", ln.Addr().String(), 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	for {
		server, err = ln.Accept()
		if err != nil {
			_ = client.Close()
			return nil, nil, err
		}
		if server.RemoteAddr().String() == client.LocalAddr().String() {
			return client, server, nil
		}
		_ = server.Close()
	}
}

// bind notes the event loop of gnet that l stands for.
func (l *Loop) bind(el gnet.EventLoop) {
	l.el.Store(&el)
	l.kick() // mail may be waiting
}
