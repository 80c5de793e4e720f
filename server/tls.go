package server

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
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
}

func openCertificates(cfg *config.Config, log *slog.Logger) (*certificates, error) {
	ssl := &cfg.HTTPServer.Options.SSL
	c := &certificates{log: log}
	cert, key, ca, err := readPEMs(cfg)
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

// readPEMs returns the three texts: from their files, or as the configuration has them.
func readPEMs(cfg *config.Config) (cert, key, ca []byte, err error) {
	ssl := &cfg.HTTPServer.Options.SSL
	text := func(contents, file string) (pem []byte) {
		switch {
		case err != nil:
			return nil
		case file != "":
			pem, err = readPEM(inDir(cfg, file))
		default:
			pem = []byte(contents)
		}
		return pem
	}
	cert = text(ssl.Cert, ssl.CertFile)
	key = text(ssl.Key, ssl.KeyFile)
	ca = text(ssl.CA, ssl.CAFile)
	return cert, key, ca, err
}

func readPEM(path string) ([]byte, error) {
	text, err := config.ReadFile(path, certificateBytesMax)
	if err != nil {
		return nil, fmt.Errorf("server: httpServer.options.ssl: %w", err)
	}
	return text, nil
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
		name: "certificates", keys: []string{ssl + "cert", ssl + "key", ssl + "ca", ssl + "certFile", ssl + "keyFile", ssl + "caFile", ssl + "watch"},
		external: func(cfg *config.Config) (paths []string) {
			for _, name := range cfg.HTTPServer.Options.SSL.Files() {
				paths = append(paths, inDir(cfg, name))
			}
			return paths
		},
		watched: func(cfg *config.Config) bool { return cfg.HTTPServer.Options.SSL.Watch },
		prepare: func(next *config.Config) (func(), error) {
			cert, key, ca, err := readPEMs(next)
			if err != nil {
				return nil, err
			}
			o := c.options
			o.CA = ca
			if _, err := certs.New(cert, key, o); err != nil {
				return nil, err
			}
			return func() {
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
