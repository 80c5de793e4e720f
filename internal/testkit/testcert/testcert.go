// Package testcert makes certificates for tests and benchmarks. It is apart from package testkit, whose
// scenario files bring flags with them that the commands of the benchmarks would show.
//
// Stability: internal, may change.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Certificate is a certificate with its key, made for a test. It can issue others.
type Certificate struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// Root returns an authority of its own.
func Root(name string) *Certificate { return issue(nil, name, 240*time.Hour) }

// Issue returns a certificate for localhost and 127.0.0.1 that c vouches for and that ends after life,
// which may be negative. It is good for servers, clients and as an authority.
func (c *Certificate) Issue(name string, life time.Duration) *Certificate {
	return issue(c, name, life)
}

func issue(by *Certificate, name string, life time.Duration) *Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(life),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if by == nil {
		by = &Certificate{template, key}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, by.Certificate, &key.PublicKey, by.key))
	return &Certificate{must(x509.ParseCertificate(der)), key}
}

// CertPEM returns the certificate as text.
func (c *Certificate) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// KeyPEM returns the key as text.
func (c *Certificate) KeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(c.key))})
}

// Pair returns both for crypto/tls.
func (c *Certificate) Pair() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: c.key}
}

// Pool returns a pool that trusts c alone.
func (c *Certificate) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate)
	return pool
}

// must is for steps that cannot fail: keys of a curve and templates of our own.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("testcert: %v", err))
	}
	return v
}
