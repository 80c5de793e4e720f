package bench

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"deepstream-fast/bench/load"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/internal/testkit/testcert"
)

// FastTLS is our server with TLS on its port. The fleet of package load can't drive it: Client can.
const FastTLS Server = "fast-tls"

// secured returns what makes s one that speaks TLS.
func secured(s Server) string {
	if s != FastTLS {
		return ""
	}
	return "[httpServer.options.ssl]\ncertFile = \"tls.pem\"\nkeyFile = \"tls.key\"\n"
}

// certify writes the certificate of FastTLS.
func (r *Rig) certify() error {
	root := testcert.Root("bench")
	server := root.Issue("bench", 24*time.Hour)
	for name, text := range map[string][]byte{"tls.pem": server.CertPEM(), "tls.key": server.KeyPEM()} {
		if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o600); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	r.roots = root.Pool()
	return nil
}

// login returns how to find out that s lets somebody log in.
func (r *Rig) login(s Server) func(addr string) error {
	if s == FastTLS {
		return func(addr string) error {
			c, err := r.Dial(s, addr, 0)
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	return func(addr string) error {
		c, err := r.connect(s, addr, 0)
		if err == nil {
			c.Close()
		}
		return err
	}
}

// connect opens the index-th connection to s and logs it in.
func (r *Rig) connect(s Server, addr string, index int) (*load.Conn, error) {
	return r.dialects[s].Dial(addr, index, startTimeout, cmp.Or(r.logins[s], "{}"))
}

// Client is a logged-in connection to Fast or FastTLS, slower than one of package load.
type Client struct {
	*peer.Client
	stream net.Conn // plaintext
}

// Close ends the connection by a reset: thousands of ports must not sit in TIME_WAIT until the next run.
func (c *Client) Close() {
	under := c.stream
	if t, ok := under.(*tls.Conn); ok {
		under = t.NetConn()
	}
	_ = under.(*net.TCPConn).SetLinger(0)
	_ = under.Close()
}

// Dial logs in over TCP or TLS with the given version, 0 for the newest.
func (r *Rig) Dial(s Server, addr string, version uint16) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, startTimeout)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if s == FastTLS {
		conn = tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: "localhost", MinVersion: version, MaxVersion: version})
	}
	c := &Client{stream: conn}
	if c.Client, err = peer.Over(conn); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err = c.Send("CONNECTION CHALLENGE url=ws://bench", "AUTH REQUEST data=`{}`"); err == nil {
		_, err = c.Fence()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("bench: login: %w", err)
	}
	return c, nil
}
