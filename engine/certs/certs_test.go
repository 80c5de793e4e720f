package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func issue(t *testing.T, by *authority, name string, ca bool, until time.Duration) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(until), DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key}
}

func (a *authority) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) keyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (a *authority) pair() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
}

// shake returns what a client that trusts root sees of s.
func shake(s *Source, root *authority, client *tls.Certificate, cache tls.ClientSessionCache) (tls.ConnectionState, error) {
	here, there := net.Pipe()
	defer here.Close()
	served := make(chan error, 1)
	go func() { // ends with the pipe
		c := tls.Server(there, s.Config())
		err := c.Handshake()
		if err == nil {
			_, err = c.Write([]byte("x")) // so that the client reads its ticket
		}
		served <- err
		_ = there.Close()
	}()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", ClientSessionCache: cache}
	config.RootCAs.AddCert(root.cert)
	if client != nil {
		config.Certificates = []tls.Certificate{*client}
	}
	c := tls.Client(here, config)
	err := c.Handshake()
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	_ = here.Close()
	if serverErr := <-served; err == nil {
		err = serverErr
	}
	return c.ConnectionState(), err
}

func TestSwap(t *testing.T) {
	root := issue(t, nil, "root", true, 240*time.Hour)
	first, second := issue(t, root, "first", false, 48*time.Hour), issue(t, root, "second", false, 24*time.Hour)
	s, err := New(first.certPEM(), first.keyPEM(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache := tls.NewLRUClientSessionCache(1)
	for i, step := range []struct {
		cert, key []byte
		err       string
		shown     *authority
	}{
		{first.certPEM(), first.keyPEM(), "", first},
		{second.certPEM(), second.keyPEM(), "", second},
		{first.certPEM(), second.keyPEM(), "private key does not match", second},
		{[]byte("no PEM"), second.keyPEM(), "failed to find", second},
		{first.certPEM(), []byte("no PEM"), "failed to find", second},
		{first.certPEM(), bytes.Repeat([]byte("x"), pemBytesMax+1), "more than the maximum", second},
		{issue(t, root, "old", false, -time.Hour).certPEM(), nil, "failed to find", second},
		{first.certPEM(), first.keyPEM(), "", first},
	} {
		err := s.Swap(step.cert, step.key)
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) {
			t.Errorf("step %d: %v, want %q", i, err, step.err)
		}
		if !s.Expires().Equal(step.shown.cert.NotAfter) {
			t.Errorf("step %d: expires %v, want %v", i, s.Expires(), step.shown.cert.NotAfter)
		}
		got, err := shake(s, root, nil, cache)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got.DidResume != (i > 0) {
			t.Errorf("step %d: resumed: %v", i, got.DidResume)
		}
		if got, err := shake(s, root, nil, nil); err != nil || !got.PeerCertificates[0].Equal(step.shown.cert) {
			t.Errorf("step %d: wrong certificate, %v", i, err)
		}
	}
	old := issue(t, root, "old", false, -time.Hour)
	if err := s.Swap(old.certPEM(), old.keyPEM()); err == nil || !strings.Contains(err.Error(), "has expired on") {
		t.Errorf("an expired certificate: %v", err)
	}
}

// The middle of a chain may stand in ca, as with the official server.
func TestChainIsCompleted(t *testing.T) {
	root := issue(t, nil, "root", true, 240*time.Hour)
	middle := issue(t, root, "middle", true, 20*time.Hour)
	leaf := issue(t, middle, "leaf", false, 100*time.Hour)
	s, err := New(leaf.certPEM(), leaf.keyPEM(), Options{CA: append(root.certPEM(), middle.certPEM()...)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := shake(s, root, nil, nil)
	if err != nil || len(got.PeerCertificates) != 2 {
		t.Errorf("%d certificates, %v; want leaf and middle", len(got.PeerCertificates), err)
	}
	if !s.Expires().Equal(middle.cert.NotAfter) {
		t.Errorf("expires %v, want %v, the middle's", s.Expires(), middle.cert.NotAfter)
	}
	for text, want := range map[string]string{"rubbish": "entry 1 is not a certificate", string(root.keyPEM()): "entry 1 is not a certificate"} {
		if _, err := New(leaf.certPEM(), leaf.keyPEM(), Options{CA: []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ca %.20q: %v, want %q", text, err, want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	root, other := issue(t, nil, "root", true, 240*time.Hour), issue(t, nil, "other", true, 240*time.Hour)
	server, friend, stranger := issue(t, root, "server", false, 24*time.Hour), issue(t, root, "friend", false, 24*time.Hour), issue(t, other, "stranger", false, 24*time.Hour)
	if _, err := New(server.certPEM(), server.keyPEM(), Options{RequireClientCert: true}); err == nil || !strings.Contains(err.Error(), "there is no ca") {
		t.Errorf("without ca: %v", err)
	}
	s, err := New(server.certPEM(), server.keyPEM(), Options{CA: root.certPEM(), RequireClientCert: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s, root, friend.pair(), nil); err != nil {
		t.Errorf("friend: %v", err)
	}
	for name, c := range map[string]*tls.Certificate{"stranger": stranger.pair(), "nobody": nil} {
		if _, err := shake(s, root, c, nil); err == nil {
			t.Errorf("%s got in", name)
		}
	}
	if err := s.SwapAll(server.certPEM(), server.keyPEM(), other.certPEM()); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s, root, stranger.pair(), nil); err != nil {
		t.Errorf("stranger, who is none any more: %v", err)
	}
	if _, err := shake(s, root, friend.pair(), nil); err == nil {
		t.Error("the friend of before got in")
	}
}
