package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

func dialUnix(t *testing.T, path string) *client {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func TestUnixSocketBesideTCP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	e, _ := startHub(t, func(o *Options) { o.UnixSocket, o.TLS = path, serverTLS() })
	u := dialUnix(t, path).upgrade() // without TLS
	u.sendText(ws.Binary, "remote")
	u.want(ws.Binary, "unix")
	w := dialWSS(t, e, tls.VersionTLS13)
	w.sendText(ws.Binary, "all:both")
	w.want(ws.Binary, "both")
	u.want(ws.Binary, "both")
	u.sendText(ws.Binary, "big:3000000")
	if f, err := u.next(); err != nil || len(f.payload) != 3_000_000 {
		t.Fatalf("%d bytes, %v", len(f.payload), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v: want mode 0660", info, err)
	}
}

func TestUnixSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	e, _ := startHub(t, func(o *Options) { o.UnixSocket, o.UnixSocketOnly, o.UnixSocketMode = path, true, 0o600 })
	if e.Addr() != nil {
		t.Errorf("listens on %v as well", e.Addr())
	}
	c := dialUnix(t, path).upgrade()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want mode 0600", info, err)
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- e.Stop(ctx)
	}()
	c.wantClose(ws.CloseGoingAway)
	_ = c.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestUnixSocketPaths(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	ln, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = ln.Close()
	startHub(t, func(o *Options) { o.UnixSocket = stale })
	dialUnix(t, stale).upgrade()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		stale:                          "somebody listens",
		file:                           "not a socket",
		filepath.Join(dir, "a/b"):      "no such file",
		"/" + strings.Repeat("x/", 60): "the system takes 107",
	} {
		if ln, err := listenUnix(path, 0o600); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v, want an error with %q", path, ln, err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file was touched: %q, %v", b, err)
	}
	if _, err := Start(Options{UnixSocketOnly: true}); err == nil || !strings.Contains(err.Error(), "none is named") {
		t.Errorf("nothing to listen on: %v", err)
	}
}

const (
	proxy1 = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"
	proxy2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb"
	local2 = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

func trust(cidr string) func(*Options) {
	return func(o *Options) { o.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix(cidr)} }
}

func TestProxyHeaderNamesTheClient(t *testing.T) {
	e, _ := startHub(t, trust("127.0.0.0/8"))
	for name, tt := range map[string]struct{ header, remote string }{
		"version 1": {proxy1, "192.0.2.7:40000"},
		"version 2": {proxy2, "192.0.2.7:40000"},
		"UNKNOWN":   {"PROXY UNKNOWN\r\n", ""},
		"LOCAL":     {local2, ""},
	} {
		for _, pieces := range []bool{false, true} {
			c := dial(t, e)
			want := tt.remote
			if want == "" {
				want = c.LocalAddr().String()
			}
			all := tt.header + upgradeRequest + string(masked(ws.Binary, "remote"))
			if pieces {
				for _, b := range []byte(all) {
					c.send([]byte{b})
				}
			} else {
				c.send([]byte(all))
			}
			if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
				t.Fatalf("%s: %q", name, head)
			}
			if f, err := c.next(); err != nil || f.payload != want {
				t.Errorf("%s: remote address %q, %v; want %s", name, f.payload, err, want)
			}
		}
	}
	if n := e.Stats().ProxyRefused; n != 0 {
		t.Errorf("%d refused", n)
	}
}

func TestProxyHeaderBeforeTLS(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { trust("127.0.0.1/32")(o); o.TLS = serverTLS() })
	for _, header := range []string{proxy1, proxy2} {
		prepend := func(n net.Conn) net.Conn { return &prefixed{Conn: n, prefix: header} }
		c := dialTLS(t, e, clientTLS(tls.VersionTLS13), prepend).upgrade()
		c.sendText(ws.Binary, "remote")
		c.want(ws.Binary, "192.0.2.7:40000")
	}
	// The other way round the header is encrypted, and nobody's to believe.
	inside := tls.Client(&prefixed{Conn: dial(t, e).Conn}, clientTLS(tls.VersionTLS13))
	if err := inside.Handshake(); err == nil {
		t.Error("a handshake without a header")
	}
	eventually(t, "it is refused", func() bool { return e.Stats().ProxyRefused == 1 })
}

// prefixed writes prefix in front of the first bytes.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.prefix != "" {
		all := p.prefix + string(b)
		p.prefix = ""
		_, err := io.WriteString(p.Conn, all)
		return len(b), err
	}
	return p.Conn.Write(b)
}

func TestProxyHeaderOnUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	e, _ := startHub(t, func(o *Options) { o.UnixSocket, o.ProxyUnix = path, true })
	c := dialUnix(t, path)
	c.send([]byte(proxy1))
	c.upgrade()
	c.sendText(ws.Binary, "remote")
	c.want(ws.Binary, "192.0.2.7:40000")
	tcp := dialWS(t, e) // has no header, and needs none
	tcp.sendText(ws.Binary, "remote")
	tcp.want(ws.Binary, tcp.LocalAddr().String())
}

func TestProxyHeadersRefused(t *testing.T) {
	for name, tt := range map[string]struct{ trusted, sent string }{
		"missing":                 {"127.0.0.0/8", upgradeRequest},
		"malformed":               {"127.0.0.0/8", "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n"},
		"endless":                 {"127.0.0.0/8", "PROXY TCP4 " + strings.Repeat("1", 200)},
		"version 1 by a stranger": {"192.0.2.0/24", proxy1 + upgradeRequest},
		"version 2 by a stranger": {"192.0.2.0/24", proxy2 + upgradeRequest},
		"a stranger byte by byte": {"192.0.2.0/24", proxy2[:12]},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := startHub(t, trust(tt.trusted))
			c := dial(t, e)
			if strings.HasSuffix(name, "byte by byte") {
				for _, b := range []byte(tt.sent) {
					c.send([]byte{b})
				}
			} else {
				c.send([]byte(tt.sent))
			}
			if b, err := c.r.ReadByte(); err == nil {
				t.Errorf("answered with %q", b)
			}
			if n := e.Stats().ProxyRefused; n != 1 {
				t.Errorf("%d refused, want 1", n)
			}
		})
	}
}

func TestStrangersWithoutProxyHeader(t *testing.T) {
	e, _ := startHub(t, trust("192.0.2.0/24"))
	c := dial(t, e)
	c.send([]byte("P"))
	c.send([]byte("ROPFIND /a HTTP/1.1\r\nHost: h\r\n\r\n"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("got %q", head)
	}
	w := dialWS(t, e)
	w.sendText(ws.Binary, "remote")
	w.want(ws.Binary, w.LocalAddr().String())
}

func TestProxyHeaderTimeout(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { trust("127.0.0.0/8")(o); o.HeadTimeout = 200 * time.Millisecond })
	c := dial(t, e)
	c.send([]byte(proxy1[:20]))
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("half a header was answered")
	}
	if n := e.Stats().HeadTimeouts; n != 1 {
		t.Errorf("%d timeouts, want 1", n)
	}
}
