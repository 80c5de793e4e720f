package engine

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

// sent returns what sends b on a new connection and reads to its end, in whatever way that comes.
func sent(b string) func(*testing.T, *Engine) {
	return func(t *testing.T, e *Engine) {
		c := dial(t, e)
		c.send([]byte(b))
		_, _ = io.Copy(io.Discard, c.r)
	}
}

// Whatever lies between a socket and its WebSocket says why it ended the connection.
func TestEndingsBeforeTheWebSocket(t *testing.T) {
	hello := string(clientHello(t))
	secure := func(o *Options) { o.TLS = serverTLS() }
	for name, tt := range map[string]struct {
		change func(*Options)
		do     func(*testing.T, *Engine)
		want   Ending
	}{
		"no PROXY header":          {trust("127.0.0.0/8"), sent(upgradeRequest), EndedProxy},
		"a stranger's header":      {trust("192.0.2.0/24"), sent(proxy1), EndedProxy},
		"HTTP where TLS belongs":   {secure, sent("GET / HTTP/1.1\r\n\r\n"), EndedHandshake},
		"garbage where TLS does":   {secure, sent("\x00\x01\x02"), EndedHandshake},
		"a record of no version":   {secure, sent("\x16\x00\x00\x00\x05"), EndedHandshake},
		"a handshake that fails":   {secure, sent("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), EndedHandshake},
		"TLS where HTTP belongs":   {nil, sent(hello), EndedHandshake},
		"too much at once":         {secure, crowded, EndedOverload},
		"a handshake without room": {secure, roomless, EndedOverload},
		"a handshake in no time": {
			func(o *Options) { secure(o); o.HandshakeTimeout = 50 * time.Millisecond }, sent(hello[:50]), EndedHandshake,
		},
		"a head in no time, behind TLS": {
			func(o *Options) { secure(o); o.HeadTimeout = 50 * time.Millisecond },
			func(t *testing.T, e *Engine) {
				_, _ = dialTLS(t, e, clientTLS(tls.VersionTLS13), nil).r.ReadByte()
			}, EndedHead,
		},
		"a record that is broken": {secure, func(t *testing.T, e *Engine) {
			c := dialWSS(t, e, tls.VersionTLS13)
			if _, err := c.Conn.(*tls.Conn).NetConn().Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)); err != nil {
				t.Fatal(err)
			}
		}, EndedProtocol},
		"close_notify": {secure, func(t *testing.T, e *Engine) {
			if err := dialWSS(t, e, tls.VersionTLS13).Conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}, EndedByPeer},
		"a WebSocket that breaks the protocol": {secure, func(t *testing.T, e *Engine) {
			dialWSS(t, e, tls.VersionTLS13).wantCloseTo("\xff\xff", ws.CloseProtocolError)
		}, EndedProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := startHub(t, tt.change)
			tt.do(t, e)
			wantEnding(t, e, tt.want)
		})
	}
}

// A connection that leaves the reactor ends for it, and for nobody else.
func TestEndingOfConnectionsHandedOver(t *testing.T) {
	for name, change := range map[string]func(*Options){"plain": nil, "TLS": func(o *Options) { o.TLS = serverTLS() }} {
		t.Run(name, func(t *testing.T) {
			e, _ := startWeb(t, change, nil)
			c := dial(t, e)
			if change != nil {
				_ = c.Close()
				wantEnding(t, e, EndedByPeer)
				c = dialTLS(t, e, clientTLS(tls.VersionTLS13), nil)
			}
			c.send(post("/a", 3))
			c.wantAnswer(200, "POST /a 3")
			wantEnding(t, e, EndedHandedOver)
			if n := e.HTTPStats(); n.Connections != 1 || n.HandedOff != 1 {
				t.Errorf("%+v", n)
			}
		})
	}
	t.Run("no room", func(t *testing.T) {
		e, _ := startWeb(t, func(o *Options) { o.HTTPConnectionsMax = 1 }, nil)
		kept := dial(t, e)
		kept.send(post("/a", 3))
		kept.wantAnswer(200, "POST /a 3")
		sent(string(post("/b", 3)))(t, e)
		wantEnding(t, e, EndedRequest)
		wantEnding(t, e, EndedHandedOver)
	})
}

// wantCloseTo sends b and waits for the close frame that answers it.
func (c *client) wantCloseTo(b string, code ws.CloseCode) {
	c.t.Helper()
	c.send([]byte(b))
	c.wantClose(code)
}

// wantEnding waits until one connection has ended for that reason, and looks whether every one that is
// gone has a reason.
func wantEnding(t *testing.T, e *Engine, want Ending) {
	t.Helper()
	eventually(t, "an ending: "+want.String(), func() bool { return e.Stats().Ended[want] == 1 })
	s, sum := e.Stats(), uint64(0)
	for _, n := range s.Ended {
		sum += n
	}
	if sum != s.Closed {
		t.Errorf("%d closed, but by reason %v", s.Closed, s.Ended)
	}
}

// crowded sends more than may wait for a handshake.
func crowded(t *testing.T, e *Engine) {
	e.unsecured.add(handshakesBytesMax)
	defer e.unsecured.add(-handshakesBytesMax)
	sent("\x16\x03\x01\x40\x00")(t, e)
}

// roomless begins a handshake while all that there may be compute.
func roomless(t *testing.T, e *Engine) {
	e.handshakes.mu.Lock()
	e.handshakes.underWay = e.handshakes.max
	e.handshakes.mu.Unlock()
	defer func() {
		e.handshakes.mu.Lock()
		e.handshakes.underWay = 0
		e.handshakes.mu.Unlock()
	}()
	sent(string(clientHello(t)))(t, e)
}
