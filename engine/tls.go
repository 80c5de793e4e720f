package engine

import (
	"errors"
	"io"
	"net"
	"time"

	"deepstream-fast/internal/invariant"
)

// crypto/tls reads from and writes to a net.Conn. Ours is a wire: two ends in memory. Once the handshake
// is done the loop puts what it has read on it and takes plaintext from tls.Conn.Read, which reports
// errWouldBlock at the end of the bytes and goes on from there next time. What tls.Conn.Write makes of
// the plaintext is gathered in a buffer of the loop and sent at once. So a connection that is idle has
// no goroutine and no buffer, but for the one that the record layer keeps.

const (
	plainBytes   = 16 << 10          // plaintext of one record at most
	cipherBytes  = corkBytes + 2<<10 // what corkBytes become: a header and a tag for each 16 KiB
	rawBytesMax  = 2 * corkBytes     // ciphertext that gnet may hold; see Loop.sendRaw
	barrenMax    = 32 << 4           // see Loop.decrypt
	barrenCredit = 1 << 4
)

// ciphers are a loop's buffers for TLS. Both are empty between two callbacks.
type ciphers struct {
	plain  []byte
	cipher []byte // what tls has written
}

func newCiphers() *ciphers {
	return &ciphers{plain: make([]byte, plainBytes), cipher: make([]byte, 0, cipherBytes)}
}

// wouldBlock is the error that tls.Conn takes for a pause.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "engine: no more bytes so far" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock net.Error = wouldBlock{}

// wire is the net.Conn below a tls.Conn. It is used by one goroutine at a time: that of the handshake,
// then the loop, then whoever the connection was handed to.
//
// Before that it never gives more than the rest of one record, so that tls.Conn keeps nothing we do not
// know of, and a record that brings no data is seen.
type wire struct {
	hs   *handshake // during the handshake
	loop *Loop      // then; nil in other hands
	own  net.Conn   // in other hands: the socket

	in   []byte // received and not read
	left int    // bytes missing of the record that is being read
	head [recordHeadBytes]byte
	have uint8 // bytes of head, while the record has not begun
	full bool  // a record was read to its end
}

// take copies from b to p, not beyond the record, and keeps track of where that ends.
func (w *wire) take(p, b []byte) int {
	if w.left > 0 {
		n := copy(p, b[:min(len(b), w.left)])
		w.left -= n
		w.full = w.left == 0
		return n
	}
	n := copy(p, b[:min(len(b), recordHeadBytes-int(w.have))])
	copy(w.head[w.have:], b[:n])
	if w.have += uint8(n); w.have == recordHeadBytes {
		w.left = int(w.head[3])<<8 | int(w.head[4])
		w.have, w.full = 0, w.left == 0
	}
	return n
}

func (w *wire) Read(p []byte) (int, error) {
	switch {
	case w.hs != nil:
		return w.hs.read(w, p)
	case w.own != nil:
		return w.readOwn(p)
	case len(w.in) == 0 || w.full:
		return 0, errWouldBlock
	}
	n := w.take(p, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	switch {
	case w.hs != nil:
		return w.hs.write(p)
	case w.own != nil:
		return w.own.Write(p)
	}
	w.loop.ciphers.cipher = append(w.loop.ciphers.cipher, p...)
	return len(p), nil
}

// decrypt takes ciphertext from c and hands on what is in it.
//
// A record that brings no data changes keys, or says nothing at all, and costs more than one that does:
// a connection may send 32 of them, and then one for every 16 others. crypto/tls only looks for many in a row.
func (l *Loop) decrypt(c *Conn, b []byte) {
	e := c.edge
	e.wire.in = b
	for c.reading() && c.edge == e { // else it is closed, or somebody else's
		e.wire.full = false
		n, err := e.tls.Read(l.ciphers.plain)
		if !l.sendControl(c) {
			return
		}
		switch {
		case n > 0:
			e.barren -= min(e.barren, 1)
			l.consume(c, l.ciphers.plain[:n])
			invariant.Poison(l.ciphers.plain[:n])
		case errors.Is(err, errWouldBlock) && !e.wire.full:
			e.wire.in = nil // b is the loop's
			return
		case errors.Is(err, errWouldBlock):
			if e.barren += barrenCredit; e.barren > barrenMax {
				l.brokenTLS(c, errBarren)
			}
		case errors.Is(err, io.EOF):
			l.hangUp(c) // close_notify
		default:
			l.brokenTLS(c, err)
		}
	}
	if c.edge == e {
		e.wire.in = nil
	}
}

var errBarren = errors.New("engine: too many TLS records without data")

// brokenTLS ends a connection whose records can't be read. An alert has told its peer; nothing can be
// sent behind that.
func (l *Loop) brokenTLS(c *Conn, err error) {
	l.stats.protocolErrors.Add(1)
	l.engine.slowLog.warn("TLS", "closed a connection: "+err.Error(), "remote", c.RemoteAddr())
	c.because(EndedProtocol)
	l.closeSocket(c)
}

// seal returns b as ciphertext, valid until the next call, or nil after closing a connection that can't
// be written to any more.
func (l *Loop) seal(c *Conn, b []byte) []byte {
	s := l.ciphers
	s.cipher = s.cipher[:0]
	if _, err := c.edge.tls.Write(b); err != nil { // only what its peer has sent can have broken it
		c.because(EndedProtocol)
		l.closeSocket(c)
		return nil
	}
	sealed := s.cipher
	s.cipher = s.cipher[:0]
	return sealed
}

// sendControl sends what tls had to say by itself: alerts and changes of keys. It reports whether c is
// still there.
func (l *Loop) sendControl(c *Conn) bool {
	if b := l.ciphers.cipher; len(b) > 0 {
		l.ciphers.cipher = b[:0]
		l.sendRaw(c, b)
	}
	return c.state != stateClosed
}

// sendRaw sends bytes past the backlog. Ciphertext can't wait there, between plaintext that is sealed
// later: gnet keeps it, behind what it has. A peer that takes nothing and makes us say more is cut off.
func (l *Loop) sendRaw(c *Conn, b []byte) {
	if c.out == nil {
		l.put(c, b)
		return
	}
	l.stats.bytesOut.Add(uint64(len(b)))
	if _, _ = c.gc.Write(b); c.state == stateClosed {
		return
	}
	if c.out.held = c.gc.OutboundBuffered(); c.out.held > rawBytesMax {
		l.cutOff(c, "it does not take what TLS has to say")
	}
}

// sayBye sends close_notify, once, behind everything written. It reports false if that is not on its way
// yet: then finish is called again.
func (l *Loop) sayBye(c *Conn) bool {
	e := c.edge
	if e.tls == nil || e.saidBye {
		return true
	}
	e.saidBye = true
	_ = e.tls.CloseWrite() // fails if an alert has been sent, which ends the stream as well
	return l.sendControl(c) && c.out == nil
}

// The rest of net.Conn. Deadlines are the loop's business until the connection is handed on.

func (w *wire) Close() error {
	if w.own != nil {
		return w.own.Close()
	}
	return nil
}

func (w *wire) LocalAddr() net.Addr {
	if w.own != nil {
		return w.own.LocalAddr()
	}
	return nil
}

func (w *wire) RemoteAddr() net.Addr {
	if w.own != nil {
		return w.own.RemoteAddr()
	}
	return nil
}

func (w *wire) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}

func (w *wire) SetReadDeadline(t time.Time) error {
	if w.own != nil {
		return w.own.SetReadDeadline(t)
	}
	return nil
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.own != nil {
		return w.own.SetWriteDeadline(t)
	}
	return nil
}
