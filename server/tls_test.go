package server

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/internal/testkit/testcert"
)

// folder is a configuration with its files.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) write(name string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// load returns the configuration with ssl as its TLS section.
func (f folder) load(ssl string) *config.Config {
	f.t.Helper()
	f.write("conf.toml", []byte("[storage]\ntype = \"none\"\n[httpServer.options]\nhost = \"127.0.0.1\"\nport = 0\n[httpServer.options.ssl]\n"+ssl))
	cfg, err := f.reread()
	if err != nil {
		f.t.Fatal(err)
	}
	return cfg
}

func (f folder) reread() (*config.Config, error) {
	return config.Load(filepath.Join(f.dir, "conf.toml"), func(string) (string, bool) { return "", false })
}

// start runs a server with ssl as its TLS section. logged returns all that was logged, and ends the log.
func (f folder) start(ssl string) (s *Server, r *Reloader, logged func() string) {
	f.t.Helper()
	cfg, out := f.load(ssl), &sink{}
	log := OpenLog(cfg, out, out, false)
	f.t.Cleanup(log.Close)
	s, err := Start(cfg, log.Logger)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s, NewReloader(s, cfg, log, nil, f.reread), func() string {
		log.Close()
		return out.String()
	}
}

const (
	byName   = "certFile = \"cert.pem\"\nkeyFile = \"key.pem\"\n"
	byMacro  = "cert = \"fileLoad(cert.pem)\"\nkey = \"fileLoad(key.pem)\"\n"
	watching = "watch = true\n"
)

func TestCertificatesAreReloaded(t *testing.T) {
	root := testcert.Root("root")
	for name, ssl := range map[string]string{"by name": byName, "by fileLoad": byMacro} {
		t.Run(name, func(t *testing.T) {
			first, second := root.Issue("first", 100*24*time.Hour), root.Issue("second", 24*time.Hour)
			f := folder{t, t.TempDir()}
			f.write("cert.pem", first.CertPEM())
			f.write("key.pem", first.KeyPEM())
			s, r, logged := f.start(ssl)
			client := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: root.Pool()}, DisableKeepAlives: true}
			shown := func() string {
				t.Helper()
				answer, err := (&http.Client{Transport: client}).Get("https://" + s.Addr().String() + "/health-check")
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != 200 {
					t.Errorf("health check: %s", answer.Status)
				}
				return answer.TLS.PeerCertificates[0].Subject.CommonName
			}
			reload := func() error {
				_, err := r.Reload()
				return err
			}
			if name := shown(); name != "first" {
				t.Errorf("%q is shown at the start", name)
			}
			f.write("cert.pem", second.CertPEM())
			if err := reload(); err == nil || !strings.Contains(err.Error(), "does not match") || shown() != "first" {
				t.Errorf("half a change: %v", err)
			}
			f.write("key.pem", second.KeyPEM())
			if err := reload(); err != nil || shown() != "second" || !s.CertificateExpires().Equal(second.NotAfter) {
				t.Errorf("a whole change: %v, expires %v", err, s.CertificateExpires())
			}
			if err := os.Remove(filepath.Join(f.dir, "key.pem")); err != nil {
				t.Fatal(err)
			}
			if err := reload(); err == nil || shown() != "second" {
				t.Errorf("a missing key: %v", err)
			}
			if log := logged(); !strings.Contains(log, "wss://") || strings.Count(log, "ends soon") != 1 {
				t.Errorf("no address, or not one warning, of the certificate with a day to live:\n%s", log)
			}
		})
	}
}

func TestCertificatesAreWatched(t *testing.T) {
	root := testcert.Root("root")
	for name, ssl := range map[string]string{"by name": byName, "by fileLoad": byMacro} {
		t.Run(name, func(t *testing.T) {
			first, second := root.Issue("first", 100*24*time.Hour), root.Issue("second", 200*24*time.Hour)
			f := folder{t, t.TempDir()}
			f.write("cert.pem", first.CertPEM())
			f.write("key.pem", first.KeyPEM())
			s, r, logged := f.start(ssl + watching)
			seen := look(r.watched(), nil, r.reloadPart)
			rounds := func() { // the second sees that nothing is being written, in the third there is nothing new
				for range 3 {
					seen = look(r.watched(), seen, r.reloadPart)
				}
			}
			rounds()
			f.write("cert.pem", append(second.CertPEM(), '\n'))
			rounds()
			if !s.CertificateExpires().Equal(first.NotAfter) {
				t.Error("half a change was taken")
			}
			f.write("key.pem", append(second.KeyPEM(), '\n'))
			rounds()
			if !s.CertificateExpires().Equal(second.NotAfter) {
				t.Error("a whole change was not")
			}
			log := logged()
			if n := strings.Count(log, "does not match"); n != 1 {
				t.Errorf("half a change was reported %d times:\n%s", n, log)
			}
			if strings.Contains(log, "PRIVATE") {
				t.Error("the log has a key in it")
			}
		})
	}
}

func TestNoCertificate(t *testing.T) {
	f := folder{t, t.TempDir()}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	good := testcert.Root("root").Issue("good", time.Hour)
	f.write("cert.pem", good.CertPEM())
	for name, tt := range map[string]struct {
		key  []byte
		ssl  string
		want string
	}{
		"missing":  {nil, byName, "no such file"},
		"rubbish":  {[]byte("rubbish"), byName, "httpServer.options.ssl: certs:"},
		"too long": {make([]byte, certificateBytesMax+1), byName, "larger than the maximum of 1MiB"},
		"no ca":    {good.KeyPEM(), byName + "requireClientCert = true\nca = \" \"\n", "there is no ca"},
	} {
		_ = os.Remove(filepath.Join(f.dir, "key.pem"))
		if tt.key != nil {
			f.write("key.pem", tt.key)
		}
		s, err := Start(f.load(tt.ssl), quiet)
		if err == nil {
			_ = s.Stop(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
