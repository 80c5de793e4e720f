package hostile

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

var metricsAt = regexp.MustCompile(`metrics and health checks on (http://[0-9.:]+)`)

// metric returns the value of a metric without labels. The server must be one with setup.monitor.
func (s *server) metric(name string) int {
	s.t.Helper()
	at := metricsAt.FindStringSubmatch(s.log.String())
	if at == nil {
		s.t.Fatal("no metrics are served")
	}
	answer, err := http.Get(at[1] + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	value := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if value == nil {
		s.t.Fatalf("%s is not there", name)
	}
	n, err := strconv.ParseFloat(string(value[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return int(n)
}

// Ten thousand HTTP connections that stay are a goroutine each. WebSockets are none, before and beside them.
func TestOnlyHTTPConnectionsHaveGoroutines(t *testing.T) {
	const (
		clients = 500
		slack   = 50   // more or fewer: of the runtime, the server and its metrics
		spare   = 2000 // descriptors for everything else, in both processes
	)
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	count := min(scale(10_000), int(files.Cur)-spare)
	s := start(t, setup{api: true, monitor: true, http: "maxHttpConnections = 10000\nhttpIdleTimeout = \"10m\""})
	idle := func() {
		for range clients {
			s.login(t, "idle")
		}
	}
	before := s.metric("go_goroutines")
	idle()
	if got := s.metric("go_goroutines"); got > before+slack {
		t.Errorf("%d goroutines, %d before %d WebSockets", got, before, clients)
	}
	conns := make([]*client, count)
	request := post(batch(`{"topic":"event","action":"emit","eventName":"e"}`, 1), "")
	for round := range 2 { // the second one on the connections of the first
		for some := range slices.Chunk(conns, 500) { // fewer than maxConcurrentRequests
			for i := range some {
				if round == 0 {
					some[i] = s.dial(t)
				}
				some[i].send(request)
			}
			for _, c := range some {
				if status := c.answer(); status != 200 {
					t.Fatalf("round %d: answered %d", round, status)
				}
			}
		}
	}
	busy := s.metric("go_goroutines")
	if busy < before+count-slack || busy > before+count+slack {
		t.Errorf("%d goroutines with %d HTTP connections, %d before", busy, count, before)
	}
	idle()
	if got := s.metric("go_goroutines"); got > busy+slack {
		t.Errorf("%d goroutines, %d before %d more WebSockets", got, busy, clients)
	}
}
