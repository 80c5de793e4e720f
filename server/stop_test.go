package server

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"deepstream-fast/codec/ws"
	"deepstream-fast/config"
)

// askOn returns what AskHealth says of s.
func askOn(s *Server) error {
	cfg := *s.cfg
	cfg.HTTPServer.Options.Port = s.Addr().Port
	return AskHealth(context.Background(), &cfg)
}

// From the moment of Stop health checks fail, while clients are still served: drainDelay is for those who
// ask to notice.
func TestHealthFailsBeforeAnybodyHasToLeave(t *testing.T) {
	s := startServer(t, func(c *config.Config) { c.DrainDelay = config.Duration(patience) })
	if err := askOn(s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	for askOn(s) == nil {
	}
	if err := askOn(s); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	select {
	case <-s.Done():
		t.Error("stopped within drainDelay")
	default:
	}
	cancel()
	<-stopped
	<-s.Done()
	if err := askOn(s); err == nil {
		t.Error("a server that has ended is healthy")
	}
}

func TestHealthURL(t *testing.T) {
	o := config.Default().HTTPServer.Options
	for _, tt := range []struct{ host, cert, want string }{
		{"0.0.0.0", "", "http://127.0.0.1:6020/health-check"}, {"::", "", "http://[::1]:6020/health-check"},
		{"", "", "http://127.0.0.1:6020/health-check"}, {"::1", "", "http://[::1]:6020/health-check"},
		{"node.example", "x", "https://node.example:6020/health-check"},
	} {
		o.Host, o.SSL.Cert = tt.host, tt.cert
		if got := healthURL(&o); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// With a socket that the manager keeps, an upgrade in the last moment is not refused: whoever asks gets in
// and is sent away like all others.
func TestAKeptListenerRefusesNobody(t *testing.T) {
	f := newFront(&config.Config{}, "/deepstream")
	head := upgradeHead()
	if got := f.upgrade(head); got != http.StatusServiceUnavailable {
		t.Errorf("not ready: %d", got)
	}
	f.kept = true
	if got := f.upgrade(head); got != 0 {
		t.Errorf("kept: %d", got)
	}
}

func TestInheritedIsChecked(t *testing.T) {
	set := func(fds, pid string) (net.Listener, error) {
		t.Setenv("LISTEN_FDS", fds)
		t.Setenv("LISTEN_PID", pid)
		t.Setenv("LISTEN_FDNAMES", "x")
		defer func() {
			if v := os.Getenv("LISTEN_FDS") + os.Getenv("LISTEN_PID") + os.Getenv("LISTEN_FDNAMES"); v != "" {
				t.Errorf("a child would find %q", v)
			}
		}()
		return Inherited()
	}
	me := pidText()
	for _, tt := range []struct{ fds, pid, want string }{
		{"", "", ""}, {"1", "", ""}, {"1", "1", ""}, {"2", me, "expected one socket"}, {"0", me, "expected one socket"}, {"x", me, "expected one socket"},
	} {
		ln, err := set(tt.fds, tt.pid)
		if ln != nil || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, %v", tt, ln, err)
		}
	}
}

func TestListenerOf(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	file, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listenerOf(file)
	if err != nil || ln.Addr().String() != tcp.Addr().String() {
		t.Fatalf("%v, %v", ln, err)
	}
	defer ln.Close()
	unix, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	if file, err = unix.(*net.UnixListener).File(); err != nil {
		t.Fatal(err)
	}
	if _, err := listenerOf(file); err == nil || !strings.Contains(err.Error(), "expected TCP") {
		t.Errorf("a Unix socket: %v", err)
	}
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenerOf(plain); err == nil {
		t.Error("no socket at all was taken")
	}
}

func pidText() string { return strconv.Itoa(os.Getpid()) }

func upgradeHead() *ws.Head {
	return &ws.Head{Method: []byte("GET"), Path: []byte("/deepstream"), Upgrade: true}
}
