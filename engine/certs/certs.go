// Package certs keeps the certificate that a TLS server shows, and replaces it while the server runs.
//
// # Invariants
//   - A new pair is taken as a whole or not at all: what is broken leaves the old one in place.
//   - A handshake sees one pair from its beginning to its end. Connections that are established keep
//     theirs, and sessions can be resumed across a change.
//   - No message contains anything of a key or a passphrase.
//
// Cost: a change parses and checks everything, a handshake loads one pointer. Safe for concurrent use.
// Stability: internal, may change.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	pemBytesMax  = 1 << 20 // of each text
	chainCertMax = 16      // certificates sent in one handshake
)

// Options say what besides the pair itself makes up the server's side of TLS.
type Options struct {
	Passphrase string // of an encrypted key

	// CA are certificates of authorities, PEM. They complete a chain that lacks its middle, as they do
	// in the official server, and judge clients if these have to show a certificate.
	CA                []byte
	RequireClientCert bool // refuse clients without a certificate that one of CA vouches for
}

// Source is where a server's TLS configuration comes from.
type Source struct {
	// Set by New, then constant.
	opts Options
	base *tls.Config

	current atomic.Pointer[pair]
}

// pair is one certificate with everything that follows from it.
type pair struct {
	config  *tls.Config
	expires time.Time
}

// New returns a Source that shows the certificate chain certPEM, whose key is keyPEM.
func New(certPEM, keyPEM []byte, o Options) (*Source, error) {
	s := &Source{opts: o}
	if err := s.Swap(certPEM, keyPEM); err != nil {
		return nil, err
	}
	// Session tickets are the base's, which changes their keys every day by itself.
	s.base = newConfig()
	s.base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load().config, nil }
	return s, nil
}

// newConfig returns what all configurations have in common: TLS 1.2 and 1.3 with the choices of
// crypto/tls, and no protocol inside but HTTP/1.1, which WebSockets need.
func newConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		// Writes are gathered already: small records at the beginning would only be more of them.
		DynamicRecordSizingDisabled: true,
	}
}

// Config returns the configuration to serve with. It always shows the current certificate.
func (s *Source) Config() *tls.Config { return s.base }

// Expires returns when the first certificate of the chain that is shown ends.
func (s *Source) Expires() time.Time { return s.current.Load().expires }

// Swap replaces the pair. On an error the old one stays. A pair that has expired is one, unless the old
// one has as well: a server that starts with it can at least be reached by those who do not look.
func (s *Source) Swap(certPEM, keyPEM []byte) error { return s.SwapAll(certPEM, keyPEM, s.opts.CA) }

// SwapAll replaces the pair together with Options.CA, for this time.
func (s *Source) SwapAll(certPEM, keyPEM, caPEM []byte) error {
	for name, text := range map[string][]byte{"certificate": certPEM, "key": keyPEM, "ca": caPEM} {
		if len(text) > pemBytesMax {
			return fmt.Errorf("certs: the %s has %d bytes, more than the maximum of %d", name, len(text), pemBytesMax)
		}
	}
	authorities, err := parseAll(caPEM)
	if err != nil {
		return fmt.Errorf("certs: ca: %w", err)
	}
	key, err := decrypted(keyPEM, s.opts.Passphrase)
	if err != nil {
		return err
	}
	shown, err := tls.X509KeyPair(certPEM, key)
	if err != nil {
		return fmt.Errorf("certs: %w", err) // says what is missing or does not fit, without contents
	}
	p := &pair{config: newConfig()}
	if p.expires, err = complete(&shown, authorities); err != nil {
		return err
	}
	if old := s.current.Load(); old != nil && expired(p) && !expired(old) {
		return fmt.Errorf("certs: the certificate has expired on %s", p.expires.UTC().Format(time.DateTime))
	}
	p.config.Certificates = []tls.Certificate{shown}
	if s.opts.RequireClientCert {
		if len(authorities) == 0 {
			return errors.New("certs: client certificates are required, but there is no ca that could have issued one")
		}
		p.config.ClientAuth, p.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		for _, a := range authorities {
			p.config.ClientCAs.AddCert(a)
		}
	}
	s.current.Store(p)
	return nil
}

// parseAll returns the certificates in text, which has nothing else in it.
func parseAll(text []byte) (all []*x509.Certificate, err error) {
	rest := bytes.TrimSpace(text)
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("entry %d is not a certificate in PEM", len(all)+1)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}
		all, rest = append(all, c), bytes.TrimSpace(rest)
	}
	return all, nil
}

// complete appends to the chain the issuers that authorities have, up to but without the root, and
// returns when the first of all ends.
func complete(shown *tls.Certificate, authorities []*x509.Certificate) (expires time.Time, err error) {
	var last *x509.Certificate
	for _, der := range shown.Certificate {
		if last, err = x509.ParseCertificate(der); err != nil {
			return expires, fmt.Errorf("certs: certificate chain: %w", err)
		}
		if expires.IsZero() || last.NotAfter.Before(expires) {
			expires = last.NotAfter
		}
	}
	for len(shown.Certificate) < chainCertMax && !selfIssued(last) {
		next := issuerOf(last, authorities)
		if next == nil || selfIssued(next) {
			break
		}
		shown.Certificate, last = append(shown.Certificate, next.Raw), next
		if next.NotAfter.Before(expires) {
			expires = next.NotAfter
		}
	}
	if len(shown.Certificate) > chainCertMax {
		return expires, fmt.Errorf("certs: a chain of %d certificates, more than the maximum of %d", len(shown.Certificate), chainCertMax)
	}
	return expires, nil
}

func expired(p *pair) bool { return time.Now().After(p.expires) }

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func issuerOf(c *x509.Certificate, all []*x509.Certificate) *x509.Certificate {
	for _, a := range all {
		if bytes.Equal(c.RawIssuer, a.RawSubject) && c.CheckSignatureFrom(a) == nil {
			return a
		}
	}
	return nil
}
