package engine

import (
	"crypto/tls"
	"net/http"
	"net/netip"

	"deepstream-fast/engine/proxyheader"
)

// phase is how far a connection with an edge has come. It only ever grows.
type phase uint8

const (
	phaseHeader    phase = iota // a PROXY header has to come first
	phaseStranger               // nobody we take a PROXY header from: it must not begin with one
	phaseHello                  // waiting for the first record of a TLS handshake
	phaseHandshake              // a goroutine is at the handshake
	phaseSecured                // TLS established
	phasePlain                  // nothing is left but the address that a proxy has named
)

// edge is what lies between a socket and the bytes of HTTP or WebSocket: a PROXY header, TLS. A
// connection without either has none. It belongs to the loop, like its Conn.
type edge struct {
	door    *door
	phase   phase
	saidBye bool           // close_notify is out
	barren  uint16         // see Loop.decrypt
	charged int            // bytes that Engine.unsecured knows of
	buf     []byte         // of a PROXY header or a ClientHello, as far as received
	remote  netip.AddrPort // whom the proxy acts for; not valid: nobody
	hs      *handshake     // phaseHandshake
	tls     *tls.Conn      // from phaseSecured on
	wire    wire           // what tls reads and writes
}

// openEdge gives c the edge that connections through d have.
func (l *Loop) openEdge(c *Conn, d *door) {
	e := &edge{door: d, phase: phaseHello}
	switch {
	case d.expects(c.gc.RemoteAddr()):
		e.phase = phaseHeader
	case d.guarded:
		e.phase = phaseStranger
	}
	c.edge = e
	if e.phase == phaseHello {
		l.rearm(c, l.opts.HandshakeTimeout)
	}
}

// edgeTraffic takes what was read from a connection with an edge.
func (l *Loop) edgeTraffic(c *Conn, b []byte) {
	for len(b) > 0 && c.reading() {
		e := c.edge
		if e == nil { // it was a stranger without anything of interest
			l.consume(c, b)
			return
		}
		switch e.phase {
		case phaseHeader:
			b = l.readProxyHeader(c, b)
		case phaseStranger:
			b = l.readStranger(c, b)
		case phaseHello:
			l.readHello(c, b)
			return
		case phaseHandshake:
			l.feedHandshake(c, b)
			return
		case phaseSecured:
			l.decrypt(c, b)
			return
		case phasePlain:
			l.consume(c, b)
			return
		}
	}
}

// Secure reports whether what c sends and gets is encrypted.
func (c *Conn) Secure() bool { return c.edge != nil && c.edge.tls != nil }

// reading reports whether anybody wants what the peer of c sends.
func (c *Conn) reading() bool { return c.state == stateHead || c.state == stateOpen }

// together returns the bytes kept so far with b behind them.
func (e *edge) together(b []byte) []byte {
	if len(e.buf) == 0 {
		return b
	}
	all := append(e.buf, b...)
	e.buf = nil
	return all
}

// keepBytes keeps b, which is incomplete, until more arrives.
func (e *edge) keepBytes(b []byte) { e.buf = append([]byte(nil), b...) }

// readProxyHeader reads the header that a trusted proxy begins with and returns what lies behind it.
func (l *Loop) readProxyHeader(c *Conn, b []byte) []byte {
	e := c.edge
	b = e.together(b)
	client, n, err := proxyheader.Parse(b)
	switch err {
	case nil:
	case proxyheader.ErrShort: // then b is shorter than proxyheader.BytesMax
		e.keepBytes(b)
		return nil
	default:
		l.refuseProxy(c, err.Error())
		return nil
	}
	e.remote = client
	e.pass(l, c)
	return b[n:]
}

// readStranger refuses a PROXY header of somebody who could claim any address by it.
func (l *Loop) readStranger(c *Conn, b []byte) []byte {
	e := c.edge
	b = e.together(b)
	yes, maybe := proxyheader.Begins(b)
	switch {
	case yes:
		l.refuseProxy(c, "a PROXY header from an address that is not trusted")
		return nil
	case maybe:
		e.keepBytes(b)
		return nil
	}
	e.pass(l, c)
	return b
}

// pass goes on to what comes behind the PROXY header, or instead of it.
func (e *edge) pass(l *Loop, c *Conn) {
	switch {
	case e.door.secure:
		e.phase = phaseHello
		l.rearm(c, l.opts.HandshakeTimeout)
	case e.remote.IsValid():
		e.phase = phasePlain
	default:
		c.edge = nil
	}
}

