package engine

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// identity is a certificate for 127.0.0.1 that vouches for itself, made once per test binary.
var identity = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "engine test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

func serverTLS() *tls.Config {
	pair, _ := identity()
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true}
}

func clientTLS(version uint16) *tls.Config {
	_, pool := identity()
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version, NextProtos: []string{"http/1.1"}}
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
