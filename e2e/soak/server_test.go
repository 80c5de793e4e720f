package soak

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/internal/testkit/testcert"
)

const patience = 20 * time.Second // nobody waits longer for anything

// instrumented tells that memory is the instrumentation's, not the server's.
const instrumented = raceEnabled || invariant.Enabled

// rules has one that looks at another record, so that messages wait for permission.
const rules = `
record:
  "*": { create: true, read: true, write: "_('soak/gate') === null || data.n >= 0", delete: true, listen: true, notify: true }
  secret/$x: { create: false, read: false, write: false, delete: false, listen: false, notify: false }
event:
  "*": { publish: true, subscribe: "name !== 'soak/denied'", listen: true }
rpc:
  "*": { provide: true, request: true }
presence:
  "*": { allow: true }
`

// server is one running child process.
type server struct {
	addr, metrics string
	roots         *x509.CertPool // nil: no TLS
	watcher       *http.Client
	log           *output
}

// build makes the server's program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "deepstream-fast")
	args := []string{"build", "-o", program}
	if invariant.Enabled {
		args = append(args, "-tags", "invariants")
	}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "deepstream-fast/cmd/deepstream-fast")...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

var (
	listening = regexp.MustCompile(`listening for WebSockets on wss?://(\S+?)/`)
	watched   = regexp.MustCompile(`metrics and health checks on http://([0-9.:]+)`)
)

// start runs the program until the test ends, and fails if that, or its log, is not as it should be.
func start(t *testing.T, program string, secure bool) *server {
	t.Helper()
	s := &server{watcher: &http.Client{Timeout: patience}, log: &output{}}
	dir := t.TempDir()
	config := "shutdownTimeout = \"5s\"\n[storage]\ntype = \"none\"\n[monitoringServer]\nenabled = true\nport = 0\n" +
		"[permission]\ntype = \"config\"\n[permission.options]\npermissions = \"fileLoad(rules.yml)\"\n" +
		"[httpServer.options]\nhost = \"127.0.0.1\"\n"
	files := map[string]string{"rules.yml": rules}
	if secure {
		root := testcert.Root("soak")
		leaf := root.Issue("soak", 24*time.Hour)
		files["tls.pem"], files["tls.key"] = string(leaf.CertPEM()), string(leaf.KeyPEM())
		config += "[httpServer.options.ssl]\ncertFile = \"tls.pem\"\nkeyFile = \"tls.key\"\n"
		s.roots = root.Pool()
	}
	files["conf.toml"] = config + "[[connectionEndpoints]]\ntype = \"ws-binary\"\n[[connectionEndpoints]]\ntype = \"http\"\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "start", "-c", filepath.Join(dir, "conf.toml"), "--port", "0")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // ends with the process, which the clean-up ends
	t.Cleanup(func() { s.stop(t, cmd, exited) })
	s.await(t, exited)
	return s
}

// await returns when the server takes clients.
func (s *server) await(t *testing.T, exited chan error) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		here, there := listening.FindStringSubmatch(s.log.String()), watched.FindStringSubmatch(s.log.String())
		if here != nil && there != nil {
			s.addr, s.metrics = here[1], there[1]
			return
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("the server ended: %v\n%s", err, s.log)
		case <-deadline:
			t.Fatalf("the server does not listen:\n%s", s.log)
		case <-again.C:
		}
	}
}

func (s *server) stop(t *testing.T, cmd *exec.Cmd, exited chan error) {
	s.watcher.CloseIdleConnections()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("the server ended with %v:\n%s", err, s.log)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-exited
		t.Errorf("the server does not end:\n%s", s.log)
	}
	for _, bad := range []string{"PANIC", "panic:", "DATA RACE", "fatal error:"} {
		if strings.Contains(s.log.String(), bad) {
			t.Errorf("the log has %q:\n%s", bad, s.log)
		}
	}
}

// dial opens a connection of either kind.
func (s *server) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil || s.roots == nil {
		return conn, err
	}
	return tls.Client(conn, &tls.Config{RootCAs: s.roots, ServerName: "localhost"}), nil
}

// web returns a client of the HTTP API and the URL of its commands.
func (s *server) web() (*http.Client, string) {
	if s.roots == nil {
		return &http.Client{Timeout: patience, Transport: &http.Transport{}}, "http://" + s.addr + "/api"
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, ServerName: "localhost"}}},
		"https://" + s.addr + "/api"
}

// output keeps the beginning of what a process says.
type output struct {
	mu  sync.Mutex // guards the field below
	buf bytes.Buffer
}

const outputMax = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() < outputMax {
		o.buf.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