func (l *Loop) refuseProxy(c *Conn, why string) {
	l.stats.proxyRefused.Add(1)
	l.engine.slowLog.warn("PROXY_PROTOCOL", "refused a connection: "+why, "remote", c.RemoteAddr())
	c.because(EndedProxy)
	l.closeSocket(c)
}

const (
	recordHeadBytes  = 5
	recordBytesMax   = 16<<10 + 2048 // RFC 5246 §6.2.3
	recordHandshake  = 22
	messageHello     = 1 // ClientHello
	wrongPortMessage = "this port speaks TLS: use https:// or wss://\n"
)

// alertWrongPort says protocol_version, fatally: none of TLS is spoken here. RFC 8446 §6.2.
var alertWrongPort = []byte{21, 3, 1, 0, 2, 2, 70}

// readHello collects the first record of a handshake, so that nobody gets a goroutine for nothing.
func (l *Loop) readHello(c *Conn, b []byte) {
	e := c.edge
	b = e.together(b)
	if b[0] != recordHandshake {
		l.stats.wrongProtocol.Add(1)
		c.because(EndedHandshake)
		if b[0] < 'A' || b[0] > 'Z' {
			l.closeSocket(c)
			return
		}
		l.refuse(c, appendResponse(nil, Response{Status: http.StatusBadRequest, Type: "text/plain", Body: wrongPortMessage}, false, false))
		return
	}
	size := recordHeadBytes
	if len(b) >= recordHeadBytes {
		size += int(b[3])<<8 | int(b[4])
		if b[1] != 3 || size > recordHeadBytes+recordBytesMax {
			l.stats.handshakesFailed.Add(1)
			c.because(EndedHandshake)
			l.closeSocket(c)
			return
		}
	}
	if len(b) >= size && size > recordHeadBytes {
		l.startHandshake(c, b)
		return
	}
	if l.charge(c, len(b)-e.charged) {
		e.keepBytes(b)
	}
}

// charge accounts for n more bytes that c has sent and that wait for the end of its handshake. It
// reports false after closing c, where that is more than all connections together may have.
func (l *Loop) charge(c *Conn, n int) bool {
	e := c.edge
	e.charged += n
	l.engine.unsecured.add(n)
	if e.charged <= handshakeBytesMax && !l.engine.unsecured.over() {
		return true
	}
	l.stats.handshakesShed.Add(1)
	l.engine.slowLog.warn("TLS_HANDSHAKE", "refused a connection: too much was sent before the TLS handshake was done", "remote", c.RemoteAddr())
	c.because(EndedOverload)
	l.closeSocket(c)
	return false
}

// discharge gives back what charge has counted.
func (l *Loop) discharge(e *edge) {
	l.engine.unsecured.add(-e.charged)
	e.charged = 0
}

// closeEdge is called when gnet is about to close the socket of c.
func (l *Loop) closeEdge(c *Conn) {
	e := c.edge
	if e.hs != nil {
		e.hs.fail(errGone)
		e.hs = nil
	}
	if e.tls != nil && !e.saidBye && c.out == nil {
		// Whoever has only shut its sending side sees that nothing was cut off. If it does not go out
		// at once nobody needs it.
		_ = e.tls.CloseWrite()
		send(c.fd, l.ciphers.cipher)
		l.ciphers.cipher = l.ciphers.cipher[:0]
	}
	l.discharge(e)
	c.edge = nil
}

// speaksTLS reports whether b begins with a ClientHello, and answers it: on a plain port nobody would
// ever complete a request head with that.
func (l *Loop) speaksTLS(c *Conn, b []byte) bool {
	if len(b) <= recordHeadBytes || b[0] != recordHandshake || b[1] != 3 || b[recordHeadBytes] != messageHello {
		return false
	}
	if c.Secure() { // TLS inside TLS is no HTTP either, but no mistake about the port
		return false
	}
	l.stats.wrongProtocol.Add(1)
	c.because(EndedHandshake)
	l.refuse(c, alertWrongPort)
	return true
}

// hangUp ends c once everything queued for it is written: its peer sends nothing any more.
func (l *Loop) hangUp(c *Conn) {
	l.enqueue(c, nil, Reply) // so that the end of the turn comes by
	c.hangup = true
	l.startClosing(c)
}

// endWrite is hangUp for a peer that may still be reading: it gets our end of the stream first.
func (l *Loop) endWrite(c *Conn) {
	l.enqueue(c, nil, Reply)
	l.startClosing(c)
}
