package server

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second // no test waits longer for anything

// manager is the service manager's end of sd_notify.
type manager struct {
	t *testing.T
	*net.UnixConn
}

// manage opens a manager and names it in the environment, together with the variables given.
func manage(t *testing.T, vars map[string]string) *manager {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", address)
	for _, name := range []string{"WATCHDOG_USEC", "WATCHDOG_PID"} {
		t.Setenv(name, vars[name])
	}
	return &manager{t, conn}
}

// next returns the next datagram.
func (m *manager) next() string {
	m.t.Helper()
	b := make([]byte, 4096)
	n, err := m.Read(b)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

func notifier(t *testing.T) *Notifier {
	t.Helper()
	n, err := OpenNotifier()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNotifications(t *testing.T) {
	m := manage(t, nil)
	n := notifier(t)
	if _, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
		t.Error("a child would find NOTIFY_SOCKET")
	}
	before := monotonicMicros()
	n.Ready("serving")
	n.Reloading()
	n.Stopping(15 * time.Second)
	if got := m.next(); got != "READY=1\nSTATUS=serving" {
		t.Errorf("ready: %q", got)
	}
	got := m.next()
	at := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=`).FindStringSubmatch(got)
	if at == nil {
		t.Fatalf("reloading: %q", got)
	}
	if usec, _ := strconv.ParseInt(at[1], 10, 64); usec < before || usec > monotonicMicros() {
		t.Errorf("reloading at %d, not between %d and now", usec, before)
	}
	if got := m.next(); !strings.HasPrefix(got, "STOPPING=1\n") || !strings.HasSuffix(got, "\nEXTEND_TIMEOUT_USEC=15000000") {
		t.Errorf("stopping: %q", got)
	}
}

func TestNobodyToNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := notifier(t)
	if n != nil {
		t.Fatal("a notifier without a socket")
	}
	n.Ready("x") // must not panic, nor must the others
	n.Reloading()
	n.Stopping(1)
	n.Watch(nil)
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if _, err := OpenNotifier(); err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET") {
		t.Errorf("a socket that is not there: %v", err)
	}
}

func TestAbstractSocket(t *testing.T) {
	name := "deepstream-fast-test-" + strconv.Itoa(os.Getpid())
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "\x00" + name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", "@"+name)
	notifier(t).Ready("x")
	if got := (&manager{t, conn}).next(); got != "READY=1\nSTATUS=x" {
		t.Errorf("got %q", got)
	}
}

func TestWhoIsWatched(t *testing.T) {
	for _, tt := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0}, {"3000000", "", 3 * time.Second}, {"3000000", strconv.Itoa(os.Getpid()), 3 * time.Second},
		{"3000000", "1", 0}, {"x", "", 0}, {"0", "", 0}, {"-5", "", 0},
	} {
		manage(t, map[string]string{"WATCHDOG_USEC": tt.usec, "WATCHDOG_PID": tt.pid})
		if got := notifier(t).watchdog; got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// A loop that is stuck stops the feeding, at once, and starts it again when it goes on.
func TestTheWatchdogIsFedWhileAllLoopsTurn(t *testing.T) {
	m := manage(t, map[string]string{"WATCHDOG_USEC": "1000000"})
	n := notifier(t)
	tick, done, answers := make(chan time.Time), make(chan struct{}), make(chan bool)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.feed(tick, done, func() bool { return <-answers })
	}()
	ask := func(alive bool) { tick <- time.Time{}; answers <- alive }
	ask(true)
	if got := m.next(); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	ask(false)
	ask(false)
	n.Ready("mark") // whatever the stuck rounds had sent would stand before it
	if got := m.next(); got != "READY=1\nSTATUS=mark" {
		t.Errorf("fed while stuck: %q", got)
	}
	ask(true)
	if got := m.next(); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	close(done)
	<-ended
}

func TestARunningServerFeedsTheWatchdog(t *testing.T) {
	m := manage(t, map[string]string{"WATCHDOG_USEC": "30000"})
	n := notifier(t)
	s := startServer(t, nil)
	n.Watch(s)
	for range 3 {
		if got := m.next(); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
}
