package server

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/engine"
	"deepstream-fast/engine/certs"
)

const (
	certificateBytesMax = 1 << 20             // of one file
	expiryWarning       = 14 * 24 * time.Hour // how long before a certificate ends this is worth a line
)

// listener fills in where the engine listens and what is spoken there.
func (s *Server) listener(o *engine.Options) error {
	h := &s.cfg.HTTPServer.Options
	if h.UnixSocket.Path != "" {
		o.UnixSocket = inDir(s.cfg, h.UnixSocket.Path)
	}
	o.UnixSocketMode, _ = h.UnixSocket.FileMode() // as Validate has found it
	o.UnixSocketOnly = h.UnixSocket.Only
	var err error
	if o.ProxyTrusted, o.ProxyUnix, err = h.ProxyProtocol.Parse(); err != nil {
		return fmt.Errorf("server: httpServer.options.proxyProtocol.%w", err)
	}
	if !h.SSL.Enabled() {
		return nil
	}
	if s.certs, err = openCertificates(s.cfg, s.log); err != nil {
		return err
	}
	o.TLS = s.certs.source.Config()
	return nil
}

// inDir returns where path, as written in the configuration file, leads.
func inDir(cfg *config.Config, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(cfg.Dir, path)
}

// urls returns what is listened on, for people to read.
func (s *Server) urls(scheme, path string) string {
	var all []string
	if addr := s.engine.Addr(); addr != nil {
		if s.certs != nil {
			scheme += "s"
		}
		all = append(all, scheme+"://"+addr.String()+path)
	}
	if socket := s.cfg.HTTPServer.Options.UnixSocket.Path; socket != "" {
		all = append(all, "unix:"+inDir(s.cfg, socket))
	}
	return strings.Join(all, " and ")
}

// ReloadCertificates reads the files of httpServer.options.ssl again. Clients that are connected stay.
// On an error the certificate of before is shown further. Without TLS, or with contents that come from
// no file, there is nothing to do. Safe for concurrent use.
func (s *Server) ReloadCertificates() error { return s.certs.reload() }

// CertificateExpires returns when the first certificate of the chain that is shown ends, the zero time
// without TLS.
func (s *Server) CertificateExpires() time.Time {
	if s.certs == nil {
		return time.Time{}
	}
	return s.certs.source.Expires()
}

// certificates connects the files of httpServer.options.ssl with what the engine shows. A nil one does
// nothing.
type certificates struct {
	// Set by openCertificates, then constant.
	log     *slog.Logger
	source  *certs.Source
	options certs.Options

	mu sync.Mutex // one reload at a time

	cfg atomic.Pointer[config.Config] // whose files are shown
}

func openCertificates(cfg *config.Config, log *slog.Logger) (*certificates, error) {
	ssl := &cfg.HTTPServer.Options.SSL
	c := &certificates{log: log}
	c.cfg.Store(cfg)
	cert, key, ca, err := readPEMs(cfg, false)
	if err != nil {
		return nil, err
	}
	c.options = certs.Options{Passphrase: ssl.Passphrase, CA: ca, RequireClientCert: ssl.RequireClientCert}
	c.source, err = certs.New(cert, key, c.options)
	if err != nil {
		return nil, fmt.Errorf("server: httpServer.options.ssl: %w", err)
	}
	c.warnOfExpiry()
	return c, nil
}

// readPEMs returns the three texts: from their files, or as the configuration has them. again reads also
// what fileLoad has read before.
func readPEMs(cfg *config.Config, again bool) (cert, key, ca []byte, err error) {
	ssl := &cfg.HTTPServer.Options.SSL
	text := func(contents, file, loadedFrom string) (pem []byte) {
		switch {
		case err != nil:
			return nil
		case file != "":
			pem, err = readPEM(inDir(cfg, file))
		case again && loadedFrom != "":
			pem, err = readPEM(loadedFrom)
		default:
			pem = []byte(contents)
		}
		return pem
	}
	cert = text(ssl.Cert, ssl.CertFile, ssl.CertLoadedFrom)
	key = text(ssl.Key, ssl.KeyFile, ssl.KeyLoadedFrom)
	ca = text(ssl.CA, ssl.CAFile, ssl.CALoadedFrom)
	return cert, key, ca, err
}

