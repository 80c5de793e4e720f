package engine

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/internal/testkit/testcert"
)

// identity is an authority and a certificate of it, made once per test binary.
var identity = sync.OnceValues(func() (root, server *testcert.Certificate) {
	root = testcert.Root("engine test")
	return root, root.Issue("server", 24*time.Hour)
})

func serverTLS() *tls.Config {
	_, server := identity()
	return &tls.Config{Certificates: []tls.Certificate{server.Pair()}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true}
}

func clientTLS(version uint16) *tls.Config {
	root, _ := identity()
	return &tls.Config{RootCAs: root.Pool(), ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version, NextProtos: []string{"http/1.1"}}
}

// versions are those that the server speaks.
var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func startSecure(t *testing.T, change func(*Options)) (*Engine, *hubs) {
	t.Helper()
	return startHub(t, func(o *Options) {
		o.TLS = serverTLS()
		if change != nil {
			change(o)
		}
	})
}

// dialTLS returns a client whose handshake is done, over a connection that wrap has changed.
func dialTLS(t *testing.T, e *Engine, config *tls.Config, wrap func(net.Conn) net.Conn) *client {
	t.Helper()
	raw := dial(t, e)
	var under net.Conn = raw.Conn
	if wrap != nil {
		under = wrap(under)
	}
	c := tls.Client(under, config)
	if err := c.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) upgrade() *client {
	c.t.Helper()
	c.send([]byte(upgradeRequest))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
		c.t.Fatalf("upgrade answered %q", head)
	}
	return c
}

func dialWSS(t *testing.T, e *Engine, version uint16) *client {
	t.Helper()
	return dialTLS(t, e, clientTLS(version), nil).upgrade()
}

// dribble writes byte by byte.
type dribble struct{ net.Conn }

func (d dribble) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

// recorder keeps what is read from it, which is what the server has sent.
type recorder struct {
	net.Conn
	got []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.got = append(r.got, p[:n]...)
	return n, err
}

// saidBye reports whether the last record is an alert: crypto/tls takes any end of the stream for a good
// one. Alerts are known by their type in TLS 1.2, by their size in 1.3, where types are encrypted.
func (r *recorder) saidBye() bool {
	kind, size := byte(0), 0
	for b := r.got; len(b) >= recordHeadBytes; {
		kind, size = b[0], int(b[3])<<8|int(b[4])
		b = b[min(len(b), recordHeadBytes+size):]
	}
	return kind == 21 || kind == typeData && size == len("\x01\x00")+1+16
}

// holder keeps back what is written from the second write on, until told to let it go at once: the first
// is the ClientHello, the second the client's end of the handshake.
type holder struct {
	net.Conn
	writes int
	held   []byte
	open   bool
}

func (h *holder) Write(p []byte) (int, error) {
	if h.writes++; h.open || h.writes == 1 {
		return h.Conn.Write(p)
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

func (h *holder) release() error {
	h.open = true
	_, err := h.Conn.Write(h.held)
	return err
}
