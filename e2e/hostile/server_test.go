package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/internal/invariant"
)

const (
	patience   = 15 * time.Second // no test waits longer for anything
	pollPeriod = 2 * time.Millisecond
	mib        = 1 << 20
)

// instrumented tells that memory and latency are the instrumentation's, not the server's.
const instrumented = raceEnabled || invariant.Enabled

var program string // path of the server, built once

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "hostile")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "deepstream-fast")
		args := []string{"build", "-o", program}
		if invariant.Enabled {
			args = append(args, "-tags", "invariants")
		}
		if raceEnabled {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, "deepstream-fast/cmd/deepstream-fast")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// setup is how a server is started. The zero value is the documented default on a free port.
type setup struct {
	host      string // default 127.0.0.1
	http      string // lines for [httpServer.options]
	websocket string // lines for the ws-binary endpoint
	root      string // lines at the top
	api       bool   // serve the HTTP API too
	monitor   bool   // serve metrics, see server.metric
	shutdown  string // shutdownTimeout; default 5s
	files     int    // RLIMIT_NOFILE; 0: as it is
	memory    int    // RLIMIT_AS in MiB; 0: as it is. Nothing under -race, which maps terabytes.
}

// server is one running child process.
type server struct {
	t    testing.TB
	cmd  *exec.Cmd
	addr string
	log  *syncBuffer
	done chan struct{} // closed when the process has ended
	code int           // its exit code, valid after done
}

var listening = regexp.MustCompile(`listening for WebSockets on ws://(\S+?)/`)

// start runs a server and returns when it takes clients. The end of the test stops it and fails if
// that, or anything in its log, is not as it should be.
func start(t testing.TB, o setup) *server {
	t.Helper()
	s := launch(t, o)
	s.awaitListening()
	t.Cleanup(s.finish)
	return s
}

func (s *server) awaitListening() {
	s.t.Helper()
	eventually(s.t, "the server listens", func() bool {
		select {
		case <-s.done:
			s.t.Fatalf("the server ended with %d:\n%s", s.code, s.log)
		default:
		}
		m := listening.FindStringSubmatch(s.log.String())
		if m != nil {
			s.addr = m[1]
		}
		return m != nil
	})
}

// launch starts the process and returns at once.
func launch(t testing.TB, o setup) *server {
	t.Helper()
	if o.host == "" {
		o.host = "127.0.0.1"
	}
	if o.shutdown == "" {
		o.shutdown = "5s"
	}
	conf := filepath.Join(t.TempDir(), "conf.toml")
	text := fmt.Sprintf("shutdownTimeout = %q\n%s\n[storage]\ntype = \"none\"\n[monitoringServer]\nenabled = false\n[httpServer.options]\nhost = %q\n%s\n[[connectionEndpoints]]\ntype = \"ws-binary\"\n[connectionEndpoints.options]\n%s\n",
		o.shutdown, o.root, o.host, o.http, o.websocket)
	if o.monitor {
		text = strings.Replace(text, "enabled = false", "port = 0", 1)
	}
	if o.api {
		text += "[[connectionEndpoints]]\ntype = \"http\"\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var limits string
	if o.files > 0 {
		limits += fmt.Sprintf("ulimit -n %d && ", o.files)
	}
	if o.memory > 0 && !raceEnabled {
		limits += fmt.Sprintf("ulimit -v %d && ", o.memory<<10)
	}
	args := []string{"-c", limits + `exec "$0" "$@"`, program, "start", "-c", conf}
	if !strings.Contains(o.http, "port =") {
		args = append(args, "--port", "0")
	}
	s := &server{t: t, cmd: exec.Command("sh", args...), log: &syncBuffer{}, done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); <-s.done })
	go func() { // ends with the process, which the clean-up above kills
		defer close(s.done)
		var exit *exec.ExitError
		if err := s.cmd.Wait(); errors.As(err, &exit) {
			s.code = exit.ExitCode()
		}
	}()
	return s
}

// finish stops the server as an operator would and judges its last words.
func (s *server) finish() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	s.wantExit(0)
	log := s.log.String()
	for _, bad := range []string{"PANIC", "panic:", "DATA RACE", "fatal error:", "goroutine "} {
		if i := strings.Index(log, bad); i >= 0 {
			s.t.Errorf("the log has %q:\n%s", bad, log[max(0, i-200):min(len(log), i+4000)])
			return
		}
	}
}

func (s *server) signal(sig os.Signal) { _ = s.cmd.Process.Signal(sig) }

func (s *server) wantExit(code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-s.done:
		if s.code != code {
			s.t.Errorf("exit code %d, want %d:\n%s", s.code, code, tail(s.log.String()))
		}
	case <-ctx.Done():
		s.t.Errorf("the server does not end:\n%s", tail(s.log.String()))
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// memory returns the resident bytes now and at their highest since the last call of resetPeak.
func (s *server) memory() (now, peak int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	return now, peak
}

// files returns the number of open descriptors.
func (s *server) files() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	return len(entries)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pollPeriod)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

// syncBuffer is a buffer that may be read while a process writes to it.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