func readPEM(path string) ([]byte, error) {
	text, err := config.ReadFile(path, certificateBytesMax)
	if err != nil {
		return nil, fmt.Errorf("server: httpServer.options.ssl: %w", err)
	}
	return text, nil
}

func (c *certificates) reload() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg := c.cfg.Load()
	if len(cfg.HTTPServer.Options.SSL.Files()) == 0 {
		return nil
	}
	cert, key, ca, err := readPEMs(cfg, true)
	if err != nil {
		return err
	}
	return c.show(cert, key, ca)
}

// show puts a certificate into effect. With an error the one of before stays.
func (c *certificates) show(cert, key, ca []byte) error {
	if err := c.source.SwapAll(cert, key, ca); err != nil {
		return fmt.Errorf("server: httpServer.options.ssl: %w; the certificate of before is shown further", err)
	}
	c.log.Info("certificate loaded", "event", "CERTIFICATE", "expires", c.source.Expires().UTC().Format(time.DateTime))
	c.warnOfExpiry()
	return nil
}

// part is how certificates are reloaded: their files may have changed although no key has.
func (c *certificates) part() part {
	const ssl = "httpServer.options.ssl."
	return part{
		name: "certificates", keys: []string{ssl + "cert", ssl + "key", ssl + "ca", ssl + "certFile", ssl + "keyFile", ssl + "caFile"},
		external: func(next *config.Config) bool { return len(next.HTTPServer.Options.SSL.Files()) > 0 },
		prepare: func(next *config.Config) (func(), error) {
			cert, key, ca, err := readPEMs(next, false)
			if err != nil {
				return nil, err
			}
			o := c.options
			o.CA = ca
			if _, err := certs.New(cert, key, o); err != nil {
				return nil, err
			}
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.cfg.Store(next)
				if err := c.show(cert, key, ca); err != nil {
					c.log.Error(err.Error(), eventKey, "CERTIFICATE")
				}
			}, nil
		},
	}
}

func (c *certificates) warnOfExpiry() {
	left, message := time.Until(c.source.Expires()), "the TLS certificate ends soon"
	if left > expiryWarning {
		return
	}
	if left < 0 {
		message = "the TLS certificate has expired: clients will refuse it"
	}
	c.log.Warn(message, "event", "CERTIFICATE", "expires", c.source.Expires().UTC().Format(time.DateTime))
}

// start looks after the files until done is closed, if that is asked for.
func (c *certificates) start(done <-chan struct{}) {
	if c == nil {
		return
	}
	ssl := &c.cfg.Load().HTTPServer.Options.SSL
	if ssl.WatchInterval > 0 && len(ssl.Files()) > 0 {
		tick := time.NewTicker(ssl.WatchInterval.Std())
		go func() { // ends with the engine
			defer tick.Stop()
			c.watch(tick.C, done)
		}()
	}
}

// watch looks whenever tick says so.
func (c *certificates) watch(tick <-chan time.Time, done <-chan struct{}) {
	seen := c.state()
	for {
		select {
		case <-done:
			return
		case <-tick:
			seen = c.look(seen)
		}
	}
}

// look reloads the files if they are not as seen, and returns how they are. A certificate and its key are
// two files, so one look may find them half replaced: the next one finds another change.
func (c *certificates) look(seen [6]fileState) [6]fileState {
	now := c.state()
	if now == seen {
		return seen
	}
	if err := c.reload(); err != nil {
		c.log.Warn(err.Error(), "event", "CERTIFICATE")
	}
	return now
}

// fileState is what tells one content of a file from another without reading it.
type fileState struct {
	modified time.Time
	size     int64
	missing  bool
}

// state returns that of all files, in a form that can be compared.
func (c *certificates) state() (all [6]fileState) {
	ssl := &c.cfg.Load().HTTPServer.Options.SSL
	for i, name := range []string{ssl.CertFile, ssl.KeyFile, ssl.CAFile} {
		if name != "" {
			all[i] = stateOf(os.Stat(inDir(c.cfg.Load(), name)))
		}
	}
	for i, path := range []string{ssl.CertLoadedFrom, ssl.KeyLoadedFrom, ssl.CALoadedFrom} {
		if path != "" {
			all[3+i] = stateOf(os.Stat(path))
		}
	}
	return all
}

func stateOf(info fs.FileInfo, err error) fileState {
	if err != nil {
		return fileState{missing: true}
	}
	return fileState{modified: info.ModTime(), size: info.Size()}
}
