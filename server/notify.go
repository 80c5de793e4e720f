package server

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells the service manager how we are: sd_notify(3), a datagram of NAME=value lines to the
// socket that NOTIFY_SOCKET names. All methods of a nil Notifier do nothing. Safe for concurrent use.
type Notifier struct {
	// Set by OpenNotifier, then constant.
	conn     *net.UnixConn
	watchdog time.Duration // 0: nobody watches
}

// OpenNotifier returns the way to the service manager, nil if there is none. It takes the variables out
// of the environment, so that no child believes they are meant for it.
func OpenNotifier() (*Notifier, error) {
	address := takeEnv("NOTIFY_SOCKET")
	micros, pid := takeEnv("WATCHDOG_USEC"), takeEnv("WATCHDOG_PID")
	if address == "" {
		return nil, nil
	}
	if strings.HasPrefix(address, "@") {
		address = "\x00" + address[1:] // the abstract name space
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("server: NOTIFY_SOCKET: %w", err)
	}
	n := &Notifier{conn: conn}
	if pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if usec, err := strconv.ParseInt(micros, 10, 64); err == nil && usec > 0 {
			n.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return n, nil
}

// takeEnv returns the value of a variable and removes it.
func takeEnv(name string) string {
	value := os.Getenv(name)
	_ = os.Unsetenv(name)
	return value
}

// notifyTimeout bounds a datagram: a manager that does not read must not hold us up.
const notifyTimeout = 100 * time.Millisecond

// send sends lines as one datagram. That nobody receives it is nothing to act upon.
func (n *Notifier) send(lines ...string) {
	if n == nil {
		return
	}
	_ = n.conn.SetWriteDeadline(time.Now().Add(notifyTimeout))
	_, _ = n.conn.Write([]byte(strings.Join(lines, "\n")))
}

// Ready tells that clients can connect.
func (n *Notifier) Ready(status string) { n.send("READY=1", "STATUS="+status) }

// Reloading tells that the configuration is being read again; Ready must follow.
func (n *Notifier) Reloading() {
	n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonicMicros(), 10), "STATUS=reading the configuration")
}

// Stopping tells that the server stops and how long that may take.
func (n *Notifier) Stopping(within time.Duration) {
	n.send("STOPPING=1", "STATUS=telling clients to go elsewhere", "EXTEND_TIMEOUT_USEC="+strconv.FormatInt(within.Microseconds(), 10))
}

// monotonicMicros returns what the manager compares with its own clock.
func monotonicMicros() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano() / 1000
}

// feed tells the watchdog that we live, whenever tick fires and alive says so, until done is closed.
func (n *Notifier) feed(tick <-chan time.Time, done <-chan struct{}, alive func() bool) {
	for {
		select {
		case <-done:
			return
		case <-tick:
		}
		if alive() {
			n.send("WATCHDOG=1")
		}
	}
}

// Watch feeds the watchdog, if there is one, while all loops of s turn. It returns at once.
func (n *Notifier) Watch(s *Server) {
	if n == nil || n.watchdog == 0 {
		return
	}
	// Three questions within the manager's patience: a single late answer is no reason to be killed.
	ticker := time.NewTicker(n.watchdog / 3)
	go func() { // ends with the engine
		defer ticker.Stop()
		n.feed(ticker.C, s.Done(), s.engine.Pulse)
	}()
}
