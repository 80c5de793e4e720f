package certs

import (
	"bytes"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"deepstream-fast/internal/testkit/testcert"
)

// shake returns what a client that trusts root sees of s.
func shake(s *Source, root *testcert.Certificate, client *testcert.Certificate, cache tls.ClientSessionCache) (tls.ConnectionState, error) {
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
	config := &tls.Config{RootCAs: root.Pool(), ServerName: "localhost", ClientSessionCache: cache}
	if client != nil {
		config.Certificates = []tls.Certificate{client.Pair()}
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

func TestSwapShowsTheNewCertificate(t *testing.T) {
	root := testcert.Root("root")
	first, second := root.Issue("first", 48*time.Hour), root.Issue("second", 24*time.Hour)
	s, err := New(first.CertPEM(), first.KeyPEM(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache := tls.NewLRUClientSessionCache(1)
	for i, step := range []struct {
		cert, key []byte
		err       string
		shown     *testcert.Certificate
	}{
		{first.CertPEM(), first.KeyPEM(), "", first},
		{second.CertPEM(), second.KeyPEM(), "", second},
		{first.CertPEM(), second.KeyPEM(), "private key does not match", second},
		{[]byte("no PEM"), second.KeyPEM(), "failed to find", second},
		{first.CertPEM(), []byte("no PEM"), "failed to find", second},
		{first.CertPEM(), bytes.Repeat([]byte("x"), pemBytesMax+1), "more than the maximum", second},
		{root.Issue("old", -time.Hour).CertPEM(), nil, "failed to find", second},
		{first.CertPEM(), first.KeyPEM(), "", first},
	} {
		err := s.Swap(step.cert, step.key)
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) {
			t.Errorf("step %d: %v, want %q", i, err, step.err)
		}
		if !s.Expires().Equal(step.shown.NotAfter) {
			t.Errorf("step %d: expires %v, want %v", i, s.Expires(), step.shown.NotAfter)
		}
		got, err := shake(s, root, nil, cache)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got.DidResume != (i > 0) {
			t.Errorf("step %d: resumed: %v", i, got.DidResume)
		}
		if got, err := shake(s, root, nil, nil); err != nil || !got.PeerCertificates[0].Equal(step.shown.Certificate) {
			t.Errorf("step %d: wrong certificate, %v", i, err)
		}
	}
	old := root.Issue("old", -time.Hour)
	if err := s.Swap(old.CertPEM(), old.KeyPEM()); err == nil || !strings.Contains(err.Error(), "has expired on") {
		t.Errorf("an expired certificate: %v", err)
	}
	late, err := New(old.CertPEM(), old.KeyPEM(), Options{})
	if err != nil {
		t.Fatalf("an expired certificate and no other: %v", err)
	}
	if err := late.Swap(old.CertPEM(), old.KeyPEM()); err != nil {
		t.Errorf("an expired certificate for another: %v", err)
	}
}

// The middle of a chain may stand in ca, as with the official server.
func TestChainIsCompleted(t *testing.T) {
	root := testcert.Root("root")
	middle := root.Issue("middle", 20*time.Hour)
	leaf := middle.Issue("leaf", 100*time.Hour)
	s, err := New(leaf.CertPEM(), leaf.KeyPEM(), Options{CA: append(root.CertPEM(), middle.CertPEM()...)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := shake(s, root, nil, nil)
	if err != nil || len(got.PeerCertificates) != 2 {
		t.Errorf("%d certificates, %v; want leaf and middle", len(got.PeerCertificates), err)
	}
	if !s.Expires().Equal(middle.NotAfter) {
		t.Errorf("expires %v, want %v, the middle's", s.Expires(), middle.NotAfter)
	}
	for text, want := range map[string]string{"rubbish": "entry 1 is not a certificate", string(root.KeyPEM()): "entry 1 is not a certificate"} {
		if _, err := New(leaf.CertPEM(), leaf.KeyPEM(), Options{CA: []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ca %.20q: %v, want %q", text, err, want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	root, other := testcert.Root("root"), testcert.Root("other")
	server, friend, stranger := root.Issue("server", 24*time.Hour), root.Issue("friend", 24*time.Hour), other.Issue("stranger", 24*time.Hour)
	if _, err := New(server.CertPEM(), server.KeyPEM(), Options{RequireClientCert: true}); err == nil || !strings.Contains(err.Error(), "there is no ca") {
		t.Errorf("without ca: %v", err)
	}
	s, err := New(server.CertPEM(), server.KeyPEM(), Options{CA: root.CertPEM(), RequireClientCert: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s, root, friend, nil); err != nil {
		t.Errorf("friend: %v", err)
	}
	for name, c := range map[string]*testcert.Certificate{"stranger": stranger, "nobody": nil} {
		if _, err := shake(s, root, c, nil); err == nil {
			t.Errorf("%s got in", name)
		}
	}
	if err := s.SwapAll(server.CertPEM(), server.KeyPEM(), other.CertPEM()); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(s, root, stranger, nil); err != nil {
		t.Errorf("stranger, who is none any more: %v", err)
	}
	if _, err := shake(s, root, friend, nil); err == nil {
		t.Error("the friend of before got in")
	}
}
